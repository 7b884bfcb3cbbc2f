"""How do threads of one service get in each other's way? Quantities that several rules share.

`overlap` is the share of time in which all threads of one worker's pool are on a CPU together: a parallel region only
advances then. With each thread running a share r of the time it is runnable, t independent threads overlap r^t of it;
threads of one pool that sit on the same CPU never overlap.
"""

from collections.abc import Sequence
from itertools import combinations

import msgspec

from advisor.finding import Evidence, Gain
from advisor.gpu.room import copies_on_gpus
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.rule import Settings, Threshold, evidence
from advisor.view import ThreadView, View, WorkerView
from collectors.cpulist import union

THREAD_POOLS = frozenset(
    {"openblas", "mkl", "blis", "libgomp", "libiomp", "libomp", "torch", "onnxruntime", "tensorflow"}
)
"""Libraries with a pool of compute threads sized after the cores they see."""
BINDING_VARIABLES = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
UNBOUND = frozenset({"", "false", "0", "none", "disabled", "no"})


def pool_threads(view: View) -> int:
    """Active compute threads over all serving workers."""
    return sum(len(w.active_compute) for w in view.serving)


def busy_workers(view: View, least: float = 0.1) -> tuple[WorkerView, ...]:
    """Serving workers that ran or waited at least `least` of the time."""
    return tuple(w for w in view.serving if w.runnable >= least)


def run_share(threads: Sequence[ThreadView], stopped: float = 0.0) -> float:
    """r: run / (run + waiting) over the threads; 1 where none was runnable. `stopped` of those that waited do not count."""
    run = sum(t.cores_used for t in threads)
    wait = max(0.0, sum(t.waiting_cores for t in threads) - stopped)
    return run / (run + wait) if run + wait > 0 else 1.0


def _stopped(view: View, threads: int) -> float:
    """How many of the threads waited, on average, because the quota had stopped their CPU: throttled time is counted for
    each CPU by itself, and the threads are taken to be spread evenly."""
    if view.cgroup is None or view.window_seconds <= 0 or not view.pool:
        return 0.0
    return view.cgroup.throttled_seconds / view.window_seconds * threads / len(view.pool)


def contenders(view: View) -> list[tuple[ThreadView, ...]]:
    """Per serving worker, the active threads that compute: the main thread and its pool; where the server has several
    request threads, or nobody could look inside, every active one, since any of them may be in a parallel region."""
    mixed = {w.key: w.compute_libraries is None or (w.request_threads or 1) > 1 for w in view.service.workers}
    return [w.active_threads if mixed[w.key] else w.active_compute for w in view.serving]


def collisions(active: Sequence[Sequence[ThreadView]]) -> float:
    """q: how often two computing threads of one worker are on the same CPU, from the CPUs their busy seconds ended on."""
    shares = []
    for threads in active:
        for one, other in combinations(threads, 2):
            shares.append(sum(part * other.cpus_seen.get(cpu, 0.0) for cpu, part in one.cpus_seen.items()))
    return sum(shares) / len(shares) if shares else 0.0


def untangled(view: View) -> tuple[Gain, Gain, Gain]:
    """Gain of giving each worker one thread fewer than it fights for: throughput, median and tail latency.

    Lower bound: the pool's threads overlap as if independent, and what a quota stops, it stops together. Likely: pairs that
    share a CPU never overlap. Both leave each worker the share of a core that quota and neighbours do. Upper bound: a
    region whose thread is preempted waits a whole round of the threads that compete for the core (T/C slices).
    """
    active = contenders(view)
    threads = [t for each in active for t in each]
    per_worker = max(1.0, len(threads) / max(1, sum(map(bool, active))))
    if _on_one_cpu(active):
        return _untangled_on_one_cpu(per_worker)
    share = run_share(threads)
    crowd = max(1.0, len(threads) / max(1.0, view.pool_cores))
    overlap = max(0.02, share**per_worker)
    apart = max(0.02, overlap * (1 - min(0.9, collisions(active))))
    apart_from_quota = max(overlap, run_share(threads, _stopped(view, len(threads))) ** per_worker)
    runs = min(1.0, view.effective_cores / max(1, sum(map(bool, active))))
    alone = 1 / (per_worker * apart)
    low = max(1.05, 0.8 * runs / (per_worker * apart_from_quota))
    likely = max(low, runs * alone)
    ratio = throughput(low, likely, max(likely, alone) * (1 + crowd))
    middle = gain("latency_p50_ratio", 0.8 / ratio.p90, 1 / ratio.p50, 1.1 / ratio.p10)
    tail = gain("latency_p99_ratio", 1 / (ratio.p90 * crowd * crowd), 1 / (ratio.p50 * crowd), 0.9 / ratio.p10)
    return ratio, middle, tail


