"""On which memory nodes and on which physical cores did a service's threads run?"""

from advisor.contention import contenders
from advisor.view import CoreView, View, WorkerView

IDLE = 0.8
"""A CPU that is idle for more than this share is left alone by everybody."""


def permitted(view: View) -> frozenset[int]:
    """CPUs to which the workers can surely be bound: those of the cpuset; where it could not be read, those of their masks."""
    if view.cgroup is not None and view.cgroup.cpus is not None:
        return view.pool
    return view.mask if any(w.allowed is not None for w in view.serving) else frozenset()


def nodes_of(view: View, cpus: frozenset[int]) -> dict[int, frozenset[int]]:
    """These CPUs by memory node; those of which the node is not known are left out."""
    found: dict[int, set[int]] = {}
    for core in view.cores:
        if core.cpu in cpus and core.node is not None:
            found.setdefault(core.node, set()).add(core.cpu)
    return {node: frozenset(own) for node, own in found.items()}


def used_by_node(worker: WorkerView, nodes: dict[int, frozenset[int]]) -> dict[int, float]:
    """Cores that a worker used on each node, as far as it was seen where."""
    of = {cpu: node for node, cpus in nodes.items() for cpu in cpus}
    used = dict.fromkeys(nodes, 0.0)
    for thread in worker.threads:
        for cpu, share in thread.cpus_seen.items():
            if cpu in of:
                used[of[cpu]] += share * thread.cores_used
    return used


def physical_cores(view: View) -> list[tuple[CoreView, ...]]:
    """The CPUs to which workers can be bound, those of one core together. Empty where it is not known which share a core."""
    cpus = permitted(view)
    if any(not core.siblings for core in view.cores):
        return []
    found: dict[frozenset[int], list[CoreView]] = {}
    for core in view.cores:
        if core.cpu in cpus:
            found.setdefault(core.siblings, []).append(core)
    return [tuple(group) for group in found.values()]


def idle_cores(view: View) -> list[tuple[CoreView, ...]]:
    """Those physical cores on which nobody runs, on none of their hardware threads."""
    of = {core.cpu: core for core in view.cores}
    return [cpus for cpus in physical_cores(view) if all(of[cpu].idle > IDLE for cpu in cpus[0].siblings if cpu in of)]


def wanted_at_peak(view: View) -> float:
    """Threads that were runnable at once in the busiest second that is remembered, with as many for each busy worker as now,
    and no fewer than are runnable now: what CPUs have to be left for."""
    peaks = [v for kept in (view.trend.minutes, view.trend.slices) for v in kept.values("demand_peak")]
    busy = sum(view.demand) / len(view.demand) if view.demand else 0.0
    each = max(1.0, view.runnable / busy) if busy > 0 else 1.0
    return max(view.runnable, each * max(peaks, default=0.0))


def computed_on(view: View) -> dict[int, float]:
    """Cores that the service's computing threads used on each CPU."""
    used: dict[int, float] = {}
    for threads in contenders(view):
        for thread in threads:
            for cpu, share in thread.cpus_seen.items():
                used[cpu] = used.get(cpu, 0.0) + share * thread.cores_used
    return used
