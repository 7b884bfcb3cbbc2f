"""What do the screens say of moving a service: in a word, in a line, in numbers?"""

from collections.abc import Sequence

from textual.content import Content

from advisor.finding import Gain
from advisor.migration.fit import Fit
from advisor.migration.money import DevicePrice
from advisor.migration.pricing import price_named
from advisor.migration.result import Costs, DeviceEstimate, MigrationEstimate, Situation
from advisor.migration.spread import Spread
from tui import format as fmt
from tui.lines import bar, dotted
from tui.palette import BAD, BAR, GOOD, QUIET, STRONG, TRACK
from tui.ratios import gain_of

VERDICTS = ("candidate", "possible", "not worth it", "does not fit")
"""The best first."""
VERDICT_COLOURS = {"candidate": f"bold {GOOD}", "possible": "bold $medium", "not worth it": QUIET, "does not fit": BAD}
WORTH_TELLING = 100.0
"""A ceiling above it says no more than that nearly all of the work could move."""
_NEEDS = {
    "privilege": "a privilege",
    "profile": "a profile",
    "metrics": "metrics",
    "load": "more load",
    "time": "more time",
    "kernel": "its CPUs' flags",
}


def best(one: MigrationEstimate) -> DeviceEstimate | None:
    """The device with the best verdict, of several the first."""
    return min(one.devices, key=lambda device: VERDICTS.index(device.verdict), default=None)


def in_a_word(one: MigrationEstimate) -> Content:
    """`candidate: L4`, or what is missing."""
    if one.needs is not None:
        return Content.styled(f"? needs {_NEEDS[one.needs.kind]}", QUIET)
    device = best(one)
    if device is None:
        return Content.styled("no device to judge", QUIET)
    return Content.assemble((device.verdict, VERDICT_COLOURS[device.verdict]), (f": {fmt.plain(device.device)}", QUIET))


def gains(one: MigrationEstimate) -> list[Gain]:
    """All that is drawn of it on one scale."""
    found = [gain_of(way.throughput, "throughput_ratio") for way in one.here]
    for device in one.devices:
        if device.simulated is not None:
            found.append(gain_of(device.simulated.throughput, "throughput_ratio"))
            found.append(gain_of(device.simulated.latency, "latency_p50_ratio"))
    return found


def situation_text(now: Situation) -> list[str]:
    """What the estimate rests on, in pieces."""
    return [
        f"{fmt.number(now.work.per_second)} requests/s",
        f"{fmt.duration(now.work.cpu_seconds)} CPU each",
        f"latency {fmt.duration(now.latency_seconds)}",
        "no objective" if now.slo_p99_seconds is None else f"objective {fmt.duration(now.slo_p99_seconds)}",
        f"{fmt.number(round(now.cores, 2))} cores left",
        *([] if now.batch is None else [f"batches of {now.batch}"]),
    ]


def share_text(share: Spread) -> str:
    """`84–96 % of CPU time, likely 95`"""
    if share.low == share.high:
        return f"{share.mode * 100:.0f} % of CPU time"
    return f"{share.low * 100:.0f}–{share.high * 100:.0f} % of CPU time, likely {share.mode * 100:.0f}"


def share_bar(share: Spread, width: int) -> Content:
    """Filled as far as is sure, then what may be more, then what stays."""
    low, high = (round(max(0.0, min(1.0, end)) * width) for end in (share.low, share.high))
    return Content.assemble(("█" * low, BAR), ("▒" * (high - low), BAR), ("░" * (width - high), TRACK))


def title(device: DeviceEstimate) -> Content:
    """Name and verdict, whether it is here, and how sure that is."""
    sign, where = ("●", "in this node") if device.present else ("○", "not in this node")
    return dotted(
        (
            Content.assemble(
                (f"{sign} {fmt.plain(device.device)}  ", STRONG), (device.verdict, VERDICT_COLOURS[device.verdict])
            ),
            where,
            f"grade {device.grade}",
        )
    )


def validity(device: DeviceEstimate) -> str:
    """Whether such an estimate was held against a measurement."""
    return fmt.plain(device.note) if device.note else "validated" if device.validated else "not validated"


def short_validity(device: DeviceEstimate) -> str:
    return "validated" if device.validated else "not validated"


def facts(device: DeviceEstimate) -> list[str]:
    """What binds, the ceiling, memory and cost, in pieces."""
    seen = device.simulated
    return [
        "" if seen is None else f"{seen.binding} binds",
        ceiling_text(device),
        fit_text(device.fit),
        *cost_text(device.costs),
        short_validity(device),
    ]


def ceiling_text(device: DeviceEstimate) -> str:
    """Amdahl: what stays on the host holds everything back to that."""
    return f"×{fmt.number(device.ceiling)} at most (Amdahl)" if device.ceiling < WORTH_TELLING else ""


def fit_text(placed: Fit) -> str:
    """`fits: 1.28 of 24.2 GB`"""
    verdict = placed.verdict
    if placed.on_device is not None:
        verdict = f"{verdict} {placed.on_device} of {placed.layers} layers"  # type: ignore[assignment]
    return f"{verdict}: {gigabytes(placed.need)} of {gigabytes(placed.free)} GB"


def fit_bar(placed: Fit, width: int) -> Content:
    return bar(placed.need / placed.free if placed.free else 1.0, width, BAR if placed.verdict == "fits" else BAD)


def gigabytes(value_bytes: float) -> str:
    """10^9 bytes, as devices are sold; three digits."""
    return fmt.number(value_bytes / 1e9)


def cost_text(costs: Costs | None) -> list[str]:
    """The ratio at the load that there is, and from which load on it pays."""
    if costs is None:
        return ["cost – (no prices)"]
    return [f"cost ×{fmt.number(costs.ratio.p50)}", pays_text(costs)]


def pays_text(costs: Costs) -> str:
    even = costs.break_even_per_second
    if even is None:
        return "pays at no load"
    return f"pays from {fmt.rate(even.p50)}" if even.p50 > 0 else "pays at any load"


def price_text(name: str, prices: dict[str, DevicePrice]) -> str:
    price = price_named(name, prices)
    if price is None:
        return ""
    day = f" as of {fmt.plain(price.as_of)}" if price.as_of else ""
    return f"{fmt.number(price.hourly, 4)} {fmt.plain(price.currency)} an hour{day}"


def supposed_text(pairs: Sequence[tuple[str, str]]) -> str:
    """`load=200, slo=100ms`"""
    return ", ".join(f"{key}={fmt.plain(value)}" for key, value in pairs)
