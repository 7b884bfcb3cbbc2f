"""Do workers run on CPUs of several memory nodes, so that part of their memory is far away?"""

import msgspec

from advisor.contention import busy_workers, pool_threads
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.placement import nodes_of, permitted, used_by_node, wanted_at_peak
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View, WorkerView
from collectors.cpulist import format_cpulist
from collectors.levers import Lever

SETTLING_SECONDS = 60.0
"""The kernel moves pages and threads together by itself in the first minutes; what lasts longer than this stays."""
ON_ONE_NODE = 0.95


class AffinityCrossNuma(Rule):
    """Workers that would fit on one memory node spend their CPU time on several.

    What it looks for: the share of the workers' CPU time on other memory nodes than the one on which each ran most, while
    the CPUs of one node would be enough for it.
    Why it matters: memory lies on the node of the thread that touched it first. A thread on another node reads it over the
    link between the sockets, at worst at half the speed, and shares that link with everybody.
    What to do: start the service with CPUs and memory of one node, or one server per node where one node is not enough.
    When it is wrong: for a worker with more threads or more memory than one node has, which is spread on purpose; on nodes
    that share one memory controller (sub-NUMA clusters), where the way is short; for work that stays in the caches. Where
    memory really lies only the worker's numa_maps tell: the gain starts at none for that reason.
    """

    proven = ("built",)
    recovers = "work"
    yields_to = (
        "gpu-remote-numa",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
    )
    thresholds = {
        "away_share": Threshold(
            enter=0.2, leave=0.12, unit="ratio", doc="CPU time on other nodes than each worker's main one"
        ),
        "cores_used": Threshold(enter=0.5, leave=0.3, unit="cores", doc="least CPU time for which the way matters"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        nodes = nodes_of(view, permitted(view))
        if len(nodes) < 2 or view.cores_used < settings.limit("cores_used"):
            return None
        spread = _spread(view, nodes)
        if spread is None:
            return None
        if spread.away_share < settings.limit("away_share"):
            return _loaded_elsewhere(view, nodes)
        home = _home(view, nodes)
        if home is None and len(spread.workers) < 2:
            return None
        return Conclusion(
            subject=subject_of(view),
            title=self._title(view, spread, nodes, home),
            summary=f"{len(spread.workers)} worker{'s' if len(spread.workers) > 1 else ''} of {len(view.serving)} ran on "
            f"CPUs of {len(nodes)} memory nodes: {spread.away_share:.0%} of the CPU time was away from the node on which "
            f"each ran most. {self._advice(view, spread, nodes, home)}",
            confidence=0.5,
            evidence=(
                evidence(view, "away_share", "ratio", spread.away_share, settings.enter("away_share")),
                evidence(view, "cores_used", "cores", view.cores_used, settings.enter("cores_used")),
                evidence(view, "memory_nodes", "nodes", len(nodes), 1),
                evidence(view, "spanning_workers", "workers", len(spread.workers), 0),
                evidence(view, "runnable_threads", "threads", view.runnable),
                *asked(view),
            ),
            rejected=(
                Rejected("memory-bandwidth-bound", f"{spread.away_share:.0%} of the CPU time is away from its memory first"),
                Rejected("affinity-too-narrow", f"the mask holds {len(view.mask)} of {len(view.pool)} CPUs"),
                Rejected("cpu-oversubscribed-openmp", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
            ),
            changes=_changes(view, nodes, home),
            gains=_gains(spread.away_share),
            told_after_seconds=SETTLING_SECONDS,
        )  # fmt: skip

    @staticmethod
    def _title(view: View, spread: "Spread", nodes: dict[int, frozenset[int]], home: int | None) -> str:
        if home is None:
            return f"{len(spread.workers)} workers run across {len(nodes)} memory nodes: start one server for each node"
        return (
            f"The service runs across {len(nodes)} memory nodes and fits on one: use CPUs {format_cpulist(nodes[home])} "
            f"and the memory of node {home}"
        )

    @staticmethod
    def _advice(view: View, spread: "Spread", nodes: dict[int, frozenset[int]], home: int | None) -> str:
        if home is not None:
            free = len(nodes[home]) - view.others(nodes[home])
            left = f"Node {home} leaves {free:.1f} of {len(nodes[home])} CPUs to it"
            return f"{left}, and it wants {wanted_at_peak(view):.1f} at its peak."
        parts = "; ".join(f"node {node}: CPUs {format_cpulist(cpus)}" for node, cpus in sorted(nodes.items())[:4])
        return f"No single node has room for all of them. Bind each to the CPUs and the memory of one ({parts})."


class Spread(msgspec.Struct, frozen=True):
    """Workers that ran on several nodes, and the share of all busy workers' CPU time away from the main node of each."""

    workers: tuple[WorkerView, ...]
    away_share: float


def _spread(view: View, nodes: dict[int, frozenset[int]]) -> Spread | None:
    """None where a worker needs more than one node, or where it was not seen on which CPUs they ran."""
    largest = max(len(cpus) for cpus in nodes.values())
    memory = view.memory_total_bytes and view.memory_total_bytes / len(nodes_of(view, view.online))
    spanning, total, away = [], 0.0, 0.0
    for worker in busy_workers(view):
        used = used_by_node(worker, nodes)
        if sum(used.values()) <= 0:
            continue
        if len(worker.active_compute) > largest or (memory and (worker.resident_bytes or 0) > memory):
            return None
        rest = sum(used.values()) - max(used.values())
        total, away = total + sum(used.values()), away + rest
        if rest > (1 - ON_ONE_NODE) * sum(used.values()):
            spanning.append(worker)
    return Spread(tuple(spanning), away / total) if total > 0 else None


def _home(view: View, nodes: dict[int, frozenset[int]]) -> int | None:
    """The node on which the whole service ran most, of those with room for all of it at its peak; beside its GPUs where it
    has some."""
    near = {one.gpu.numa_node for one in view.gpus}
    used, wanted = dict.fromkeys(nodes, 0.0), wanted_at_peak(view)
    for worker in view.workers:
        for node, cores in used_by_node(worker, nodes).items():
            used[node] += cores
    fitting = [
        node
        for node, cpus in nodes.items()
        if len(cpus) >= pool_threads(view)
        and len(cpus) - view.others(cpus) >= wanted
        and (not near or near == {node})
        and cpus != view.mask
    ]
    return max(fitting, key=lambda node: (used[node], -node), default=None)


def _loaded_elsewhere(view: View, nodes: dict[int, frozenset[int]]) -> Need | None:
    """Threads that are bound to one node compute there, but the main thread, which loads a model, was on another: whether
    the model's memory is there too, only its maps tell."""
    of = {cpu: node for node, cpus in nodes.items() for cpu in cpus}
    for worker in busy_workers(view):
        main = next((t for t in worker.threads if t.thread_class == "main"), None)
        pool = [t for t in worker.active_compute if t is not main]
        if main is None or main.active or main.last_cpu not in of or not pool:
            continue
        bound = [cpus for cpus in nodes.values() if all(t.allowed is not None and t.allowed <= cpus for t in pool)]
        if bound and main.last_cpu not in bound[0]:
            pid, there = worker.key.pid, of[main.last_cpu]
            return Need(
                kind="privilege",
                text=f"where the memory of pid {pid} lies (numastat -p {pid}, as its user or with CAP_SYS_PTRACE): its "
                f"threads are bound to CPUs {format_cpulist(bound[0])}, its main thread was on node {there}",
            )
    return None


def _changes(view: View, nodes: dict[int, frozenset[int]], home: int | None) -> tuple[Change, ...]:
    """Memory is bound only where the node surely has it: what is bound and does not fit is killed."""
    if home is None:
        return ()
    mask = Change(lever=Lever.AFFINITY, current=format_cpulist(view.mask), proposed=format_cpulist(nodes[home]))
    held, available = view.resident_bytes, view.memory_available_bytes
    roomy = held is not None and available is not None and 2 * held <= available / len(nodes_of(view, view.online))
    return (mask, Change(lever=Lever.NUMA_POLICY, current=None, proposed=str(home))) if roomy else (mask,)


def _gains(away: float) -> tuple[Gain, ...]:
    """A far access takes twice the time at worst: nothing at least (the caches hide it), half as likely, all at most."""
    ratio = throughput(1.0, 1 + away / 2, 1 + away)
    return (ratio, latency_p50_of(ratio, slack=0.05), gain("latency_p99_ratio", 0.95 / ratio.p90, 1 / ratio.p50, 1.05))
