"""Does a GPU wait because the CPU cannot prepare inputs fast enough?"""

from math import ceil

from advisor.contention import copies_that_fit
from advisor.copies import cost_of_more
from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Gain, Need, Rejected
from advisor.gpu.use import BUSY_ONLY, Use, all_known, fullest, link_share, seen_on_gpu, told, unread
from advisor.gpu.view import GpuView
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling import evidence as profiled
from advisor.profiling.asking import profile_of
from advisor.profiling.limits import PRESSURE, busiest, ceiling, faster, fullness, limiting, pressed, speedup
from advisor.profiling.stages import NAMES, hottest, kind_of, largest, stages_of, stages_told, together
from advisor.profiling.view import ProfileView, Share
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from advisor.workers import change_to, processes_after
from collectors.code_levers import stage_advice
from collectors.levers import Lever

MOST = 0.98
"""However much seems to go into inputs, something is left."""
UNSURE = 0.7
"""What is left of the confidence where the GPU's use is known in time only, or where others use it too."""


class GpuStarvedByPreprocess(Rule):
    """The GPU has little to do, as the CPU is busy preparing its inputs.

    What it looks for: a GPU that is used well below its limit while CPU time bounds the service, and decoding, resizing,
    tokenising and feature functions at three tenths or more of the CPU time of the processes that are the limit.
    Why it matters: the GPU is paid for and waits. A faster one, a smaller model or larger batches would change nothing.
    What to do: more processes that prepare inputs (API servers, workers) where cores are idle, else less work there: decode at
    the size that is needed, a compiled tokeniser that truncates, or a stage that runs on the GPU.
    When it is wrong: where those frames take payloads apart, or where most of the CPU time is waiting for the GPU: both are
    told apart. A GPU that was shared in the window had other reasons to be idle, too.
    """

    proven = ("recorded", "built")
    recovers = "device"
    yields_to = ("cgroup-cpu-throttled", "pcie-bound")
    thresholds = {
        "preprocess_share": Threshold(
            enter=0.3, leave=0.22, unit="ratio", doc="preparing inputs, share of the limiting processes' CPU time"
        ),
        "gpu_used_p95": Threshold(enter=0.7, leave=0.8, unit="ratio", doc="95 % point of the GPU's use, at most"),
        **PRESSURE,
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not view.gpus or not pressed(view, settings):
            return None
        found = fullest(view.gpus)
        if found is None:
            return unread(view.gpus)
        one, use = found
        if use.p95 >= settings.limit("gpu_used_p95"):
            return None
        seen = profile_of(facts, "how much CPU time goes into preparing inputs for the GPU")
        if isinstance(seen, Need):
            return seen
        limit = limiting(view, seen, settings)
        if limit is None:
            return None
        stages = stages_of(limit)
        whole, sync, serialise = together(stages), limit.share("cuda-sync"), limit.share("serialise")
        if whole.value - whole.error < settings.limit("preprocess_share"):
            return None
        if max(sync.value, serialise.value) >= whole.value:
            return None
        first, busy = largest(stages), _busy(one.gpu, use)
        more = _more(view, facts, limit, busy)
        advice = Change(lever=Lever.PREPROCESSING, current=NAMES[first], proposed=stage_advice(kind_of(first, limit)))
        sure = (1.0 if use.counted else UNSURE) * (1.0 if one.alone else UNSURE)
        return Conclusion(
            subject=subject_of(view),
            title=f"{one.gpu.subject_name} waits for its inputs: preparing them takes {whole.value:.0%} of the CPU time",
            summary=f"{profiled.told(whole)} of the CPU time that limits the service went into inputs: "
            f"{stages_told(stages).lower()}{hottest(limit)}, while {told(use)}. "
            f"The GPU has room for at most {1 / busy:.1f} times the work."
            + ("" if use.counted else f" {BUSY_ONLY}")
            + ("" if one.alone else " Others use it too."),
            confidence=round(profiled.sureness(0.85, limit) * sure, 3),
            evidence=(
                *profiled.share_evidence(limit, "preprocess", whole, settings.enter("preprocess_share")),
                *(profiled.seen_in_profile(limit, f"{name}_share", "ratio", s.value) for name, s in stages.items()),
                seen_on_gpu(one.gpu, f"{use.metric}_p95", "ratio", use.p95, settings.enter("gpu_used_p95")),
                seen_on_gpu(one.gpu, use.metric, "ratio", use.mean),
                *all_known(one.gpu, ("gpu_busy_mean", "ratio", one.gpu.busy_ratio)),
                evidence(view, "cores_full_ratio", "ratio", fullness(view), settings.enter("cores_full")),
                evidence(view, "busiest_process", "ratio", busiest(view, limit), settings.enter("process_busy")),
                *asked(view),
            ),
            rejected=_rejected(view, one.gpu, use, sync, serialise),
            changes=(more or advice,),
            gains=_spread(view, more, limit, busy) if more else _saved(view, limit, whole, busy),
        )


def _busy(gpu: GpuView, use: Use) -> float:
    """What bounds the gain: each request needs its time on the GPU as before."""
    return max(0.01, gpu.busy_ratio if gpu.busy_ratio is not None else use.mean)


def _more(view: View, facts: ServiceFacts, limit: ProfileView, busy: float) -> Change | None:
    """More of the processes that are the limit, as idle cores, memory and the GPU allow; None where there is no room."""
    serving, limited = {w.key for w in view.serving}, {w.key for w in limit.workers}
    lever = Lever.WORKERS if limited <= serving else Lever.API_SERVERS
    setting, growth = facts.setting(lever), _growth(view, limit, busy)
    if setting is None or (lever is Lever.API_SERVERS and limited & serving):
        return None
    if lever is Lever.WORKERS:
        count = len(view.serving)
        most = min(ceil(count * growth - 0.25), count + copies_that_fit(view))
        return change_to(view, facts, most) if most > count else None
    now = setting.value if isinstance(setting.value, int) and setting.value > 0 else len(limited)
    proposed = ceil(now * growth - 0.25)
    return Change(lever=lever, current=now, proposed=proposed) if proposed > now else None


def _growth(view: View, limit: ProfileView, busy: float) -> float:
    """By how much the limiting processes could grow: until the cores are full, the GPU is, or the next process is saturated
    in its turn."""
    used = sum(w.cores_used for w in view.workers if w.key in {p.key for p in limit.workers})
    left = min(view.effective_cores, float(len(view.mask))) - view.cores_used
    return min(1 / busy, 1 + max(0.0, left) / max(0.1, used), ceiling(view, limit))


def _spread(view: View, more: Change, limit: ProfileView, busy: float) -> tuple[Gain, ...]:
    """At most as many times as much as there are processes more, and as they can grow; likely half of it."""
    most = max(1.0, min(int(more.proposed or 1) / int(more.current or 1), _growth(view, limit, busy)))
    ratio = throughput(1.0, (1 + most) / 2, most)
    gains = [ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.1)]
    workers = more.lever is Lever.WORKERS
    added = cost_of_more(view, processes_after(view, more) - len(view.serving)) if workers else None
    return (*gains, added) if added else tuple(gains)


def _saved(view: View, limit: ProfileView, whole: Share, busy: float) -> tuple[Gain, ...]:
    """At most all of that time vanishes, or the GPU is full before; likely half of it does."""
    most = min(MOST, whole.value + whole.error + limit.share("unknown").value)
    top = 1 / busy
    return faster(view, limit, 1.0, min(top, speedup(whole.value, 0.5)), min(top, speedup(most, 0.0)))


def _rejected(view: View, gpu: GpuView, use: Use, sync: Share, serialise: Share) -> tuple[Rejected, ...]:
    link = link_share(gpu)
    pcie = "its traffic is not known" if link is None else f"PCIe carries {link:.0%} of what the link can"
    batch = "" if view.batch_size is None else f"; batches hold {view.batch_size:.1f} requests"
    return (
        Rejected("gpu-full", f"the 95 % point of its use is {use.p95:.0%}"),
        Rejected("gpu-wait-workers", f"waiting for the GPU took {profiled.told(sync)} of the CPU time"),
        Rejected("serialisation-heavy", f"(de)serialising took {profiled.told(serialise)}"),
        Rejected("gpu-small-batches", f"the process that feeds the GPU is the limit{batch}"),
        Rejected("pcie-bound", pcie),
    )
