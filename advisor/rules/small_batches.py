"""Does each call of a model on CPUs pay once more for what several requests could pay together?"""

import msgspec

from advisor.batching import Fit, Plan, achieved, batching_changes, fit_of, plan_for
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.instances import instances_each
from advisor.intervals import gain, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.call_cost import call_cost
from advisor.profiling.evidence import seen_in_profile
from advisor.profiling.view import ProfileView, Share
from advisor.queued import in_progress
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever

NEVER_IDLE = 0.02
"""A loop that is idle for less always finds the next request waiting: not one client that waits for its answer."""
ON_THEIR_WAY = 1.1
"""In a closed loop some requests are between server and client when they are counted."""
LOOKS = 60
"""Looks at calling threads without which their time is not divided."""
ADVICE = (
    "Where requests cannot be put together, a pool of one thread (`n_jobs=1` in scikit-learn) spares its dispatch too."
)


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a call's time that is paid once a call. `fit` None: told from profiles, not from several batch sizes."""

    likely: float
    shown: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]
    why: str
    fit: Fit | None = None


class SmallBatches(Rule):
    """Requests are computed one by one, though most of a call's time does not depend on how many rows it brings.

    What it looks for: several requests in progress for each instance, batching off or without effect, and either batches of
    several sizes from which the time of a call can be divided into what is paid once and what for each row, or profiles in
    which calls of the model spend most of their time on handing parts to a pool of threads and waiting for it.
    Why it matters: a call for eight requests takes little longer than one for one. Measured on a forest of 100 trees: six to
    eight times the throughput.
    What to do: batching, at most as many requests as are in progress for each instance: a larger one waits in vain.
    When it is wrong: for a model whose time grows with its rows, for a single client, and where the model's code takes one
    row only. Where no second batch size was seen, the gain is what is possible at most, and may be nothing.
    """

    proven = ("live", "built")
    recovers = "work"
    yields_to = ("cgroup-cpu-throttled", "serialisation-heavy")
    after = ("cpu-oversubscribed-openmp", "thread-default-ignores-quota")
    thresholds = {
        "batch_size": Threshold(enter=2.0, leave=2.5, unit="requests", doc="mean achieved batch, at most"),
        "in_progress": Threshold(enter=4.0, leave=3.0, unit="requests", doc="requests in the server for each instance"),
        "once_share": Threshold(
            enter=0.4, leave=0.3, unit="ratio", doc="what is paid once a call, at the least that it may be, of its time"
        ),
        "calls": Threshold(enter=0.6, leave=0.5, unit="calls", doc="calls of the model under way in a worker, mean"),
        "expected_batch": Threshold(
            enter=1.5, leave=1.3, unit="requests", doc="1 + rate × delay + waiting requests, at least"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if view.gpus or facts.setting(Lever.MAX_BATCH_SIZE) is None or facts.setting(Lever.MAX_BATCH_DELAY) is None:
            return None
        batch, each = achieved(view, facts), instances_each(facts)
        if batch is None or each is None or batch > settings.limit("batch_size"):
            return None
        instances = each * max(1, len(view.serving))
        here = _in_progress(view, facts, settings.limit("in_progress") * instances)
        if here is None or isinstance(here, Need):
            return here
        cost = _cost(view, facts, settings)
        if cost is None or isinstance(cost, Need):
            return cost
        queue = max(view.server_queue or 0.0, here - instances)
        plan = plan_for(view, facts, ON_THEIR_WAY * here / instances, queue / instances, instances)
        changes = () if plan is None else batching_changes(view, facts, plan)
        if plan is None or not changes or plan.expected < settings.limit("expected_batch"):
            return None
        bound = " How its time grows with rows has not been seen: the gain is an upper bound, and may be nothing."
        return Conclusion(
            subject=subject_of(view),
            title=f"{here:.0f} requests in progress are computed {_by(batch)}, and {cost.likely:.0%} of a call's time is paid "
            f"once a call: put up to {plan.size} together",
            summary=f"{cost.why} With up to {plan.size} in a batch that waits {plan.delay_seconds * 1000:.3g} ms at most, it "
            f"would hold about {plan.expected:.1f}.{bound if cost.fit is None else ''} The model's code must take several rows "
            f"in one call. {ADVICE if cost.fit is None else ''}".rstrip(),
            confidence=0.75 if cost.fit is None else 0.8,
            evidence=(
                evidence(view, "requests_in_progress", "requests", here, settings.enter("in_progress") * instances),
                evidence(view, "mean_batch_size", "requests", batch, settings.enter("batch_size")),
                *cost.shown,
                evidence(view, "expected_batch", "requests", plan.expected, settings.enter("expected_batch")),
                evidence(view, "switches_per_second", "1/s", sum(w.switches_per_second or 0.0 for w in view.workers)),
                *asked(view),
            ),
            rejected=cost.rejected,
            changes=changes,
            gains=_gains(view, cost, plan, batch),
        )


def _by(batch: float) -> str:
    return "one by one" if batch <= 1 else f"{batch:.1f} at a time"


def _in_progress(view: View, facts: ServiceFacts, least: float) -> float | Need | None:
    """As the server counts them; None where they are fewer than `least`. A server whose event loop runs the model looks at
    no request meanwhile: where that loop is never idle, each open connection may have one that waits."""
    known, connections = in_progress(view), view.established or 0.0
    if known is None or max(known, connections) < least:
        return None
    if known >= least:
        return known
    front = view.front_end
    if front is None or front not in view.serving:
        return None
    seen = profile_of(facts, "whether its event loop, which runs the model, is ever idle", "states")
    if isinstance(seen, Need):
        return seen
    loop = next((w.loop for w in seen.workers if w.key == front.key), None)
    return connections if loop is not None and loop.idle <= NEVER_IDLE else None


def _cost(view: View, facts: ServiceFacts, settings: Settings) -> Cost | Need | None:
    fit = fit_of(view.pages)
    if fit is not None:
        return _fitted(view, fit, settings)
    seen = profile_of(facts, "whether its calls compute, or hand their parts to a pool", "states")
    if isinstance(seen, Need):
        if any(page.work_seconds and page.batch_size for page in view.pages):
            text = "another batch size under load: how its time grows with rows cannot be told from one"
            return Need(kind="load", text=text)
        return seen
    return _profiled(view, seen, settings)


def _fitted(view: View, fit: Fit, settings: Settings) -> Cost | None:
    least, likely, _ = fit.once_share(view.batch_size or 1.0)
    if least < settings.limit("once_share"):
        return None
    return Cost(
        likely=likely,
        fit=fit,
        shown=(
            evidence(view, "once_share", "ratio", least, settings.enter("once_share")),
            evidence(view, "seconds_a_call", "seconds", fit.once),
            evidence(view, "seconds_a_call_error", "seconds", fit.once_error),
            evidence(view, "seconds_a_row", "seconds", fit.each),
            evidence(view, "seconds_a_row_error", "seconds", fit.each_error),
        ),
        rejected=(
            Rejected("a model whose time grows with its rows", f"a row takes {fit.each * 1e3:.3g} ms of {fit.once * 1e3:.3g}"
                     f" ms that each call pays, over {fit.pages} pages of {fit.least:.1f} to {fit.most:.1f} rows a call"),
        ),
        why=f"Over {fit.pages} metrics pages a call took {fit.once * 1e3:.3g} ms and {fit.each * 1e3:.3g} ms for each row.",
    )  # fmt: skip


def _profiled(view: View, seen: ProfileView, settings: Settings) -> Cost | None:
    cost = call_cost(seen, {w.key for w in view.serving}, LOOKS)
    if cost is None or cost.calls < settings.limit("calls") or cost.least < settings.limit("once_share"):
        return None
    own, rows = cost.seen, f"{cost.rows:.2f} cores compute for the rows"
    held = max((w.gil_held or Share(0.0) for w in own.workers), key=lambda share: share.value)
    return Cost(
        likely=cost.likely,
        shown=(
            seen_in_profile(own, "calls_under_way", "calls", cost.calls, settings.enter("calls")),
            seen_in_profile(own, "once_share", "ratio", cost.least, settings.enter("once_share")),
            seen_in_profile(own, "handing_on", "calls", cost.handing),
            seen_in_profile(own, "cores_for_rows", "cores", cost.rows),
            seen_in_profile(own, "cores_for_unknown", "cores", cost.unknown),
            seen_in_profile(own, "cores_of_fleeting_threads", "cores", cost.fleeting),
        ),
        rejected=(
            Rejected("a model whose time grows with its rows", f"{rows} while {cost.handing:.2f} calls wait for a pool"),
            Rejected("context-switch-storm", f"{own.share('lock').value:.0%} of the CPU time is spent at locks"),
            Rejected("gil-bound-worker", f"the interpreter's lock is held {held.value:.0%} of the time"),
            Rejected("cpu-noisy-neighbour", f"{cost.delay_share:.0%} of its runnable time waited for a CPU, and is taken off"),
        ),
        why=f"A worker has {cost.calls:.2f} calls under way; {cost.handing_share:.0%} of that time goes into handing parts to "
        f"a pool and waiting for it, while {rows}.",
    )  # fmt: skip


def _gains(view: View, cost: Cost, plan: Plan, batch: float) -> tuple[Gain, ...]:
    """X = B / (a + cB). Without a fit only a share of the call is known to be paid once; what the rows cost may be paid once
    too, hence B at most, and a batch may take as many times longer as it is larger, hence 1 at least."""
    times = max(1.0, plan.expected / batch)
    if cost.fit is not None:
        ratio = throughput(*cost.fit.faster(batch, times))
    else:
        ratio = throughput(1.0, times / (cost.likely + (1 - cost.likely) * times), times)
    added = plan.delay_seconds / view.latency_seconds if view.latency_seconds else 0.0
    return (
        ratio,
        gain("latency_p50_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.1 / ratio.p10 + added),
        gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.2 / ratio.p10 + added),
    )
