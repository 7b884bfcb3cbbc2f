"""Built hosts whose cores have memory nodes, hardware threads and clocks."""

from collections.abc import Sequence

from msgspec.structs import replace

from advisor.view import FrequencyView, View


def noded(seen: View, *nodes: Sequence[int]) -> View:
    """With these CPUs on node 0, the next on node 1 and so on."""
    of = {cpu: number for number, cpus in enumerate(nodes) for cpu in cpus}
    return replace(seen, cores=tuple(replace(core, node=of.get(core.cpu)) for core in seen.cores))


def paired(seen: View) -> View:
    """With two hardware threads a core: CPU k and k + half, as x86 numbers them."""
    half = len(seen.cores) // 2
    pair = {core.cpu: frozenset((core.cpu % half, core.cpu % half + half)) for core in seen.cores}
    return replace(seen, cores=tuple(replace(core, siblings=pair[core.cpu]) for core in seen.cores))


def clocked(
    seen: View,
    ghz: float | None = 2.4,
    *,
    base: float | None = 2.4,
    limit: float | None = 3.9,
    events: int | None = 0,
    governor: str | None = "performance",
) -> View:
    """With every core at this mean clock; all in GHz."""
    clock = FrequencyView(
        hertz=_hertz(ghz),
        base_hertz=_hertz(base),
        limit_hertz=_hertz(limit),
        maximum_hertz=3.9e9,
        throttle_events=events,
        governor=governor,
    )
    return replace(seen, cores=tuple(replace(core, frequency=clock) for core in seen.cores))


def _hertz(ghz: float | None) -> float | None:
    return None if ghz is None else ghz * 1e9