def _on_one_cpu(active: Sequence[Sequence[ThreadView]]) -> bool:
    """Whether the mask of each worker's threads holds one CPU: they then compute one after the other, and none waits at a
    barrier while it keeps a CPU of its own from another."""
    masks = [t.allowed for threads in active for t in threads]
    return bool(masks) and all(mask is not None and len(mask) == 1 for mask in masks)


def _untangled_on_one_cpu(per_worker: float) -> tuple[Gain, Gain, Gain]:
    """What threads of one pool that share a CPU lose is what they spin until they give it up: nothing at least, for each as
    long as another computes at most. Measured with two threads: 0.9 to 1.7 times, on a busy machine."""
    ratio = throughput(0.95, per_worker**0.5, per_worker)
    return ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.2)


def copies_that_fit(view: View, *, inside: bool = False) -> int:
    """How many more copies of the largest worker fit into the free memory, of the service's devices too, with a tenth of it
    kept. `inside`: copies of the model in the processes that are there."""
    on_gpus = copies_on_gpus(view, inside=inside)
    sizes = [w.resident_bytes for w in view.serving if w.resident_bytes]
    free = view.memory_available_bytes
    limit = view.cgroup.memory_limit_bytes if view.cgroup else None
    current = view.cgroup.memory_current_bytes if view.cgroup else None
    if limit is not None and current is not None:
        free = min(free if free is not None else limit, limit - current)
    if not sizes or free is None:
        return on_gpus
    return max(0, min(int(0.9 * free // max(sizes)), on_gpus))


def strict_masks(view: View) -> dict[int, frozenset[int]]:
    """Masks of serving workers' active compute threads that allow less than the pool, by pid: the union per worker."""
    masks = {}
    for worker in busy_workers(view):
        allowed = [t.allowed for t in worker.active_compute if t.allowed is not None]
        mask = union(allowed) & view.pool
        if mask and mask < view.pool:
            masks[worker.key.pid] = mask
    return masks


def shared_cpus(masks: dict[int, frozenset[int]]) -> frozenset[int]:
    """CPUs that the masks of at least two workers hold."""
    return frozenset(cpu for a, b in combinations(masks.values(), 2) for cpu in a & b)


class PileUp(msgspec.Struct, frozen=True):
    """Workers bound to the same CPUs beside idle ones: masks by pid, CPUs in more than one, CPUs in any, idle cores."""

    masks: dict[int, frozenset[int]]
    shared: frozenset[int]
    covered: frozenset[int]
    idle: float


PILE_UP_THRESHOLDS = {
    "idle_outside_cores": Threshold(enter=0.8, leave=0.5, unit="cores", doc="idle cores of the pool in no mask"),
    "delay_share": Threshold(enter=0.3, leave=0.2, unit="ratio", doc="run-queue delay / (run + delay)"),
    "waiting_cores": Threshold(enter=0.3, leave=0.15, unit="cores", doc="threads that wait for a CPU, on average"),
}


def pile_up(view: View, settings: Settings) -> PileUp | None:
    """Whether several workers wait on CPUs that they share by mask while others of their pool idle."""
    masks = strict_masks(view)
    shared = shared_cpus(masks)
    if len(masks) < 2 or not shared:
        return None
    covered = frozenset().union(*masks.values())
    idle = view.idle_outside(covered)
    if idle < settings.limit("idle_outside_cores") or view.delay_share < settings.limit("delay_share"):
        return None
    if view.waiting_cores < settings.limit("waiting_cores"):
        return None
    return PileUp(masks, shared, covered, idle)


def pile_up_evidence(view: View, found: PileUp, settings: Settings) -> tuple[Evidence, ...]:
    return (
        evidence(view, "shared_cpus", "cpus", len(found.shared), 0),
        evidence(view, "idle_outside_cores", "cores", found.idle, settings.enter("idle_outside_cores")),
        evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
        evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
        evidence(view, "cores_used", "cores", view.cores_used),
    )


def spread(view: View, least: float) -> Gain:
    """Throughput when the runnable threads may use `least`..all of the pool: bounded by what is runnable and what is free."""
    used = max(0.05, view.cores_used)
    free = max(used, len(view.pool) - view.others(view.pool))
    wanted = max(used, view.runnable)
    high = min(free, max(wanted, float(pool_threads(view)))) / used
    low = min(free, wanted) / used
    return throughput(max(1.0, low * least), max(1.0, 0.93 * (low + high) / 2), max(1.0, high))
