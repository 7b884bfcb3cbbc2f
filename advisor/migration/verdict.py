"""Is moving worth it? The verdict on one device, what speaks for it, and what would turn it."""

from advisor.migration.fit import Fit
from advisor.migration.result import Costs, Situation, Verdict
from advisor.migration.simulate import Simulated
from advisor.migration.spread import Percentiles

LEAST_SPEEDUP = 1.5
"""p10 of the throughput from which on moving is worth a thought."""
LEAST_PART = 0.6
CHEAPER = 0.9
TINY_OPERATIONS = 1e8
"""Of a request: a device would wait for the host nearly all the time."""

FIXED_FIRST = ("event-loop-blocked", "gil-convoy", "memory-pressure", "swap-or-major-faults", "evidence-invalid")
"""What is mended on the CPUs first, beside all that recovers waiting, cores or work there (`Rule.of_model`)."""

Told = tuple[Verdict, tuple[str, ...], tuple[str, ...]]


def verdict_of(
    now: Situation, simulated: Simulated | None, placed: Fit, smaller: tuple[str, ...], costs: Costs | None, unpriced: str,
) -> Told:  # fmt: skip
    """`smaller`: forms of the weights in which it would fit; `unpriced`: what is wanted where there are no `costs`."""
    if placed.verdict in ("split", "no room"):
        reason = f"it needs {placed.need / 1e9:.1f} GB of {placed.free / 1e9:.1f} GB that are free"
        if placed.on_device is not None:
            reason += (
                f": {placed.on_device} of {placed.layers} layers go in, and what stays on the host decides the speed"
            )
        return "does not fit", (reason,), (*smaller, "a device with more memory")
    against = [*_of_the_model(now), *_of_the_speed(now, simulated)]
    if against or simulated is None:
        return "not worth it", tuple(reason for reason, _ in against), tuple(flip for _, flip in against if flip)
    return _worth(now, simulated, costs, unpriced)


def _of_the_model(now: Situation) -> list[tuple[str, str]]:
    """Reasons in the kind of work, with what would turn each."""
    work = now.work
    match work.family:
        case "trees":
            reason = "decision trees: a device does not speed up requests of a few rows"
            flip = "1000 rows or more a request; on the CPU first: a compiled forest (treelite, ONNX Runtime)"
            return [(reason, flip)]
        case "linear":
            return [("a linear or kernel model: there is next to nothing to compute", "another model")]
    if work.flops.high < TINY_OPERATIONS:
        reason = f"{work.flops.high:.1e} operations a request at most: a device would wait for the host"
        return [(reason, "larger inputs or batches")]
    return []


def _of_the_speed(now: Situation, simulated: Simulated | None) -> list[tuple[str, str]]:
    part, found = now.work.part, []
    if part.share.mode < LEAST_PART:
        reason = (
            f"{part.share.mode:.0%} of its CPU time could move (limit {LEAST_PART:.0%}): ×{part.ceiling:.1f} at best"
        )
        found.append((reason, "less time outside the model: parsing, preparation, Python"))
    if simulated is None:
        found.append((f"the device does not compute in {now.precision or '16 bits'}", "another device"))
    elif simulated.throughput.p10 < LEAST_SPEEDUP:
        ratio = simulated.throughput
        reason = f"throughput ×{ratio.p10:.2f} to ×{ratio.p90:.2f} against these CPUs set right; the {simulated.binding} binds"
        found.append((reason, ""))
    return found


def _worth(now: Situation, simulated: Simulated, costs: Costs | None, unpriced: str) -> Told:
    """Of what is faster by enough: whether anybody needs it, or it is cheaper."""
    faster = f"throughput ×{simulated.throughput.p10:.1f} to ×{simulated.throughput.p90:.1f}"
    seen, slo = now.latency_seconds, now.slo_p99_seconds
    there = None if simulated.at_load is None else simulated.at_load.p99_seconds
    late = slo is not None and there is not None and there.p90 > slo
    if slo is not None and seen is not None and seen > slo and there is not None and not late:
        missed = f"{seen * 1e3:.0f} ms miss the {slo * 1e3:.0f} ms that are wanted"
        reason = f"{faster}; {missed}, there {_of_most(there)}"
        if costs is not None and costs.ratio.p50 > 1:
            reason += f"; it costs ×{costs.ratio.p50:.2f}: latency is all that is bought"
        return "candidate", (reason,), _where_it_is_met(now, slo, costs)
    if slo is None or there is None or not late:
        return _of_the_cost(now, faster, costs, unpriced)
    return _of_the_cost_where_late(now, faster, there, slo, costs, unpriced)


def _of_the_cost(now: Situation, faster: str, costs: Costs | None, unpriced: str) -> Told:
    if costs is None:
        return (
            "possible",
            (faster,),
            (f"an objective that is missed (slo_p99), or {unpriced}",),
        )
    rate = now.work.per_second
    if costs.ratio.p50 <= CHEAPER:
        cheaper = f"cost ×{costs.ratio.p10:.2f} to ×{costs.ratio.p90:.2f} at {rate:.3g} requests a second"
        return "candidate", (f"{faster}; {cheaper}",), _at_which_load(now, costs)
    return (
        "not worth it",
        (f"at {rate:.3g} requests a second it costs ×{costs.ratio.p50:.2f}",),
        _at_which_load(now, costs),
    )


def _of_the_cost_where_late(
    now: Situation, faster: str, there: Percentiles, slo: float, costs: Costs | None, unpriced: str
) -> Told:
    """Nobody moves to where an objective is missed that is met here, or is missed by more."""
    late = f"there {_of_most(there)} at this load, {slo * 1e3:.3g} ms are wanted"
    wider = f"an objective of {there.p90 * 1e3:.3g} ms or more"
    seen = now.latency_seconds
    if seen is None or seen <= slo or there.p90 > seen:
        return "not worth it", (late,), (wider,)
    verdict, reasons, flips = _of_the_cost(now, faster, costs, unpriced)
    if costs is None:
        flips = (f"prices that speak for it ({unpriced})",)
    return verdict, (*reasons, late), (wider, *flips)


def _of_most(seconds: Percentiles) -> str:
    return f"99 of 100 take {seconds.p10 * 1e3:.3g} to {seconds.p90 * 1e3:.3g} ms"


def _where_it_is_met(now: Situation, slo: float, costs: Costs | None) -> tuple[str, ...]:
    """Under which circumstances the objective would be met on these CPUs."""
    alone, even = now.work.wall_seconds, None if costs is None else costs.break_even_per_second
    if alone > slo:
        return (f"an objective of {alone * 1e3:.0f} ms or more: so long takes a request that does not queue",)
    if even is None or now.work.per_second < even.p50:
        return (f"requests that do not queue: alone one takes {alone * 1e3:.0f} ms",)
    return _at_which_load(now, costs)


def _at_which_load(now: Situation, costs: Costs | None) -> tuple[str, ...]:
    if costs is None:
        return ()
    even = costs.break_even_per_second
    if even is None:
        return ("at no load is the device cheaper at these prices",)
    side = "below" if now.work.per_second >= even.p50 else "above"
    return (f"{side} {even.p50:.3g} requests a second ({even.p10:.3g} to {even.p90:.3g}), or other prices",)
