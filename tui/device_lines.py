"""How are speed, memory, forms in fewer bits, and cost of a device written on its page?"""

from textual.content import Content

from advisor.finding import Gain
from advisor.migration.alternatives import Alternative
from advisor.migration.result import DeviceEstimate, MigrationEstimate
from advisor.migration.split import Split
from advisor.migration.spread import Percentiles
from tui import format as fmt
from tui.lines import aligned, bar, columns, packed
from tui.migration import WORTH_TELLING, fit_bar, fit_text, gigabytes, pays_text, price_text
from tui.palette import QUIET
from tui.ratios import LABEL_WIDTH, Scale, gain_of, told

_BAR = 24


def speed_lines(device: DeviceEstimate, width: int) -> list[Content]:
    """Intervals, then what they are of."""
    seen = device.simulated
    if seen is None:
        return [Content(f"it does not compute in {device.precision}: no speed can be told")]
    drawn: list[tuple[str, Gain, str]] = [
        ("throughput", gain_of(seen.throughput, "throughput_ratio"), "against these CPUs set right"),
        ("", gain_of(seen.as_configured, "throughput_ratio"), "against these CPUs as they are set"),
        ("latency", gain_of(seen.latency, "latency_p50_ratio"), "of a request that does not queue"),
    ]
    scale = Scale.over([gain for _, gain, _ in drawn], width)
    rows = [scale.axis()]
    for label, gain, of_what in drawn:
        rows += [scale.drawn(label, gain), Content.styled(" " * LABEL_WIDTH + of_what, QUIET)]
    batch = f"{fmt.duration(seen.device_seconds.p10)}–{fmt.duration(seen.device_seconds.p90)}"
    rates = (
        ("at most on it", f"{_between(seen.per_second)} requests/s"),
        ("at most here", f"{_between(seen.cpu_per_second)} requests/s, set right"),
        (f"a batch of {seen.batch}", f"{batch} on it, in {device.precision}"),
    )
    rows += aligned([[Content.styled(name, QUIET), number] for name, number in rates])
    if device.ceiling < WORTH_TELLING:
        text = f"a request gets ×{fmt.number(device.ceiling)} faster at most: what stays on the host (Amdahl)"
        rows += Content(text).wrap(width)
    return rows


def term_lines(device: DeviceEstimate) -> list[Content]:
    """The most often first, in parts of the draws."""
    if device.simulated is None:
        return []
    terms = device.simulated.terms
    return aligned([[name, bar(share, _BAR), fmt.percent(share)] for name, share in terms.items()], frozenset({2}))


def memory_lines(device: DeviceEstimate, width: int) -> list[Content]:
    placed = device.fit
    where = "free on it now" if device.present else "that such a device has"
    rows = packed((Content.assemble(fit_bar(placed, _BAR), f" {fit_text(placed)}"), where), width)
    return [*rows, *(split_lines(device.split, width) if device.split is not None else [])]


def split_lines(split: Split, width: int) -> list[Content]:
    """As llama.cpp counts: the output layer is one more of those that are asked for."""
    rate = split.tokens_per_second
    sentence = (
        f"split: {split.on_device} of {split.layers} layers and the output layer on it "
        f"(-ngl {split.on_device + 1} of llama.cpp): {_between(rate)} tokens/s of one sequence, "
        f"{told(split.against_host)} against none on it; a token reads {gigabytes(split.device_bytes)} GB there and "
        f"{gigabytes(split.host_bytes)} GB here"
    )
    return list(Content(sentence).wrap(width))


def smaller_lines(device: DeviceEstimate, width: int) -> list[Content]:
    rows = [_form(form) for form in device.alternatives]
    if not rows:
        return []
    header = ("", "GB", "memory", "on it", "on these CPUs")
    return [columns(header, rows, frozenset({1}), width)]


def _form(form: Alternative) -> tuple[str, ...]:
    verdict = form.verdict if form.layers is None else f"split, {form.layers} layers"
    here = {True: "multiplied", False: "not multiplied", None: fmt.UNKNOWN}[form.host]
    return fmt.plain(form.form), gigabytes(form.need), verdict, "multiplied" if form.device else "emulated", here


def cost_lines(device: DeviceEstimate, one: MigrationEstimate, width: int) -> list[Content]:
    """At the load that there is and at capacity; the prices that it rests on."""
    costs, now = device.costs, one.situation
    node = now.price if now is not None else None
    paid = f"{fmt.number(node.hourly, 4)} {fmt.plain(node.currency)} an hour" if node is not None else ""
    if costs is None:
        missing = [] if paid else ["[prices] of this node"]
        missing += (
            [] if price_text(device.device, one.prices) else [f'hourly of [devices."{fmt.plain(device.device)}"]']
        )
        return [
            Content.styled(f"not known; state in the configuration: {' and '.join(missing) or 'one currency'}", QUIET)
        ]
    rows = [
        ("at this load", fmt.number(costs.at_load), _spread(costs.at_load_moved)),
        ("at capacity", fmt.number(costs.at_capacity), _spread(costs.at_capacity_moved)),
    ]
    even = costs.break_even_per_second
    more = f" ({fmt.number(even.p10)}–{fmt.number(even.p90)})" if even is not None else ""
    table = columns((fmt.plain(costs.currency), "now", "moved"), rows)
    prices = f"this node {paid}; with the device {price_text(device.device, one.prices)}"
    return [
        table,
        Content(f"{told(costs.ratio)} at this load; {pays_text(costs)}{more}"),
        *Content.styled(prices, QUIET).wrap(width),
    ]


def _spread(found: Percentiles) -> str:
    """Of costs: the dearest device is the slowest."""
    low, high = sorted((found.p10, found.p90))
    if low == high:
        return fmt.number(found.p50)
    return f"{fmt.number(found.p50, 2)} ({fmt.number(low, 2)}–{fmt.number(high, 2)})"


def _between(found: Percentiles) -> str:
    """`666 (444–1080)`"""
    likely, low, high = (fmt.number(float(f"{point:.3g}")) for point in (found.p50, found.p10, found.p90))
    return f"{likely} ({low}–{high})"
