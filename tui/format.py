"""How is a number or a foreign text written on the screen? The only place that turns units into text."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from advisor.finding import Gain

UNKNOWN = "–"
"""What stands where a value is not readable."""

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
_LOWER_IS_BETTER = frozenset({"latency_p99_ratio", "latency_p50_ratio", "memory_ratio", "cost_ratio"})
_GAIN_NAMES = {
    "throughput_ratio": "throughput",
    "latency_p99_ratio": "p99 latency",
    "latency_p50_ratio": "p50 latency",
    "memory_ratio": "memory",
    "cost_ratio": "cost",
}


def plain(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal would obey: names of processes are anyone's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def cores(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"


def percent(ratio: float | None) -> str:
    """A ratio 0..1; a small share keeps a decimal, and the smallest says that there is some: 0 % means none."""
    if ratio is None:
        return UNKNOWN
    share = ratio * 100
    if 0 < share < 0.05:
        return "<0.1 %"
    return f"{share:.1f} %" if 0 < share < 0.95 else f"{share:.0f} %"


def measured(ratio: float, error: float) -> str:
    """A share that was sampled, with one standard error, both in percent: 30.0 % ± 1.4."""
    return f"{100 * ratio:.1f} % ± {100 * error:.1f}"


def points(ratio: float) -> str:
    """A difference of two shares, in points of a percent, always with its sign."""
    return f"{100 * ratio:+.1f}"


def size(value_bytes: float | None) -> str:
    if value_bytes is None:
        return UNKNOWN
    value = float(value_bytes)
    for unit in _SIZES[:-1]:
        if abs(value) < (1024 if unit == "B" else 1023.5):
            return f"{value:.0f} {unit}" if abs(value) >= 9.95 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_SIZES[-1]}"


def duration(seconds: float | None) -> str:
    """Two to three digits and the unit that fits: 4.2 ms, 15 s, 3 min, 2 h 05 min."""
    if seconds is None:
        return UNKNOWN
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs" if seconds else "0 s"
    if seconds < 0.9995:
        return f"{number(seconds * 1e3)} ms"
    if seconds < 119.5:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes >= 48 * 60:
        return f"{seconds / 86400:.0f} d"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def rate(per_second: float | None) -> str:
    return UNKNOWN if per_second is None else f"{number(per_second)} /s"


def speed(bytes_per_second: float | None) -> str:
    return UNKNOWN if bytes_per_second is None else f"{size(bytes_per_second)}/s"


def watts(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f} W"


def celsius(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f} °C"


def frequency(hertz: float | None) -> str:
    return UNKNOWN if hertz is None else f"{hertz / 1e6:.0f} MHz"


def vram(value_bytes: int | None) -> str:
    """Device memory that a process holds; its driver may name the process and not tell how much, which is not 0."""
    return "?" if value_bytes is None else size(value_bytes)


def number(value: float, significant: int = 3) -> str:
    """A bare number with so many significant digits at most, but whole where it has more before the point; never in powers of
    ten."""
    if abs(value) >= 10**significant:
        return f"{value:.0f}"
    return f"{Decimal(f'{value:.{significant}g}'):f}"


def quantity(value: float | None, unit: str) -> str:
    """A number of evidence in its declared base unit."""
    if value is None:
        return UNKNOWN
    match unit:
        case "seconds":
            return duration(value)
        case "bytes":
            return size(value)
        case "ratio":
            return percent(value)
        case "bytes_per_second":
            return speed(value)
        case "watts":
            return watts(value)
        case "celsius":
            return celsius(value)
        case "hertz":
            return frequency(value)
        case "" | "1" | "count":
            return number(value)
        case _ if unit.startswith("1/"):
            return f"{number(value)} {plain(unit[1:])}"
        case _:
            return f"{number(value)} {plain(unit)}"


def metric_name(name: str) -> str:
    """`waiting_cores` as people say it."""
    return plain(name.replace("_", " "))


def times(ratio: float) -> str:
    return f"×{number(ratio)}"


def gain_name(gain: Gain) -> str:
    return _GAIN_NAMES[gain.metric]


def gain_direction(gain: Gain) -> str:
    """`better`, `worse`, or `unsure` where the interval holds both."""
    low, high = sorted((gain.p10, gain.p90))
    if gain.metric in _LOWER_IS_BETTER:
        low, high = -high, -low
        one = -1.0
    else:
        one = 1.0
    if low > one:
        return "better"
    return "worse" if high < one else "unsure"


def value(setting: float | str | bool | None) -> str:
    """The value of a setting; None is one that nobody could read."""
    if setting is None:
        return "unknown"
    if isinstance(setting, bool):
        return "on" if setting else "off"
    return plain(str(setting)) or '""'


def clock(at: str) -> str:
    """The time of day of an ISO 8601 instant, with its zone."""
    day, separator, rest = at.partition("T")
    if not separator:
        return plain(day)
    return plain(rest[:8]) + (" UTC" if rest.endswith(("Z", "+00:00")) else "")


def moment(at: str) -> str:
    """Day and time of an ISO 8601 instant, with its zone, to the minute."""
    day, separator, rest = at.partition("T")
    if not separator:
        return plain(day)
    return plain(f"{day} {rest[:5]}") + (" UTC" if rest.endswith(("Z", "+00:00")) else "")


def instant(seconds: float) -> str:
    """Day and time of Unix seconds, in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_of_day(seconds: float) -> str:
    """Of Unix seconds, in UTC, to the second."""
    return instant(seconds)[11:]


def span(first: float, last: float) -> str:
    """From one instant to another (Unix seconds), in UTC; the day once where it is the same."""
    start, end = instant(first), instant(last)
    return f"{start.removesuffix(' UTC')} to {end[11:] if start[:10] == end[:10] else end}"


def age(seconds: float) -> str:
    """To the second below an hour: 42 s, 4 min 10 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else duration(whole)


def count(number_of: int, one: str, many: str | None = None) -> str:
    """`1 worker`, `2 workers`."""
    return f"{number_of} {one if number_of == 1 else many or one + 's'}"


def command_line(text: str) -> str:
    """A command line without the folders of its program, and of the script that an interpreter runs."""
    words = plain(text).split(" ")
    words[0] = words[0].rpartition("/")[2] or words[0]
    if words[0].startswith("python") and len(words) > 1 and words[1].startswith("/"):
        words[1] = words[1].rpartition("/")[2] or words[1]
    return " ".join(words)


def pids(numbers: Iterable[int], at_most: int = 6) -> str:
    listed = list(numbers)
    shown = ", ".join(str(pid) for pid in listed[:at_most])
    return shown + (f" and {len(listed) - at_most} more" if len(listed) > at_most else "")
