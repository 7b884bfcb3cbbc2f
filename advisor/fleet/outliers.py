"""Which nodes serve the same thing otherwise than their peers do?

Median and median absolute deviation, which up to half of the nodes cannot move. How far is too far grows with the number of
comparisons, so that a large healthy fleet has no outliers by chance; and it has to matter: a quarter off the median at least.
"""

from collections.abc import Iterator, Mapping
from statistics import NormalDist, median

from advisor.finding import Severity
from advisor.fleet.figures import Figures
from advisor.fleet.items import MOST_NODES, FleetInconclusive, FleetItem, Number, Told, named

LEAST_REPLICAS = 5
"""With fewer a median says little: of three nodes any one may be the odd one."""
LEAST_DISTANCE = 3.5
LEAST_PART = 0.25
CHANCE = 0.01
"""That a fleet of alike nodes has one outlier by chance."""
_SCALE = 1.4826
"""MAD to standard deviation, of normal values."""
_FLOOR = 0.05
"""Spread is taken for at least this part of the median: equal values have none."""
_MANY = 0.2
"""More nodes than this part are no outliers but another kind of node."""
LEAST_RATE = 0.1
"""Requests a second below which a request's cost is not told."""
COMPARED = {
    "p99 latency": ("seconds", ("latency_p99",), Severity.LOW),
    "CPU time of a request": ("core-seconds", ("used_cores", "requests"), Severity.LOW),
    "waiting share": ("ratio", ("waiting_cores", "used_cores"), Severity.LOW),
    "requests": ("per second", ("requests",), Severity.INFO),
    "resident memory": ("bytes", ("resident_peak",), Severity.INFO),
}


def outliers(figures: Figures) -> Iterator[Told]:
    compared = {service: _compared(figures, service) for service in figures.all_services}
    count = sum(len(values) for each in compared.values() for values in each.values())
    limit = max(LEAST_DISTANCE, NormalDist().inv_cdf(1 - CHANCE / (2 * max(1, count))))
    for service, each in compared.items():
        seen = figures.seen(service)
        if len(seen) < LEAST_REPLICAS:
            present = len(figures.services["samples"].get(service, {}))
            if present > 1:
                needs = f"{LEAST_REPLICAS} nodes with enough samples to compare; it has {len(seen)} of {present}"
                yield FleetInconclusive(kind="outlier", service=service, needs=needs, promql=figures.promql("samples"))
            continue
        for what, values in each.items():
            if len(values) >= LEAST_REPLICAS:
                yield from _of(figures, service, what, values, limit)


def _compared(figures: Figures, service: str) -> dict[str, dict[str, float]]:
    requests, used = figures.of("requests", service), figures.of("used_cores", service)
    busy = {node: rate for node, rate in requests.items() if rate >= LEAST_RATE}
    waiting = figures.of("waiting_cores", service)
    return {
        "p99 latency": {node: value for node, value in figures.of("latency_p99", service).items() if node in busy},
        "CPU time of a request": {node: used[node] / rate for node, rate in busy.items() if node in used},
        "waiting share": {n: w / (w + used[n]) for n, w in waiting.items() if used.get(n, 0.0) >= 0.1},
        "requests": requests,
        "resident memory": figures.of("resident_peak", service),
    }


def _of(figures: Figures, service: str, what: str, values: Mapping[str, float], limit: float) -> Iterator[FleetItem]:
    middle = median(values.values())
    spread = max(_SCALE * median(abs(value - middle) for value in values.values()), _FLOOR * abs(middle))
    least = max(LEAST_PART * abs(middle), 0.1 if what == "waiting share" else 0.0)
    far = {n: v for n, v in values.items() if abs(v - middle) > max(limit * spread, least)}
    if not far:
        return
    unit, sources, severity = COMPARED[what]
    nodes = sorted(far, key=lambda node: -abs(far[node] - middle))
    many = len(far) > _MANY * len(values)
    above = sum(value > middle for value in far.values())
    worse = above and not many
    direction = "above" if above == len(far) else "below" if not above else "off"
    yield FleetItem(
        kind="outlier",
        severity=severity if worse else Severity.INFO,
        service=service,
        title=f"{what} of {len(far)} of {len(values)} nodes is {direction} the others'",
        summary=f"median {middle:.4g} {unit} over {len(values)} nodes; {named(nodes)}: "
        + ", ".join(f"{far[node]:.4g}" for node in nodes[:3])
        + ("; so many differ that these are rather two kinds of nodes or loads" if many else ""),
        nodes=tuple(nodes[:MOST_NODES]),
        node_count=len(nodes),
        numbers=(
            Number(name="median", unit=unit, value=middle),
            Number(name="spread (1.48 MAD)", unit=unit, value=spread),
            Number(name="distance from which on it counts", unit="spreads", value=limit),
            *(Number(name=what, unit=unit, value=far[node], node=node) for node in nodes[:MOST_NODES]),
        ),
        promql=figures.promql(*sources),
        limits=_other_hardware(figures, values, nodes),
    )


def _other_hardware(figures: Figures, values: Mapping[str, float], nodes: list[str]) -> tuple[str, ...]:
    """Whether the odd nodes have other cores than the rest."""
    cores = figures.nodes["cores"]
    known = [cores[node] for node in values if node in cores]
    if not known:
        return ("the nodes' cores are not known: they may be other machines",)
    usual = median(known)
    other = [node for node in nodes if node in cores and cores[node] != usual]
    if not other:
        return ()
    return (f"{named(other)}: {cores[other[0]]:g} cores, where the others have {usual:g}",)
