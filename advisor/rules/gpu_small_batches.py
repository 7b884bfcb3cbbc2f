"""Are requests computed one by one on a GPU that could compute several in about the same time?"""

import msgspec

from advisor.batching import Plan, achieved, batching_changes, plan_for
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.instances import instances_each
from advisor.gpu.use import all_known, counters, fullest, link_share, seen_on_gpu, unread
from advisor.gpu.view import GpuView, ServiceGpu
from advisor.intervals import gain, throughput
from advisor.queued import in_progress
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever


class GpuSmallBatches(Rule):
    """Requests go to the GPU one or two at a time, though several are in the server and most of the GPU idles.

    What it looks for: a mean batch of two or less with four requests or more in progress, on a GPU whose multiprocessors work
    less than half of the time, in a server that can put requests together.
    Why it matters: a batch reads the weights once and launches each kernel once for all its requests. One by one, each pays
    for it alone.
    What to do: dynamic batching, at most as many requests as are in progress for half of the instances, with a delay that is a
    tenth of the time to the objective.
    When it is wrong: for models whose batch dimension is fixed, and where the host and not the GPU is the limit. How much
    longer a batch takes than one request cannot be told before one was seen: the gain is an upper bound until then.
    """

    proven = ("recorded", "built")
    recovers = "device"
    yields_to = ("cgroup-cpu-throttled", "gpu-starved-by-preprocess", "pcie-bound")
    thresholds = {
        "batch_size": Threshold(enter=2.0, leave=2.5, unit="requests", doc="mean achieved batch, at most"),
        "in_progress": Threshold(enter=4.0, leave=3.0, unit="requests", doc="requests in the server for each instance"),
        "sm_active": Threshold(enter=0.5, leave=0.6, unit="ratio", doc="share of the multiprocessors' time, at most"),
        "expected_batch": Threshold(
            enter=1.5,
            leave=1.3,
            unit="requests",
            doc="1 + rate × delay + waiting requests, at least: else it only waits",
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        limit = facts.setting(Lever.MAX_BATCH_SIZE)
        if not view.gpus or limit is None or facts.setting(Lever.MAX_BATCH_DELAY) is None:
            return None  # without a delay it puts requests together by itself, or not at all
        found, here = fullest(view.gpus), in_progress(view)
        if found is None:
            return unread(view.gpus)
        one, use = found
        each, batch = instances_each(facts), achieved(view, facts)
        if each is None:
            return _uncounted(facts)
        instances = each * sum(len(device.own) for device in view.gpus)
        if (here is not None and here < settings.limit("in_progress") * instances) or (
            batch is not None and batch > settings.limit("batch_size")
        ):
            return None
        if use.counted and use.mean >= settings.limit("sm_active"):
            return None
        if here is None or batch is None or view.requests_per_second is None or view.latency_seconds is None:
            return _unknown(view, here, batch)
        if not use.counted:
            return _blind(one.gpu, batch)
        plan = _plan(view, facts, batch, here, instances)
        if plan is None or plan.expected < settings.limit("expected_batch"):
            return None
        changes = batching_changes(view, facts, plan)
        if not changes:
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"Batches hold {batch:.1f} of {here:.0f} requests in progress while {one.gpu.subject_name} works "
            f"{use.mean:.0%} of the time: put up to {plan.size} together",
            summary=f"The GPU gets {batch:.1f} requests at a time; {here:.1f} were in the server. With up to {plan.size} in a "
            f"batch that waits {plan.delay_seconds * 1000:.3g} ms at most, it would hold about {plan.expected:.1f}. How much "
            "longer such a batch takes has not been seen yet: the gain is what is possible at most, and may be nothing.",
            confidence=0.65 if one.alone else 0.5,
            evidence=(
                evidence(view, "mean_batch_size", "requests", batch, settings.enter("batch_size")),
                evidence(view, "requests_in_progress", "requests", here, settings.enter("in_progress") * instances),
                seen_on_gpu(one.gpu, use.metric, "ratio", use.mean, settings.enter("sm_active")),
                evidence(view, "expected_batch", "requests", plan.expected, settings.enter("expected_batch")),
                *_inputs(one.gpu),
                *asked(view),
            ),
            rejected=_rejected(view, one, use.p95),
            changes=changes,
            gains=_gains(view, one.gpu, batch, plan),
        )


def _unknown(view: View, here: float | None, batch: float | None) -> Need:
    known = (
        ("requests in progress", here),
        ("its mean batch", batch),
        ("requests per second", view.requests_per_second),
        ("latency", view.latency_seconds),
    )
    lacking = ", ".join(name for name, value in known if value is None)
    return Need(kind="metrics", text=f"{lacking}: the server's own metrics, to tell whether it computes one by one")


def _uncounted(facts: ServiceFacts) -> Need:
    setting = facts.setting(Lever.MODEL_INSTANCES)
    why = "" if setting is None else f": {setting.origin}"
    return Need(kind="privilege", text=f"how many instances of the model share the requests{why}")


def _blind(gpu: GpuView, batch: float) -> Need:
    busy = f"{gpu.busy_ratio:.0%} of the time" if gpu.busy_ratio is not None else "an unknown part of the time"
    return Need(
        kind="metrics",
        text=f"how much of {gpu.subject_name} works while batches hold {batch:.1f} requests ({counters(gpu)}); that it is busy "
        f"{busy} says nothing of that",
    )


def _plan(view: View, facts: ServiceFacts, batch: float, here: float, instances: int) -> Plan | None:
    """Such that two batches for each instance are in progress; None where that is no more than now."""
    plan = plan_for(view, facts, here / (2 * instances), (view.server_queue or 0.0) / instances, instances)
    most = 0.0 if plan is None else min(float(plan.size), here / instances)
    return None if plan is None or most <= batch else msgspec.structs.replace(plan, most=most)


def _gains(view: View, gpu: GpuView, batch: float, plan: Plan) -> tuple[Gain, ...]:
    """Nothing at least: a batch may take as many times longer as it is larger. At most as many times more as it is larger.
    Likely half of what fits beside: while anything ran, only a part of the multiprocessors did, so that so many more requests
    find room in that time."""
    sm, busy = max(0.001, gpu.sm_active_ratio or 0.0), gpu.busy_ratio
    beside = max(1.0, (busy if busy is not None else 1.0) / sm)
    most = max(1.0, plan.most / batch)
    likely = (1 + min(most, max(1.0, plan.expected / batch), beside)) / 2
    ratio = throughput(1.0, likely, most)
    added = plan.delay_seconds / view.latency_seconds if view.latency_seconds else 0.0
    return (
        ratio,
        gain("latency_p50_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.1 + added),
        gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.2 + added),
    )


def _inputs(gpu: GpuView) -> tuple[Evidence, ...]:
    return all_known(
        gpu,
        ("gpu_busy_mean", "ratio", gpu.busy_ratio),
        ("gpu_dram_active", "ratio", gpu.dram_active_ratio),
        ("gpu_tensor_active", "ratio", gpu.tensor_active_ratio),
    )


def _rejected(view: View, one: ServiceGpu, p95: float) -> tuple[Rejected, ...]:
    link = link_share(one.gpu)
    pcie = "its traffic is not known" if link is None else f"PCIe carries {link:.0%} of what the link can"
    return (
        Rejected("gpu-full", f"the 95 % point of its use is {p95:.0%}"),
        Rejected("gpu-wait-workers", f"{len(one.own)} processes share it; batches come before another one"),
        Rejected("pcie-bound", pcie),
        Rejected("cpu-noisy-neighbour", f"others use {view.others(view.pool):.2f} cores"),
    )
