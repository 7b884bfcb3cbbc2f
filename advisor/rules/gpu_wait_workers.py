"""Do all workers wait for a GPU that is far from full, so that one more could use it meanwhile?"""

import msgspec

from advisor.contention import copies_that_fit
from advisor.copies import cost_of_more
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.amounts import gib
from advisor.gpu.instances import instances_each
from advisor.gpu.room import admits, copies_on, copy_bytes, free_bytes, with_more
from advisor.gpu.use import BUSY_ONLY, Use, all_known, fullest, link_share, seen_on_gpu, told, unread
from advisor.gpu.view import GpuView, ServiceGpu
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, sureness
from advisor.profiling.occupation import occupation_of
from advisor.profiling.view import ProfileView, Share
from advisor.queued import crowded, waiting_requests
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from advisor.workers import change_to, count_told, processes_each
from collectors.levers import Lever

WORTH = 1.05
"""A possible gain below this is not worth a copy of the model."""
SPINS_AT_LEAST = 0.5
"""Cores: who waits for a GPU on a CPU uses about one. Sleeping waits cannot be told from other sleep."""
UNSURE = 0.7
"""What is left of the confidence where the GPU's use is known in time only, or where others use it too."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The change, and by how many copies it adds to how many. `turns`: those are processes that a device serves one after
    the other."""

    change: Change
    copies: int
    added: int
    turns: bool


