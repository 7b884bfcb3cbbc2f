"""Do computing threads share physical cores, two by two, while whole cores stand idle?"""

from advisor.contention import THREAD_POOLS, contenders
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.placement import computed_on, idle_cores, physical_cores, wanted_at_peak
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import share_evidence, sureness, told
from advisor.profiling.limits import of_service
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.cpulist import format_cpulist
from collectors.levers import Lever


class SmtSiblingSharing(Rule):
    """Threads that multiply matrices run on two hardware threads of one core beside cores that are free.

    What it looks for: the part of the computing threads' CPU time in which another of them ran on the other hardware thread of
    the same core, while at least one whole core that the service may use is idle, and most of the work is numeric kernels.
    Why it matters: two hardware threads share the units that multiply. Kernels of BLAS and the like fill them with one thread
    alone, so that two on one core get little more done than one.
    What to do: a mask with one CPU of each core, or OMP_PLACES=cores where threads are bound.
    When it is wrong: for work that waits for memory, for I/O or for the interpreter, of which two on a core get more done;
    without a profile it asks for one. On virtual machines the pairs are often hidden: nothing is said then.
    """

    proven = ("built",)
    recovers = "cores"
    yields_to = (
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "cgroup-cpu-throttled",
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
    )
    thresholds = {
        "paired_share": Threshold(
            enter=0.5, leave=0.3, unit="ratio", doc="computing time beside another thread on the same core"
        ),
        "idle_cores": Threshold(enter=1, unit="cores", doc="least physical cores that are wholly idle"),
        "kernel_share": Threshold(enter=0.5, leave=0.4, unit="ratio", doc="CPU time in numeric kernels"),
        "waiting_cores": Threshold(enter=0.5, unit="cores", doc="at most so many threads wait for a CPU"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        cores = physical_cores(view)
        free = idle_cores(view) if cores else ()
        if not cores or len(free) < settings.limit("idle_cores"):
            return None
        paired = paired_share(view)
        if paired < settings.limit("paired_share"):
            return None
        proposed = frozenset(min(core.cpu for core in cpus) for cpus in cores)
        threads = sum(map(len, contenders(view)))
        if (
            max(threads, wanted_at_peak(view)) > len(proposed)
            or proposed == view.mask
            or view.waiting_cores > settings.limit("waiting_cores")
        ):
            return None
        libraries = facts.compute_libraries
        if libraries is not None and not libraries & THREAD_POOLS:
            return None
        seen = profile_of(facts, "whether its threads multiply matrices, or wait", part="native")
        if isinstance(seen, Need):
            return seen
        seen = of_service(view, seen)
        kernel = seen.share("kernel")
        if kernel.value - kernel.error < settings.limit("kernel_share"):
            return None
        pairs = max(1, len(_paired_cores(view)))
        relieved = paired * min(1.0, len(free) / pairs) * kernel.value
        return Conclusion(
            subject=subject_of(view),
            title=f"{pairs} core{'s run' if pairs > 1 else ' runs'} two computing threads each while {len(free)} "
            f"{'are' if len(free) > 1 else 'is'} idle: use CPUs {format_cpulist(proposed)}, one of each core",
            summary=f"{paired:.0%} of the computing time was spent beside another of the service's threads on the same "
            f"physical core, and {told(kernel)} of the CPU time went into numeric kernels, which fill a core with one "
            f"thread. {len(free)} of {len(cores)} cores did nothing.",
            confidence=sureness(0.7, seen),
            evidence=(
                evidence(view, "paired_share", "ratio", paired, settings.enter("paired_share")),
                evidence(view, "idle_cores", "cores", len(free), settings.enter("idle_cores")),
                *share_evidence(seen, "kernel", kernel, settings.enter("kernel_share")),
                evidence(view, "active_compute_threads", "threads", threads, len(proposed)),
                evidence(view, "waiting_cores", "cores", view.waiting_cores, settings.enter("waiting_cores")),
                *asked(view),
            ),
            rejected=(
                Rejected("gil-bound-worker", f"{told(seen.share('python'))} of the CPU time is in Python"),
                Rejected("cpu-oversubscribed-openmp", f"{threads} active compute threads on {len(cores)} physical cores"),
                Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
            ),
            changes=(
                Change(lever=Lever.AFFINITY, current=format_cpulist(view.mask), proposed=format_cpulist(proposed)),
            ),
            gains=_gains(relieved),
        )  # fmt: skip


def _paired_cores(view: View) -> dict[frozenset[int], float]:
    """Computing time, in cores, beside another computing thread on the same core, by the core's CPUs, as if the CPUs of a core
    were busy independently of each other."""
    used = computed_on(view)
    found: dict[frozenset[int], float] = {}
    for core in view.cores:
        others = [min(1.0, used.get(cpu, 0.0)) for cpu in core.siblings if cpu != core.cpu]
        alone = 1.0
        for busy in others:
            alone *= 1 - busy
        beside = min(1.0, used.get(core.cpu, 0.0)) * (1 - alone)
        if beside > 0.05:
            found[core.siblings] = found.get(core.siblings, 0.0) + beside
    return found


def paired_share(view: View) -> float:
    """Part of the computing time that was spent beside another computing thread on the same core."""
    total = sum(computed_on(view).values())
    return min(1.0, sum(_paired_cores(view).values()) / total) if total > 0 else 0.0


def _gains(relieved: float) -> tuple[Gain, ...]:
    """A thread that shares its core gets half of it at worst, and loses nothing at best: likely the middle."""
    ratio = throughput(1.0, 1 / (1 - relieved / 4), 1 / (1 - relieved / 2))
    return (ratio, latency_p50_of(ratio, slack=0.05), gain("latency_p99_ratio", 0.95 / ratio.p90, 1 / ratio.p50, 1.05))
