"""Does handing over small kernels take the time of the process that feeds a GPU?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.use import BUSY_ONLY, Use, all_known, fullest, power_share, seen_on_gpu, unread
from advisor.gpu.use import told as used_told
from advisor.gpu.view import GpuView
from advisor.profiling.asking import profile_of
from advisor.profiling.evidence import seen_in_profile, share_evidence, sureness, told
from advisor.profiling.limits import PRESSURE, busy, faster, speedup
from advisor.profiling.view import ProfileView, Share
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever
from collectors.places import places_for

BESIDE = ("array", "allocation")
"""What goes with launches: the framework's way from an operation to its kernel, and memory for each result."""
MOST = 0.95
"""However much of the time goes into launches, something is left."""
UNSURE = 0.7
"""What is left of the confidence where the GPU's use is known in time only."""


class GpuLaunchBound(Rule):
    """The process that feeds the GPU spends its time on launching kernels, and the GPU waits for them.

    What it looks for: a saturated worker whose CPU time goes mostly into calls of CUDA that launch kernels and a framework's
    way to them, beside a GPU of which little works, with idle time between the kernels; or a server that was told not to use
    CUDA graphs.
    Why it matters: each launch costs the CPU some microseconds, whatever the kernel does. Below that, neither a faster GPU
    nor more of its units make a request faster.
    What to do: CUDA graphs, which launch many kernels at once (`torch.compile(mode="reduce-overhead")`, `enable_cuda_graph` of
    ONNX Runtime, vLLM without --enforce-eager), or a compiled engine. Recorded on an H100 with 400 tiny kernels
    a request: 276 requests a second one by one, 2156 in a graph.
    When it is wrong: where the GPU is busy all the time: a full launch queue makes launches wait, and then the kernels are the
    limit. How long kernels take is not visible from outside, so it asks for that. Shapes that change cannot be captured.
    """

    proven = ("recorded", "built")
    recovers = "device"
    yields_to = ("cgroup-cpu-throttled", "gpu-starved-by-preprocess", "gpu-small-batches")
    thresholds = {
        "launch_share": Threshold(
            enter=0.45, leave=0.35, unit="ratio", doc="launching, share of the saturated workers' CPU time"
        ),
        "launch_share_of_way": Threshold(
            enter=0.3, leave=0.25, unit="ratio", doc="the same where the framework's way to each launch takes the rest"
        ),
        "way_share": Threshold(enter=0.8, leave=0.7, unit="ratio", doc="launching and the framework's way to it"),
        "launch_share_eager": Threshold(
            enter=0.25, leave=0.2, unit="ratio", doc="the same where the server was told not to use CUDA graphs"
        ),
        "gpu_used": Threshold(enter=0.3, leave=0.4, unit="ratio", doc="the GPU's use, at most"),
        "power_share": Threshold(enter=0.4, leave=0.5, unit="ratio", doc="power drawn / power limit, at most"),
        "gpu_busy": Threshold(
            enter=0.9, unit="ratio", doc="time in which anything ran, from which on a queue may be full"
        ),
        "process_busy": PRESSURE["process_busy"],
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        own = {p.worker for one in view.gpus for p in one.own}
        limited = {w.key: busy(w) for w in view.workers if w.key in own and busy(w) >= settings.limit("process_busy")}
        if not limited:
            return None
        found = fullest(view.gpus)
        if found is None:
            return unread(view.gpus)
        one, use = found
        if not _little(one.gpu, use, settings):
            return None
        seen = profile_of(facts, "whether its workers spend their time on launching kernels")
        if isinstance(seen, Need):
            return seen
        limit = msgspec.structs.replace(seen, workers=tuple(w for w in seen.workers if w.key in limited))
        launch, sync = limit.share("cuda-launch"), limit.share("cuda-sync")
        graphs = facts.setting(Lever.CUDA_GRAPHS)
        eager = graphs is not None and graphs.value is False
        enough = _enough(eager, launch.value + limit.share(*BESIDE).value, settings)
        if launch.value - launch.error < settings.limit(enough) or sync.value >= launch.value:
            return None
        if not (eager and use.counted) and _may_be_full(one.gpu, settings):
            return _need(launch, _busy_told(one.gpu))
        if graphs is not None and graphs.value is True:
            return _need(launch, f"it uses CUDA graphs already ({graphs.origin}): something is launched beside them")
        if not places_for(Lever.CUDA_GRAPHS, True, facts.service, facts.processes):
            return _need(launch, f"{facts.service.framework} has no setting for CUDA graphs")
        return Conclusion(
            subject=subject_of(view),
            title=f"Launching kernels takes {launch.value:.0%} of the time of the process that feeds {one.gpu.subject_name}"
            + (f", and {graphs.origin} rules out CUDA graphs" if eager and graphs is not None else ""),
            summary=f"Calls that launch kernels took {told(launch)} of the CPU time of its saturated workers, and the "
            f"framework's way to them {limit.share(*BESIDE).value:.0%}, while {used_told(use)}. Kernels captured in a CUDA "
            "graph are launched at once. How much of the model can be captured is not visible from outside."
            + ("" if use.counted else f" {BUSY_ONLY}"),
            confidence=round(sureness(0.75, limit) * (1.0 if use.counted else UNSURE), 3),
            evidence=(
                *share_evidence(limit, "cuda_launch", launch, settings.enter(enough)),
                seen_in_profile(limit, "launch_beside_share", "ratio", limit.share(*BESIDE).value),
                evidence(view, "busiest_process", "ratio", max(limited.values()), settings.enter("process_busy")),
                seen_on_gpu(one.gpu, use.metric, "ratio", use.mean, settings.enter("gpu_used")),
                *all_known(one.gpu, ("gpu_busy_mean", "ratio", one.gpu.busy_ratio)),
                *all_known(one.gpu, ("gpu_power_share", "ratio", power_share(one.gpu))),
                *asked(view),
            ),
            rejected=_rejected(view, one.gpu, limit, sync),
            changes=(Change(lever=Lever.CUDA_GRAPHS, current=graphs.value if graphs else None, proposed=True),),
            gains=_gains(view, limit, launch, use),
        )


def _enough(eager: bool, way: float, settings: Settings) -> str:
    """The threshold that launches have to reach."""
    if eager:
        return "launch_share_eager"
    return "launch_share_of_way" if way >= settings.limit("way_share") else "launch_share"


def _little(gpu: GpuView, use: Use, settings: Settings) -> bool:
    """Whether little of the device works. Time alone shows it only where hardly anything ran; beyond that power does."""
    power = power_share(gpu)
    if power is not None and power >= settings.limit("power_share"):
        return False
    return use.mean < settings.limit("gpu_used") or (not use.counted and power is not None)


def _may_be_full(gpu: GpuView, settings: Settings) -> bool:
    return gpu.busy_ratio is None or gpu.busy_ratio >= settings.limit("gpu_busy")


def _need(launch: Share, but: str) -> Need:
    return Need(
        kind="metrics",
        text=f"how long its kernels take (a trace by Nsight Systems or torch.profiler, from inside): launches fill "
        f"{launch.value:.0%} of its CPU time, but {but}",
    )


def _busy_told(gpu: GpuView) -> str:
    busy = "it is not known how much of the time" if gpu.busy_ratio is None else f"{gpu.busy_ratio:.0%} of the time"
    return f"{gpu.subject_name} is busy {busy}, and a full launch queue looks the same"


def _gains(view: View, limit: ProfileView, launch: Share, use: Use) -> tuple[Gain, ...]:
    """Nothing at least, as it may not be possible to capture the kernels; likely the launches and half of the framework's way
    to them vanish, at most all of it, until the device is full. Its busy time is no bound: kernels that wait for launches last
    longer."""
    beside = limit.share(*BESIDE).value
    top = 1 / max(0.01, use.mean) if use.counted else 1 / (1 - MOST)
    likely = speedup(min(MOST, launch.value + beside / 2), 0.0)
    most = speedup(min(MOST, launch.value + beside), 0.0)
    return faster(view, limit, 1.0, min(top, likely), min(top, most))


def _rejected(view: View, gpu: GpuView, limit: ProfileView, sync: Share) -> tuple[Rejected, ...]:
    batch = "the size of its batches is not known" if view.batch_size is None else (
        f"batches hold {view.batch_size:.1f} requests"
    )  # fmt: skip
    busy = "" if gpu.busy_ratio is None else f"nothing ran on it {1 - gpu.busy_ratio:.0%} of the time; "
    return (
        Rejected("gpu-wait-workers", f"{busy}waiting for it took {told(sync)} of the CPU time"),
        Rejected("gpu-starved-by-preprocess", f"preparing inputs took {told(limit.share('decode', 'tokenise'))}"),
        Rejected("serialisation-heavy", f"(de)serialising took {told(limit.share('serialise'))}"),
        Rejected("gpu-small-batches", batch),
    )
