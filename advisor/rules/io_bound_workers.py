"""Do all request threads wait for another server while requests queue and the cores idle?"""

from math import ceil

import msgspec

from advisor.contention import copies_that_fit
from advisor.copies import cost_of_more
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Rejected
from advisor.gpu.room import left_on_gpus
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile
from advisor.profiling.occupation import Occupation, occupation_of
from advisor.profiling.view import ProfileView
from advisor.queued import crowded, waiting_requests
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from advisor.workers import change_to, count_told, processes_after
from collectors.levers import Lever

FULL = 0.8
"""Share of the cores up to which work is added: beyond it requests wait for a core instead."""
DOWNSTREAM_SHARE = 0.85
"""What is likely to remain of the gain as what they wait for gets slower under the higher load. That it does not get slower
is the upper bound, that it is at its own limit already the lower one."""
WHAT = {
    "outbound": "another server",
    "unix": "another process",
    "pipe": "another process",
    "disk": "the disk",
    "sleep": "a timer",
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The change, and by which factor more requests would be in progress after it: as a queue shows, and at most."""

    change: Change
    likely: float
    most: float


class IoBoundWorkers(Rule):
    """Every request thread waits for something outside its process, requests queue, and the cores idle meanwhile.

    What it looks for: requests that wait to be accepted or inside the server, little CPU use, and a profile in which the
    request threads are nearly all occupied, for most of their time by waiting for another server, another process or the
    disk.
    Why it matters: a blocked thread serves nobody. The number of threads, not the cores, bounds the throughput.
    What to do: more request threads where the server has them (the code has to be safe with threads), else more workers: up
    to usable cores × (1 + wait / CPU time), as many as there are requests, and as memory allows. Or asynchronous clients.
    When it is wrong: where the server that is called is at its own limit: only its queue grows then. That cannot be told
    from this node unless it runs here. Threads that wait for a lock, a pool of connections or a device are told apart.
    """

    proven = ("live", "built")
    recovers = "cores"
    yields_to = (
        "cgroup-cpu-throttled",
        "cpu-noisy-neighbour",
        "cpu-oversubscribed-openmp",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
        "gil-bound-worker",
        "event-loop-blocked",
        "memory-pressure",
        "swap-or-major-faults",
        "scaling-knee-passed",
    )
    thresholds = {
        "cores_used": Threshold(enter=0.5, leave=0.65, unit="ratio", doc="cores used / usable cores, at most"),
        "waiting_requests": Threshold(
            enter=1.0, leave=0.5, unit="requests", doc="median that wait to be accepted or inside the server"
        ),
        "connections_per_thread": Threshold(
            enter=1.5, leave=1.2, unit="ratio", doc="open connections / request threads, where no queue is visible"
        ),
        "occupied_share": Threshold(enter=0.8, leave=0.6, unit="ratio", doc="occupied share of the request threads"),
        "wait_share": Threshold(enter=0.5, leave=0.4, unit="ratio", doc="wait outside / (wait outside + CPU time)"),
        "throttled_ratio": Threshold(enter=0.05, unit="ratio", doc="at most this share of periods throttled"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        left = min(view.effective_cores, float(len(view.mask)))
        throttled = (view.cgroup.throttled_ratio if view.cgroup else None) or 0.0
        if view.service.calls == "asynchronous" or throttled > settings.limit("throttled_ratio"):
            return None
        if view.cores_used > settings.limit("cores_used") * left:
            return None
        queue = waiting_requests(view)
        visible = queue >= settings.limit("waiting_requests")
        if not visible and not crowded(view, settings.limit("connections_per_thread")):
            return None
        seen = profile_of(facts, "what the request threads wait for while requests queue", "states")
        if not isinstance(seen, ProfileView):
            return seen
        held = occupation_of(view, seen, facts)
        if held is None or held.occupied < settings.limit("occupied_share") * held.threads:
            return None
        if held.inside >= held.outside:  # more threads would wait for the same lock or device
            return None
        share = held.outside / (held.outside + max(view.cores_used, 0.01))
        if share < settings.limit("wait_share"):
            return None
        plan = planned(view, facts, held, queue, left)
        if plan is None:
            return None
        others = view.others(view.online)
        kind = max(held.kinds, key=lambda each: held.kinds[each])
        per_cpu = held.outside / max(view.cores_used, 0.01)
        return Conclusion(
            subject=subject_of(view),
            title=self._title(facts, held, WHAT.get(kind, kind), plan.change),
            summary=f"On average {held.outside:.1f} of {held.threads:.0f} request threads waited, mostly for "
            f"{WHAT.get(kind, kind)}, and the service used {view.cores_used:.2f} of {left:.1f} cores: {per_cpu:.0f} s of "
            f"waiting for each second of CPU. {self._downstream(others)}",
            confidence=(0.8 if visible else 0.6) * (1.0 if others < 0.9 else 0.8),
            evidence=(
                evidence(view, "waiting_requests_p50", "requests", queue, settings.enter("waiting_requests")),
                seen_in_profile(seen, "threads_waiting_outside", "threads", held.outside),
                seen_in_profile(seen, "request_threads", "threads", held.threads),
                seen_in_profile(
                    seen, "occupied_share", "ratio", held.occupied / held.threads, settings.enter("occupied_share")
                ),
                seen_in_profile(seen, "wait_share", "ratio", share, settings.enter("wait_share")),
                evidence(view, "cores_used", "cores", view.cores_used, settings.enter("cores_used") * left),
                evidence(view, "usable_cores", "cores", left),
                *asked(view),
            ),
            rejected=(
                Rejected("below-one-worker-max", f"{held.occupied:.1f} of {held.threads:.0f} request threads are occupied"),
                Rejected("gil-bound-worker", f"{held.inside:.1f} threads wait for a lock, the GIL or a device"),
                Rejected("workers-below-cores-saturated", f"{view.cores_used:.2f} of {left:.1f} cores are used"),
                Rejected("cgroup-cpu-throttled", f"{throttled:.0%} of periods throttled"),
            ),
            changes=(plan.change,),
            gains=self._gains(view, held, plan, left),
        )  # fmt: skip

    @staticmethod
    def _title(facts: ServiceFacts, held: Occupation, what: str, change: Change) -> str:
        threads = change.lever is Lever.REQUEST_THREADS
        each = f"{change.proposed} threads in each worker" if threads else count_told(facts, change, "workers")
        return (
            f"{held.outside:.1f} of {held.threads:.0f} request threads wait for {what} while requests queue: run {each}"
        )

    @staticmethod
    def _downstream(others: float) -> str:
        """How it was tested whether what they wait for is at its own limit."""
        here = (
            f"Other processes of this node use {others:.2f} cores: a server that is called here may be at the limit of one."
            if others >= 0.9
            else f"Other processes of this node use {others:.2f} cores: none that is called here is held by a core."
        )
        return (
            f"{here} Whether one elsewhere is at its limit cannot be told from here: raise in steps, watch its latency."
        )

    @staticmethod
    def _gains(view: View, held: Occupation, plan: Plan, left: float) -> tuple[Gain, ...]:
        """Throughput grows with the requests in progress as long as what they wait for answers as fast, less what they then
        wait for a core of their own: CPU time per request grows by 1 / (1 - utilisation)."""
        computing = max(view.cores_used, 0.01)
        full = min(0.95, plan.likely * computing / left)
        likely = plan.likely * (held.outside + computing) / (held.outside + computing / (1 - full))
        ratio = throughput(1.0, 1 + DOWNSTREAM_SHARE * max(0.0, likely - 1), max(1.0, plan.most))
        gains = [ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.0)]
        if plan.change.lever is Lever.WORKERS:
            added = cost_of_more(view, processes_after(view, plan.change) - len(view.serving))
            gains += [added] if added else []
        return tuple(gains)


def planned(view: View, facts: ServiceFacts, held: Occupation, queue: float, left: float) -> Plan | None:
    """More threads, or workers, as cores, requests, memory and the service's devices allow; None where there is nothing to
    add."""
    workers, on_gpus = len(view.serving), left_on_gpus(view)
    least = max(held.occupied + queue, (view.in_flight or 0.0) + (view.server_queue or 0.0))
    most = max(least, view.established or 0.0)
    each_core = FULL * (1 + held.outside / max(view.cores_used, 0.01))
    setting = facts.setting(Lever.REQUEST_THREADS)
    if setting is not None:
        now = setting.value if isinstance(setting.value, int) else max(1, round(held.threads / workers))
        room = each_core * min(left, workers)  # the threads of one process share one core for what is Python
        proposed = min(ceil(min(room, most) / workers - 0.01), ceil(now * on_gpus - 0.25))
        more = Change(lever=Lever.REQUEST_THREADS, current=now, proposed=proposed) if proposed > now else None
        total = proposed * workers
    else:
        more = _more_workers(view, facts, min(each_core * left, most) / (held.threads / workers), on_gpus)
        total = 0 if more is None else round(processes_after(view, more) * held.threads / workers)
    if more is None:
        return None
    middle = (least + most) / 2
    return Plan(
        change=more,
        likely=max(1.0, min(total / held.threads, middle / held.threads, on_gpus)),
        most=max(1.0, min(total / held.threads, most / held.threads, on_gpus)),
    )


def _more_workers(view: View, facts: ServiceFacts, wanted: float, on_gpus: float) -> Change | None:
    now = len(view.serving)
    most = min(ceil(wanted - 0.01), now + copies_that_fit(view), ceil(now * on_gpus - 0.25))
    return change_to(view, facts, most) if most > now else None
