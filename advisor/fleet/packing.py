"""On how few nodes would services fit? A hint, never more: what pins them where they are is not seen.

Peaks of nodes are added up as if they came at the same moment, and the least that the evidence for a replica's capacity
allows is counted, so that both errors are on the side of too many nodes. Services on GPUs are left out.
"""

from collections.abc import Iterator
from math import ceil

from advisor.finding import Severity
from advisor.fleet.figures import Figures
from advisor.fleet.items import MOST_NODES, FleetInconclusive, FleetItem, Number, Told, named

FILLED = 0.7
"""Of what they can do, at peak."""
LEAST_LEFT = 2
"""Replicas, so that one may be lost."""
LEAST_SAVED = 0.25
"""Of the nodes; less is not worth a word."""
LIMITS = (
    "peaks are added up as if they came together; growth, and what is reserved for failures of zones, is not known",
    "affinity, licences, data that lies on a node and the network are not seen",
)


def packing(figures: Figures) -> Iterator[Told]:
    needed: dict[str, int] = {}
    for service in figures.all_services:
        nodes = figures.seen(service)
        if len(nodes) <= LEAST_LEFT or any(figures.of("gpu_contexts", service).values()):
            needed[service] = len(nodes)
            continue
        low, peak = figures.of("capacity_low", service), figures.of("requests_peak", service)
        without = [node for node in nodes if node not in low or node not in peak]
        sources = figures.promql("capacity_low", "requests_peak")
        if without or not all(low.values()):
            needs = f"capacity and rate on each of {len(nodes)} nodes; {len(without)} tell none ({named(without)})"
            yield FleetInconclusive(kind="packing", service=service, needs=needs, promql=sources)
            needed[service] = len(nodes)
            continue
        load = sum(peak.values())
        needed[service] = enough = min(len(nodes), _enough(sorted(low.values()), load))
        if len(nodes) - enough >= max(1.0, LEAST_SAVED * len(nodes)):
            yield _fewer(figures, service, list(nodes), enough, load, sum(low.values()))
    yield from _together(figures, needed)


def _enough(capacities: list[float], load: float) -> int:
    """How many replicas carry the load, those that can do least first, and the largest of them lost."""
    held = 0.0
    for count, capacity in enumerate(capacities, 1):
        held += capacity
        if count >= LEAST_LEFT and load <= FILLED * held and load <= held - capacity:
            return count
    return len(capacities)


def _fewer(figures: Figures, service: str, nodes: list[str], enough: int, load: float, able: float) -> FleetItem:
    return FleetItem(
        kind="packing",
        severity=Severity.INFO,
        service=service,
        title=f"{enough} of its {len(nodes)} nodes would carry its peak at {100 * FILLED:.0f} %",
        summary=f"peak {load:.4g} requests/s; at least {able:.4g} requests/s can be answered",
        nodes=tuple(nodes[:MOST_NODES]),
        node_count=len(nodes),
        numbers=(
            Number(name="peak of requests (sum of nodes' 95 % points)", unit="per second", value=load),
            Number(name="least capacity", unit="per second", value=able),
            Number(name="nodes that would do", unit="nodes", value=enough),
        ),
        promql=figures.promql("capacity_low", "requests_peak"),
        limits=LIMITS if figures.asking.since_seconds >= 86400 else (*LIMITS, "a peak of less than a day: use --since 24h"),
    )  # fmt: skip


def _together(figures: Figures, needed: dict[str, int]) -> Iterator[Told]:
    """The least number of nodes for everything: by cores, by memory, and by the service that needs most of them."""
    hosts = sorted({node for service in figures.all_services for node in figures.seen(service)})
    on_gpu = [s for s in figures.all_services if any(figures.of("gpu_contexts", s).values())]
    sources = figures.promql("used_cores_peak", "cores", "resident_peak", "memory")
    cores, memory = figures.nodes["cores"], figures.nodes["memory"]
    if len(hosts) < 2 or on_gpu:
        return
    if any(not cores.get(node) or not memory.get(node) for node in hosts):
        without = [node for node in hosts if not cores.get(node) or not memory.get(node)]
        needs = f"cores and memory of {len(without)} nodes ({named(without)})"
        yield FleetInconclusive(kind="packing", service=None, needs=needs, promql=sources)
        return
    used = sum(sum(figures.of("used_cores_peak", service).values()) for service in figures.all_services)
    held = sum(sum(figures.of("resident_peak", service).values()) for service in figures.all_services)
    by_cores = _least_nodes([cores[node] for node in hosts], used)
    by_memory = _least_nodes([memory[node] for node in hosts], held)
    enough = max(by_cores, by_memory, max(needed.values(), default=0))
    if len(hosts) - enough < max(1.0, LEAST_SAVED * len(hosts)):
        return
    yield FleetItem(
        kind="packing",
        severity=Severity.INFO,
        service=None,
        title=f"all services together need at least {enough} of {len(hosts)} nodes",
        summary=f"{used:.4g} of {sum(cores[n] for n in hosts):.4g} cores used at peak ({by_cores} nodes filled to 70 %), "
        f"{held / 2**30:.4g} of {sum(memory[n] for n in hosts) / 2**30:.4g} GiB held ({by_memory} nodes); no service "
        f"twice on a node ({max(needed.values(), default=0)})",
        nodes=tuple(hosts[:MOST_NODES]),
        node_count=len(hosts),
        numbers=(
            Number(name="cores used at peak", unit="cores", value=used),
            Number(name="memory held at most", unit="bytes", value=held),
            Number(name="nodes at least", unit="nodes", value=enough),
        ),
        promql=sources,
        limits=("a lower bound: an arrangement on so many nodes may not exist", *LIMITS),
    )


def _least_nodes(sizes: list[float], wanted: float) -> int:
    """The largest first, each filled to 70 %."""
    held = 0.0
    for count, size in enumerate(sorted(sizes, reverse=True), 1):
        held += FILLED * size
        if held >= wanted:
            return count
    return max(1, ceil(wanted / (FILLED * sum(sizes) / len(sizes)))) if sum(sizes) else len(sizes)
