"""Are several workers pinned to the same CPUs while others of their pool are in no worker's mask?"""

from advisor.contention import (
    BINDING_VARIABLES,
    PILE_UP_THRESHOLDS,
    UNBOUND,
    busy_workers,
    pile_up,
    pile_up_evidence,
    spread,
)
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Rejected
from advisor.intervals import latency_p50_of
from advisor.rule import Rule, Settings, Verdict, subject_of
from advisor.view import View, WorkerView
from collectors.cpulist import format_cpulist
from collectors.levers import Lever


class AffinityOverlappingPins(Rule):
    """Workers were given masks of their own, and the masks overlap while other CPUs are left out.

    What it looks for: at least two busy workers whose masks are narrower than the pool, differ from their parent's, and
    share a CPU, while CPUs of the pool in no mask stand idle and the workers wait.
    Why it matters: each shared CPU is divided among its workers; the CPUs left out serve nobody.
    What to do: disjoint ranges, worker k on its own cores, or no pinning at all.
    When it is wrong: where all workers inherited one narrow mask from their parent (that is a narrow mask), or where an
    OpenMP runtime bound its threads (that is colliding thread pins).
    """

    proven = ("live", "built")
    recovers = "cores"
    after = ("cpu-oversubscribed-openmp", "thread-default-ignores-quota")
    thresholds = PILE_UP_THRESHOLDS

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        found = pile_up(view, settings)
        if found is None:
            return None
        masks, shared, covered, idle = found.masks, found.shared, found.covered, found.idle
        if not _own_masks(view, masks) or _bound_by_runtime(view, facts):
            return None
        proposed = disjoint(view, len(masks))
        ratio = spread(view, 0.88)
        names = "; ".join(f"pid {pid}: {format_cpulist(mask)}" for pid, mask in sorted(masks.items())[:4])
        return Conclusion(
            subject=subject_of(view),
            title=f"{len(masks)} workers are pinned to overlapping CPUs ({format_cpulist(shared)}) while "
            f"{format_cpulist(view.pool - covered)} idles",
            summary=f"Masks now: {names}. {view.waiting_cores:.1f} threads waited on the shared CPUs while {idle:.1f} cores "
            f"of the pool were in no worker's mask. Give worker k its own range ({proposed}), or do not pin.",
            confidence=0.86,
            evidence=pile_up_evidence(view, found, settings),
            rejected=(
                Rejected("affinity-too-narrow", "the workers' masks differ from their parent's"),
                Rejected(
                    "thread-pins-collide", "no OpenMP binding variable is set, and a worker's threads share one mask"
                ),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(covered):.2f} cores inside the masks"),
            ),
            changes=(
                Change(lever=Lever.AFFINITY, current=format_cpulist(covered), proposed=format_cpulist(view.pool)),
            ),
            gains=(ratio, latency_p50_of(ratio)),
        )


def disjoint(view: View, workers: int) -> str:
    """Disjoint ranges for `workers` workers over the pool, in words."""
    cpus = sorted(view.pool)
    size = max(1, len(cpus) // workers)
    return ", ".join(
        f"worker {k}: {format_cpulist(cpus[k * size : (k + 1) * size])}" for k in range(min(workers, len(cpus) // size))
    )


def _own_masks(view: View, masks: dict[int, frozenset[int]]) -> bool:
    """Whether the workers' masks are their own and not inherited from the front-end."""
    front = view.front_end
    if front is None or front.key.pid in masks or front.allowed is None:
        return len(set(masks.values())) > 1
    return any(mask != front.allowed & view.pool for mask in masks.values())


def _bound_by_runtime(view: View, facts: ServiceFacts) -> bool:
    if any((facts.environ(name) or "").lower() not in UNBOUND for name in BINDING_VARIABLES):
        return True
    return not facts.environ_readable and any(_mixed(worker) for worker in busy_workers(view))


def _mixed(worker: WorkerView) -> bool:
    """A worker whose threads have different masks was bound thread by thread, not as a process."""
    return len({t.allowed for t in worker.threads if t.thread_class != "kernel" and t.allowed is not None}) > 1
