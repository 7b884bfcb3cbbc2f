"""Do idle threads of compute pools spin on cores for which somebody waits?"""

from advisor.contention import THREAD_POOLS, pool_threads
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.limits import fullness, of_service
from advisor.profiling.view import ProfileView
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever
from collectors.thread_waiting import ACTIVE, PASSIVE, SPINNERS, already_passive

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OPENBLAS_THREAD_TIMEOUT")
WAKE_COST = 0.1
"""At most this share of its speed a region loses whose threads have to be woken."""


class OpenmpSpinWait(Rule):
    """Threads of a compute pool that have nothing to do spin, and take cores for which others wait.

    What it looks for: a quarter or more of the CPU time in the spin loops and barriers of OpenMP, OpenBLAS or ONNX Runtime,
    while threads of the service wait for a CPU.
    Why it matters: a spinning thread is as busy as a working one, so that the node looks full and others have to wait.
    What to do: let idle threads sleep: OMP_WAIT_POLICY=PASSIVE, KMP_BLOCKTIME=0, OPENBLAS_THREAD_TIMEOUT=4, or ONNX Runtime's
    `session.intra_op.allow_spinning` at 0, by the runtime that is mapped; or fewer threads.
    When it is wrong: on a node for this one service, with a core for each thread: spinning then saves the time to wake up,
    and nobody waits. It says so, and promises nothing.
    """

    proven = ("built",)
    recovers = "waiting"
    yields_to = ("cpu-oversubscribed-openmp", "thread-default-ignores-quota", "thread-pins-collide")
    thresholds = {
        "spin_share": Threshold(enter=0.25, leave=0.18, unit="ratio", doc="spinning, share of the CPU time"),
        "waiting_cores": Threshold(
            enter=0.25, leave=0.12, unit="cores", doc="threads that wait for a CPU, on average: who would use the cores"
        ),
        "cores_full": Threshold(enter=0.85, leave=0.7, unit="ratio", doc="cores used / cores left by others"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        owners = sorted((facts.compute_libraries or frozenset()) & THREAD_POOLS & SPINNERS)
        if not owners or pool_threads(view) <= len(view.serving):
            return None
        waited = view.waiting_cores >= settings.limit("waiting_cores")
        waited = waited and fullness(view) >= settings.limit("cores_full")
        if facts.profile is None and not waited:
            return None
        seen = profile_of(facts, "whether its pools spin", part="native")
        if isinstance(seen, Need):
            return seen if waited else None
        seen = of_service(view, seen)
        spin = seen.share("spin")
        if spin.value - spin.error < settings.limit("spin_share"):
            return None
        known = {name: value for name in VARIABLES if (value := facts.environ(name)) is not None}
        awake = [kind for kind in owners if not already_passive(kind, known)]
        if not awake:
            return None
        freed = spin.value * view.cores_used
        return Conclusion(
            subject=subject_of(view),
            title=f"Idle threads of {', '.join(awake)} spin on {freed:.1f} of {view.cores_used:.1f} cores"
            + (": let them sleep" if waited else ", which nobody waits for"),
            summary=f"{told(spin)} of the CPU time went into waiting loops of compute pools, {freed:.2f} cores; threads of the "
            f"service waited for {view.waiting_cores:.2f} cores meanwhile. "
            + (
                "Threads that sleep leave the cores to those; each region then takes a little longer to start."
                if waited
                else "Nobody waits for the cores, so letting them sleep would gain nothing here."
            ),
            confidence=sureness(0.8, seen),
            evidence=(
                *share_evidence(seen, "spin", spin, settings.enter("spin_share")),
                seen_in_profile(seen, "spinning_cores", "cores", freed),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
                evidence(view, "active_compute_threads", "threads", pool_threads(view)),
                *asked(view),
            ),
            rejected=_rejected(view, seen),
            changes=(Change(lever=Lever.THREAD_WAITING, current=ACTIVE, proposed=PASSIVE),) if waited else (),
            gains=self._gains(view, seen) if waited else (),
        )

    @staticmethod
    def _gains(view: View, seen: ProfileView) -> tuple[Gain, ...]:
        """The freed cores go to the threads that wait now, as far as there are such: at least none of it helps and regions
        start later, likely half of it does, at most all."""
        spin, unknown = seen.share("spin"), seen.share("unknown").value
        useful = max(0.05, view.cores_used * (1 - spin.value))
        most = min(view.waiting_cores, (spin.value + spin.error + unknown) * view.cores_used)
        likely = min(view.waiting_cores, spin.value * view.cores_used) / 2
        ratio = throughput(1 - WAKE_COST, 1 + likely / useful, 1 + most / useful)
        tail = gain("latency_p99_ratio", 1 / ratio.p90 / (1 + view.delay_share), 1 / ratio.p50, 1 + WAKE_COST)
        return (ratio, latency_p50_of(ratio), tail)


def _rejected(view: View, seen: ProfileView) -> tuple[Rejected, ...]:
    threads = pool_threads(view)
    return (
        Rejected("cpu-oversubscribed-openmp", f"{threads} active compute threads on {view.pool_cores:g} cores, run-queue "
                 f"delay is {view.delay_share:.0%} of runnable time"),
        Rejected("gil-bound-worker", f"waiting for the interpreter's lock took {told(seen.share('gil-wait'))}"),
        Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
    )  # fmt: skip
