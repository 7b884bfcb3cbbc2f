"""Does the service get less done with as many requests in progress as it has now than it would with fewer?"""

from math import floor

from advisor.copies import memory_with
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Rejected
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.usl import Usl, fit, levels_of, mean, resampled
from advisor.view import View
from advisor.workers import change_to, processes_after
from collectors.levers import Lever, Setting

RESAMPLES = 200
RECENT = 3
"""Metrics pages that say how many requests are in progress now."""
LEVEL_STEP = 1.25
"""Loads within this factor are one level."""


class ScalingKneePassed(Rule):
    """Throughput falls with every further request in progress: the service is past the knee of its own scaling.

    What it looks for: at least four levels of load that the server itself reported under its present configuration, a fit
    of the Universal Scalability Law whose peak lies below the present load, and a loss that resampling does not explain.
    Why it matters: past the peak, requests that are let in slow down those that are there by more than they add.
    What to do: let in as many requests as the peak has (fewer workers, request threads or connections), then find and
    split what they share: a lock, a queue, another server.
    When it is wrong: where oversubscription, throttling or a neighbour slowed the service at the high loads, or where the
    requests of the high loads were larger. Without the server's own metrics it says nothing.
    """

    proven = ("built",)
    recovers = "waiting"
    yields_to = (
        "cpu-oversubscribed-openmp",
        "thread-default-ignores-quota",
        "cgroup-cpu-throttled",
        "cpu-noisy-neighbour",
        "affinity-too-narrow",
        "affinity-overlapping-pins",
        "thread-pins-collide",
    )
    caused_by = ("gil-bound-worker", "context-switch-storm", "workers-exceed-cores", "event-loop-blocked")
    thresholds = {
        "load_levels": Threshold(enter=4, unit="levels", doc="least number of distinct loads, each seen twice"),
        "least_gain": Threshold(
            enter=1.05, leave=1.02, unit="ratio", doc="10 % point of throughput at the peak / at the present load"
        ),
        "misfit": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="relative error of the fit, at most"),
        "delay_share": Threshold(enter=0.5, unit="ratio", doc="run-queue delay / (run + delay), at most"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        points = [(load.in_progress, load.per_second) for load in view.loads]
        levels = levels_of(points, LEVEL_STEP)
        if len(levels) < settings.limit("load_levels") or view.requests_per_second is None:
            return None  # without a page of now, the last points are of another time
        means = [mean(level) for level in levels]
        now = sum(n for n, _ in points[-RECENT:]) / len(points[-RECENT:])
        if max(x for _, x in means) <= means[-1][1] or view.delay_share > settings.limit("delay_share"):
            return None  # the highest load has the highest throughput: no knee was seen
        law = fit(means)
        if law is None or law.peak is None or law.misfit > settings.limit("misfit") or now <= law.peak:
            return None
        loss = sorted(_loss(each, now) for each in resampled(levels, RESAMPLES))
        if not loss or loss[len(loss) // 10] < settings.limit("least_gain"):
            return None
        low, likely, high = (loss[len(loss) * part // 10] for part in (1, 5, 9))
        others = view.others(view.pool)
        change, held = self._change(view, facts, law.peak, now)
        return Conclusion(
            subject=subject_of(view),
            title=f"{now:.0f} requests in progress get less done than {law.peak:.0f} would: let in no more than those",
            summary=f"Over {len(levels)} levels of load the throughput peaked at {law.peak:.0f} requests in progress with "
            f"{law.throughput(law.peak):.0f}/s and is {law.throughput(now):.0f}/s at {now:.0f}. What they share (a lock, a "
            f"queue, another server) costs {law.beta:.2g} of a request for each pair of them. {held}",
            confidence=round(0.75 * (1 - law.misfit / 0.3), 3),
            evidence=(
                evidence(view, "requests_in_progress", "requests", now, law.peak),
                evidence(view, "throughput_at_peak_p10", "ratio", low, settings.enter("least_gain")),
                evidence(view, "load_levels", "levels", len(levels), settings.enter("load_levels")),
                evidence(view, "usl_misfit", "ratio", law.misfit, settings.enter("misfit")),
                evidence(view, "usl_alpha", "ratio", law.alpha),
                evidence(view, "usl_beta", "ratio", law.beta),
                *asked(view),
            ),
            rejected=(
                Rejected("cpu-oversubscribed-openmp", f"run-queue delay is {view.delay_share:.0%} of runnable time"),
                Rejected("cpu-noisy-neighbour", f"others use {others:.2f} cores"),
                Rejected("evidence-invalid", f"the law misses the levels by {law.misfit:.0%}"),
            ),
            changes=() if change is None else (change,),
            gains=self._gains(view, low, likely, high, change),
        )

    @staticmethod
    def _change(view: View, facts: ServiceFacts, peak: float, now: float) -> tuple[Change | None, str]:
        """What lets in as many as the peak has: fewer threads, fewer workers, or a limit; and what to say of it."""
        workers = len(view.serving)
        threads = facts.setting(Lever.REQUEST_THREADS)
        each = threads.value if isinstance(threads, Setting) and isinstance(threads.value, int) else None
        if each is not None and each > 1:
            proposed = max(1, floor(peak / workers))
            if proposed < each:
                return Change(lever=Lever.REQUEST_THREADS, current=each, proposed=proposed), ""
        fewer = change_to(view, facts, floor(peak)) if each == 1 and 1 <= floor(peak) < workers else None
        if fewer is not None:
            return fewer, ""
        limit = facts.setting(Lever.MAX_REQUESTS_IN_FLIGHT)
        if limit is not None:
            current = limit.value if isinstance(limit.value, int) else None
            proposed = max(1, floor(peak / workers))
            if current is None or proposed < current:
                return Change(lever=Lever.MAX_REQUESTS_IN_FLIGHT, current=current, proposed=proposed), (
                    "What exceeds the limit waits or is refused, as the server has it."
                )
        return None, f"Its server has no limit of its own: hold the clients or the balancer to {floor(peak)}."

    @staticmethod
    def _gains(view: View, low: float, likely: float, high: float, change: Change | None) -> tuple[Gain, ...]:
        ratio = throughput(low, likely, high)
        tail = gain("latency_p99_ratio", 0.8 / ratio.p90, 1 / ratio.p50, 1.1 / ratio.p10)
        gains = [ratio, latency_p50_of(ratio), tail]
        fewer = change is not None and change.lever is Lever.WORKERS
        held = memory_with(view, processes_after(view, change)) if change is not None and fewer else None
        return (*gains, held) if held else tuple(gains)


def _loss(law: Usl, now: float) -> float:
    """Throughput at the peak / at `now`; 1 where this fit has no peak below."""
    return law.throughput(law.peak) / law.throughput(now) if law.peak is not None and law.peak < now else 1.0
