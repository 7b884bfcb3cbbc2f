"""Does the service's CPU mask leave out cores that stand idle while its threads wait?"""

from advisor.contention import pool_threads, spread
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, if_known, subject_of
from advisor.view import View
from collectors.cpulist import format_cpulist
from collectors.levers import Lever

LOCK_HELD = 0.7
"""Share of the time for which some thread holds the interpreter's lock from where on its threads run one at a time."""
_LOCKED = "The lock of the interpreter lets one thread of each worker run at a time: alone, the mask brings little."


class AffinityTooNarrow(Rule):
    """All workers inherit one mask that is too small for their runnable threads, beside idle cores.

    What it looks for: more runnable threads than the mask has CPUs, threads waiting for a CPU, and at least most of a core
    idle outside the mask but inside the service's cpuset.
    Why it matters: the kernel cannot move the waiting threads to the idle cores, so that capacity is paid for and unused.
    What to do: widen the mask to the cpuset, in the place where it was set.
    When it is wrong: where the mask isolates the service on purpose (acknowledge the finding then), or where other masks
    differ per worker, which is a collision of pins and not a narrow mask. Where the interpreter's lock lets one thread of
    each worker run at a time, a wider mask alone brings little: it makes room for more processes.
    """

    proven = ("live", "built")
    recovers = "cores"
    after = ("cpu-oversubscribed-openmp", "thread-default-ignores-quota")
    thresholds = {
        "idle_outside_cores": Threshold(
            enter=0.8, leave=0.5, unit="cores", doc="idle cores of the pool outside the mask"
        ),
        "delay_share": Threshold(enter=0.3, leave=0.2, unit="ratio", doc="run-queue delay / (run + delay)"),
        "waiting_cores": Threshold(enter=0.3, leave=0.15, unit="cores", doc="threads that wait for a CPU, on average"),
        "throttled_ratio": Threshold(enter=0.25, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        mask, pool = view.mask, view.pool
        if not mask < pool or any(w.allowed is None for w in view.serving):
            return None
        if any((w.allowed or mask) & pool != mask for w in view.serving if w.runnable >= 0.1):
            return None  # masks differ per worker
        idle = view.idle_outside(mask)
        if idle < settings.limit("idle_outside_cores") or view.runnable < 1.1 * len(mask):
            return None
        if view.delay_share < settings.limit("delay_share") or view.waiting_cores < settings.limit("waiting_cores"):
            return None
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        foreign = view.others(mask)
        if throttled > settings.limit("throttled_ratio"):
            return None
        front = view.front_end
        if front and front.allowed is not None and front.key not in {w.key for w in view.serving}:
            inherited = front.allowed & pool == mask
            if not inherited and len(view.serving) > 1:
                return None
        locked = _locked(view, facts)
        ratio = spread(view, 0.88) if locked is None else _one_at_a_time(locked)
        return Conclusion(
            subject=subject_of(view),
            title=f"the mask {format_cpulist(mask)} holds {len(mask)} of {len(pool)} CPUs while {idle:.1f} cores idle: "
            f"allow {format_cpulist(pool)}",
            summary=f"{view.runnable:.1f} threads were runnable on {len(mask)} allowed CPU{'s' if len(mask) > 1 else ''}; "
            f"{view.waiting_cores:.1f} of them waited while {idle:.1f} cores outside the mask did nothing."
            + ("" if locked is None else f" {_LOCKED}"),
            confidence=0.88,
            evidence=(
                evidence(view, "allowed_cpus", "cpus", len(mask), len(pool)),
                evidence(view, "idle_outside_cores", "cores", idle, settings.enter("idle_outside_cores")),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                evidence(view, "run_delay_share", "ratio", view.delay_share, settings.enter("delay_share")),
                evidence(view, "runnable_threads", "threads", view.runnable, 1.1 * len(mask)),
                evidence(view, "cores_used", "cores", view.cores_used),
                *if_known(view, "gil_held_share", "ratio", locked),
            ),
            rejected=(
                Rejected(
                    "cpu-oversubscribed-openmp", f"{pool_threads(view)} active compute threads for {len(pool)} cores"
                ),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
                Rejected("cpu-noisy-neighbour", f"others use {foreign:.2f} cores inside the mask"),
                Rejected("affinity-overlapping-pins", "all workers have the mask of their parent"),
            ),
            changes=(Change(lever=Lever.AFFINITY, current=format_cpulist(mask), proposed=format_cpulist(pool)),),
            gains=(ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.8 / ratio.p90, 1.1 / ratio.p50, 1.0)),
        )


def _locked(view: View, facts: ServiceFacts) -> float | None:
    """How long the lock is held in the worker that holds it least, where there are no more busy workers than cores used and
    all of several threads were seen to hold it nearly always; else None: processes spread, whatever their locks."""
    busy = {w.key: w for w in view.serving if w.runnable >= 0.1}
    if min(len(view.pool), len(busy)) > 1.2 * view.cores_used or any(len(w.active_threads) < 2 for w in busy.values()):
        return None
    seen = profile_of(facts, "whether its threads run one at a time", "gil")
    if not isinstance(seen, ProfileView):
        return None
    held = [w.gil_held.value - w.gil_held.error for w in seen.workers if w.key in busy and w.gil_held is not None]
    return min(held) if held and min(held) >= LOCK_HELD else None


def _one_at_a_time(held: float) -> Gain:
    """None of it, or all that is done without the lock beside what needs it."""
    return throughput(1.0, 1 / held, 1 / held**2)
