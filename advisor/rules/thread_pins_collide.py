"""Did each worker's OpenMP runtime bind its threads to the same first cores?"""

from advisor.contention import BINDING_VARIABLES, PILE_UP_THRESHOLDS, UNBOUND, pile_up, pile_up_evidence, spread
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Rejected
from advisor.intervals import latency_p50_of
from advisor.rule import Rule, Settings, Verdict, subject_of
from advisor.view import View
from collectors.cpulist import format_cpulist
from collectors.levers import Lever


class ThreadPinsCollide(Rule):
    """Thread binding is on in several workers, and every runtime starts counting at the same core.

    What it looks for: a binding variable in the workers' environment (OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY,
    KMP_AFFINITY) or masks that differ among the threads of one worker, with compute threads of several workers on the same
    CPUs, waiting, while other CPUs of the pool idle.
    Why it matters: each process believes that it has the node for itself; all pools pile up on the first cores.
    What to do: switch the binding off when several workers run, or give each worker places of its own.
    When it is wrong: for a single worker, where binding helps; it needs two workers that share CPUs.
    """

    proven = ("built",)
    recovers = "cores"
    after = ("cpu-oversubscribed-openmp", "thread-default-ignores-quota")
    thresholds = PILE_UP_THRESHOLDS

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        found = pile_up(view, settings)
        if found is None:
            return None
        masks, shared, covered, idle = found.masks, found.shared, found.covered, found.idle
        bound = {n: v for n in BINDING_VARIABLES if (v := facts.environ(n)) is not None and v.lower() not in UNBOUND}
        mixed = any(
            len({t.allowed for t in w.threads if t.thread_class != "kernel" and t.allowed is not None}) > 1
            for w in view.serving
        )
        if not bound and (facts.environ_readable or not mixed):
            return None
        ratio = spread(view, 0.88)
        named = ", ".join(f"{name}={value}" for name, value in bound.items()) or "masks differ among a worker's threads"
        return Conclusion(
            subject=subject_of(view),
            title=f"thread binding puts {len(masks)} workers on CPU {format_cpulist(shared)}: switch it off",
            summary=f"{named}. The compute threads of {len(masks)} workers are bound to {format_cpulist(covered)}; "
            f"{view.waiting_cores:.1f} of them waited while {idle:.1f} cores of the pool did nothing.",
            confidence=0.88 if bound else 0.6,
            evidence=pile_up_evidence(view, found, settings),
            rejected=(
                Rejected("affinity-overlapping-pins", f"the threads were bound by their runtime: {named}"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(covered):.2f} cores inside the masks"),
            ),
            changes=(Change(lever=Lever.THREAD_BINDING, current=", ".join(bound.values()) or None, proposed="false"),),
            gains=(ratio, latency_p50_of(ratio)),
        )
