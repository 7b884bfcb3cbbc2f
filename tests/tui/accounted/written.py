"""How should a number of `/v1` be written? Said once more, without a look at how the screens do it: exact decimals, no
exponent, and nothing that is there rounded to none."""

from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

NOT_KNOWN = "–"


def places(value: float, after: int) -> str:
    """So many digits after the point."""
    return str(Decimal(value).quantize(Decimal(1).scaleb(-after), ROUND_HALF_EVEN))


def digits(value: float, significant: int) -> str:
    """So many digits that count, no zeros behind the point that say nothing, never an exponent."""
    exact = Decimal(value)
    if not exact:
        return "0"
    step = Decimal(1).scaleb(exact.adjusted() - significant + 1)
    rounded = exact.quantize(step, ROUND_HALF_EVEN) if step < 1 else Decimal(round(exact))
    if rounded.adjusted() > exact.adjusted():  # 9.996 is 10.0 then, not 10.00
        rounded = rounded.quantize(step.scaleb(1)) if step.scaleb(1) < 1 else Decimal(round(rounded))
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: float) -> str:
    return digits(value, 3)


def cores(value: float | None) -> str:
    return NOT_KNOWN if value is None else places(value, 2)


def at_most_hundredths(value: float) -> str:
    """Two digits behind the point, without those that say nothing."""
    return places(value, 2).rstrip("0").rstrip(".")


def share(ratio: float | None) -> str:
    """In percent; below one with a digit, so that 0 % is none at all."""
    if ratio is None:
        return NOT_KNOWN
    if 0 < ratio < 0.0005:
        return "<0.1 %"
    return f"{places(ratio * 100, 1 if 0 < ratio < 0.0095 else 0)} %"


def size(count: float | None) -> str:
    """In the unit of which there is at least one, by 1024; below ten of them with a digit."""
    if count is None:
        return NOT_KNOWN
    unit = 0
    while unit < 4 and abs(count) / 1024**unit >= (1023.5 if unit else 1024):
        unit += 1
    value = count / 1024**unit
    return f"{places(value, 1 if unit and (abs(value) < 9.95 or unit == 4) else 0)} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NOT_KNOWN
    if seconds == 0:
        return "0 s"
    if seconds < 119.5:
        for unit, name in ((1e-3, "µs"), (1, "ms")):
            if seconds < unit * 0.9995:
                return f"{digits(seconds / unit * 1000, 3) if name == 'ms' else places(seconds * 1e6, 0)} {name}"
        return f"{digits(seconds, 3)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes < 48 * 60 else f"{round(seconds / 86400)} d"


def age(seconds: float) -> str:
    """Below two minutes in seconds, below an hour in minutes and seconds."""
    minutes, left = divmod(round(seconds), 60)
    return f"{round(seconds)} s" if minutes < 2 else f"{minutes} min {left:02} s"


def rate(per_second: float | None) -> str:
    return NOT_KNOWN if per_second is None else f"{number(per_second)} /s"


def times(ratio: float) -> str:
    return f"×{number(ratio)}"


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def clock(at: str) -> str:
    """Of an RFC 3339 instant in UTC."""
    return f"{datetime.fromisoformat(at):%H:%M:%S} UTC"


def day_and_minute(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"


def known(value: object) -> str:
    return NOT_KNOWN if value is None else str(value)


def listed(numbers: Iterable[int], at_most: int = 6) -> str:
    several = list(numbers)
    more = f" and {len(several) - at_most} more" if len(several) > at_most else ""
    return ", ".join(map(str, several[:at_most])) + more


def setting(value: object) -> str:
    return (
        {None: "unknown", True: "on", False: "off"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def command(line: str) -> str:
    """Without the folders of the program, and of the script that Python runs."""
    words = line.split()
    for number in (0, 1):
        if words[number:] and (number == 0 or words[0].startswith("python")) and words[number].startswith("/"):
            words[number] = words[number].rsplit("/", 1)[-1]
    return " ".join(words)


def cpus(text: str) -> set[int]:
    """`0-3,8`"""
    ends = [list(map(int, part.split("-"))) for part in text.split(",")]
    return {cpu for pair in ends for cpu in range(pair[0], pair[-1] + 1)}


def quantity(value: float | None, unit: str) -> str:
    """A number of evidence in its unit."""
    if value is None:
        return NOT_KNOWN
    written = {
        "seconds": duration, "bytes": size, "ratio": share, "bytes_per_second": lambda it: f"{size(it)}/s",
        "watts": lambda it: f"{places(it, 0)} W", "celsius": lambda it: f"{places(it, 0)} °C",
        "hertz": lambda it: f"{places(it / 1e6, 0)} MHz", "count": number, "": number,
    }  # fmt: skip
    if unit in written:
        return written[unit](value)
    return f"{number(value)} {unit[1:] if unit.startswith('1/') else unit}"


def two_or_three(ratio: float) -> str:
    """Three digits that count, below one two."""
    return digits(ratio, 3 if ratio >= 1 else 2)


def ratio(gain: dict[str, float]) -> str:
    """`×9.44 (6.36–15.3)`; of what is exact the number alone."""
    low, likely, high = (two_or_three(gain[name]) for name in ("p10", "p50", "p90"))
    return f"×{likely}" if gain["p10"] == gain["p90"] else f"×{likely} ({low}–{high})"