class GpuWaitWorkers(Rule):
    """Every worker waits for its GPU at the same time, and the GPU is far from full.

    What it looks for: requests that wait, workers that spend half of their busy time or more in calls that wait for the GPU,
    a GPU that is used well below its limit, and memory there for one more copy of what a worker holds.
    Why it matters: a worker that waits for its own answer gives the GPU nothing else to do; what the host does between two
    answers is time in which the GPU idles.
    What to do: one more worker, or one more instance of the model, and look again. Larger batches come first where requests
    can be put together.
    When it is wrong: where the GPU serves something that cannot run beside a second copy, or answers cannot come faster as the
    clients send no more. Threads that sleep until the GPU is done look like idle ones: they are not found.
    """

    proven = ("built",)
    recovers = "device"
    yields_to = (
        "cgroup-cpu-throttled",
        "gil-bound-worker",
        "gpu-starved-by-preprocess",
        "pcie-bound",
        "vram-near-full",
        "gpu-context-multiplied",
    )
    caused_by = ("gpu-launch-bound",)
    after = ("gpu-small-batches",)
    thresholds = {
        "wait_share": Threshold(
            enter=0.5, leave=0.4, unit="ratio", doc="waiting for the GPU, share of the workers' busy time"
        ),
        "gpu_used_p95": Threshold(enter=0.7, leave=0.8, unit="ratio", doc="95 % point of the GPU's use, at most"),
        "occupied_share": Threshold(enter=0.8, leave=0.6, unit="ratio", doc="occupied share of the request threads"),
        "waiting_requests": Threshold(
            enter=1.0, leave=0.5, unit="requests", doc="median that wait to be accepted or inside the server"
        ),
        "connections_per_thread": Threshold(
            enter=1.5, leave=1.2, unit="ratio", doc="open connections / request threads, where no queue is visible"
        ),
        "link_share": Threshold(enter=0.6, unit="ratio", doc="PCIe traffic / what the link carries, at most"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        plan = _plan(view, facts)
        queue = waiting_requests(view)
        waits = queue >= settings.limit("waiting_requests")
        if plan is None or not (waits or crowded(view, settings.limit("connections_per_thread"))):
            return None
        if max((w.cores_used for w in view.serving), default=0.0) < SPINS_AT_LEAST:
            return None
        found = fullest(view.gpus)
        if found is None:
            return unread(view.gpus)
        one, use = found
        full = max(use.p95, (one.gpu.busy_p95 or 0.0) if plan.turns else 0.0)
        if full >= settings.limit("gpu_used_p95") or (link_share(one.gpu) or 0.0) >= settings.limit("link_share"):
            return None
        fits = [copies_on(each) for each in view.gpus]
        if None in fits:
            return Need(kind="privilege", text=f"GPU memory of the service's own processes on {one.gpu.subject_name}, to tell "
                        "whether one more fits: the host's PID namespace (hostPID)")  # fmt: skip
        if copies_that_fit(view, inside=plan.change.lever is Lever.MODEL_INSTANCES) < plan.added:
            return None
        gains = _gains(view, plan, one, use)
        if not gains or gains[0].p90 < WORTH:
            return None
        why = "whether the workers wait for the GPU while requests wait for them"
        seen = profile_of(facts, why, "states")
        seen = seen if isinstance(seen, Need) else profile_of(facts, why)
        if isinstance(seen, Need):
            return seen
        wait, held = _wait(view, seen), occupation_of(view, seen, facts)
        if wait is None or wait.value - wait.error < settings.limit("wait_share"):
            return None
        if held is None or held.occupied < settings.limit("occupied_share") * held.threads:
            return None
        sure = (1.0 if use.counted else UNSURE) * (1.0 if one.alone else UNSURE)
        launch, lock = seen.share("cuda-launch"), sum(w.gil_waiting for w in seen.workers)
        return Conclusion(
            subject=subject_of(view),
            title=f"Workers wait for {one.gpu.subject_name} {wait.value:.0%} of their time and it is far from full: run "
            + _what(facts, plan.change),
            summary=f"{held.occupied:.1f} of {held.threads:.0f} request threads were occupied, {wait.value:.0%} ± "
            f"{wait.error:.0%} of that time by waiting for the GPU, while {told(use)}. {_turns(plan, one.gpu)} {_fits(one)}"
            + ("" if use.counted else f" {BUSY_ONLY}")
            + ("" if one.alone else " Others use it too."),
            confidence=round(sureness(0.8, seen) * sure * (1.0 if waits else 0.8), 3),
            evidence=(
                seen_in_profile(seen, "gpu_wait_share", "ratio", wait.value, settings.enter("wait_share")),
                seen_in_profile(seen, "gpu_wait_share_error", "ratio", wait.error),
                seen_on_gpu(one.gpu, f"{use.metric}_p95", "ratio", use.p95, settings.enter("gpu_used_p95")),
                seen_on_gpu(one.gpu, use.metric, "ratio", use.mean),
                *all_known(one.gpu, ("gpu_busy_mean", "ratio", one.gpu.busy_ratio)),
                seen_in_profile(
                    seen, "occupied_share", "ratio", held.occupied / held.threads, settings.enter("occupied_share")
                ),
                evidence(view, "waiting_requests_p50", "requests", queue, settings.enter("waiting_requests")),
                *all_known(one.gpu, ("gpu_copy", "bytes", copy_bytes(one)), ("gpu_free", "bytes", free_bytes(one.gpu))),
                *asked(view),
            ),
            rejected=(
                Rejected("gpu-full", f"the 95 % point of its use is {full:.0%}"),
                Rejected("pcie-bound", _pcie(one.gpu)),
                Rejected("gpu-launch-bound", f"launches took {launch.value:.0%} ± {launch.error:.0%} of the CPU time"),
                Rejected("gil-bound-worker", f"{lock:.1f} threads wait for the interpreter's lock"),
                Rejected("io-bound-workers", f"{held.outside:.1f} request threads wait for something outside"),
            ),
            changes=(plan.change,),
            gains=gains,
        )


def _plan(view: View, facts: ServiceFacts) -> Plan | None:
    """One more instance inside each process where the server has such a setting, else as few more processes as its setting
    of workers can add."""
    if not view.gpus:
        return None
    if facts.setting(Lever.MODEL_INSTANCES) is not None:
        now, there = instances_each(facts), max(len(one.own) for one in view.gpus)
        if now is None:
            return None
        change = Change(lever=Lever.MODEL_INSTANCES, current=now, proposed=now + 1)
        return Plan(change=change, copies=now * there, added=there, turns=False)
    count, each = len(view.serving), processes_each(view, facts)
    if facts.setting(Lever.WORKERS) is None or not each or not all(admits(one.gpu) for one in view.gpus):
        return None
    more = change_to(view, facts, count + each)
    turns = not all(one.gpu.mps for one in view.gpus)
    return None if more is None else Plan(change=more, copies=count, added=each, turns=turns)


def _wait(view: View, seen: ProfileView) -> Share | None:
    """Of the time in which the workers on the devices ran or waited in the driver, that in which they waited for a device.
    Calls for memory wait in the driver as well: where those are more, none of its waits counts."""
    own = {p.worker for one in view.gpus for p in one.own}
    waited = busy = variance = 0.0
    for worker in seen.workers:
        if worker.key not in own:
            continue
        sync, memory = worker.classes.get("cuda-sync", Share(0.0)), worker.classes.get("allocation", Share(0.0))
        asleep = sum(t.waits.get("device", 0.0) for t in worker.threads if t.python)
        waited += sync.value * worker.cores + (asleep if sync.value >= memory.value else 0.0)
        busy += worker.cores + asleep
        variance += (sync.error * worker.cores) ** 2
    return Share(waited / busy, variance**0.5 / busy) if busy > 0 else None


def _gains(view: View, plan: Plan, one: ServiceGpu, use: Use) -> tuple[Gain, ...]:
    """At most as many times as much as there are copies more, and no more than fills the device: the time in which nothing
    runs there, for processes that take turns, else its units. Likely what a queue for one device gives."""
    now, then = plan.copies, plan.copies + plan.added
    busy = one.gpu.busy_ratio if one.gpu.busy_ratio is not None else use.mean
    filled = max(busy if plan.turns else 0.0, use.mean, one.gpu.dram_active_ratio or 0.0)
    most = min(then / now, 1 / max(0.01, filled))
    likely = min(most, with_more(now, busy, plan.added))
    ratio = throughput(1.0, max(1.0, likely), max(1.0, most))
    gains = [ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.1)]
    added = cost_of_more(view, plan.added) if plan.change.lever is Lever.WORKERS else None
    return (*gains, added) if added else tuple(gains)


def _what(facts: ServiceFacts, change: Change) -> str:
    if change.lever is Lever.MODEL_INSTANCES:
        return f"{change.proposed} instances of the model"
    return count_told(facts, change, "workers")


def _turns(plan: Plan, gpu: GpuView) -> str:
    if not plan.turns:
        return "Copies can run on it side by side."
    idle = (
        "its idle time" if gpu.busy_ratio is None else f"the {1 - gpu.busy_ratio:.0%} of the time in which nothing runs"
    )
    return f"Processes take turns on it without MPS: one more can only use {idle}."


def _fits(one: ServiceGpu) -> str:
    each, free = copy_bytes(one) or 0, free_bytes(one.gpu) or 0
    return f"The largest process holds {gib(each)} there, {gib(free)} were free."


def _pcie(gpu: GpuView) -> str:
    share = link_share(gpu)
    return "its traffic is not known" if share is None else f"PCIe carries {share:.0%} of what the link can"
