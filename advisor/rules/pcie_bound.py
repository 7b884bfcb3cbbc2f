"""Do copies between the host and a GPU take the time?"""

from typing import Literal

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.copying import Copying, kept_of_received, may_exchange, most_copying, with_profile
from advisor.gpu.use import all_known, seen_on_gpu, use_of
from advisor.gpu.view import ServiceGpu
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.profiling.asking import FRESH_SECONDS, profile_of
from advisor.profiling.evidence import seen_in_profile
from advisor.profiling.limits import PRESSURE, busy
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, subject_of
from advisor.view import View

Why = Literal["link_share", "slow_link_share", "copied_bytes"]
"""The threshold that it rests on: the link is full, is slower than it could be, or copies fill the CPU time beside it."""
SURE: dict[Why, float] = {"link_share": 0.8, "slow_link_share": 0.8, "copied_bytes": 0.7}
TWO_SIDES = 1.96
SAMPLED, SHARED = 0.7, 0.8
"""What is left of the confidence where traffic is seen in samples only, and where others use the device, too."""


class PcieBound(Rule):
    """Copies over PCIe take as long as the link, or the kind of memory that they come from, makes them.

    What it looks for: traffic of a GPU at three fifths of its link or more while no model is loaded; a link that runs below
    what device and slot can do, under traffic; or workers that spend half of their time in copies which use little of it.
    Why it matters: what is copied anew for each request costs time in which the GPU has nothing to compute, and no change of
    the model, its batches or its workers takes that away.
    What to do: keep on the device what does not change; pinned memory with `non_blocking=True`, so that copies run at the speed
    of the link and beside kernels; a smaller type or smaller inputs; reseat the card, or use another slot, where the link is
    too slow.
    When it is wrong: traffic is counted for the whole device, so of shared ones a profile has to show copies, too, and of
    several that hold one model, as they send to each other over PCIe where NVLink does not join them. Copies that
    already run beside kernels cost less than it says: that is the lower bound. Copy functions are named only where the
    profiler sees who calls the driver.
    """

    proven = ("recorded", "built")
    recovers = "device"
    yields_to = ("cgroup-cpu-throttled", "model-exceeds-vram")
    thresholds = {
        "link_share": Threshold(enter=0.6, leave=0.5, unit="ratio", doc="PCIe traffic / what the link carries"),
        "slow_link_share": Threshold(enter=0.3, leave=0.2, unit="ratio", doc="the same on a link below its best"),
        "copied_bytes": Threshold(
            enter=2.5e9, leave=1.5e9, unit="bytes_per_second", doc="PCIe traffic for each second in functions that copy"
        ),
        "copy_share": Threshold(enter=0.5, leave=0.4, unit="ratio", doc="CPU time in functions that copy"),
        "wait_share": Threshold(
            enter=0.2, leave=0.15, unit="ratio", doc="CPU time in copies and waits, where traffic alone does not tell"
        ),
        "kept_share": Threshold(enter=0.25, unit="ratio", doc="memory growth / bytes that came in: a model is loaded"),
        "process_busy": PRESSURE["process_busy"],
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        found = most_copying(view.gpus)
        if found is None or found.traffic < _least(settings) or view.requests_per_second == 0:
            return None
        kept = kept_of_received(found.one.gpu)
        if kept is not None and kept >= settings.limit("kept_share"):
            return None
        why, between = _why(found, settings), may_exchange(view, facts)
        if why == "copied_bytes" and not _saturated(view, found.one, settings):
            return None
        needs = why == "copied_bytes" or (why == "link_share" and between)
        needs = needs or kept is None or not found.one.alone or found.one.gpu.pcie_sampled
        fresh = facts.profile is not None and facts.profile.age_seconds <= FRESH_SECONDS
        if needs or fresh:
            seen = profile_of(facts, "whether its workers wait for copies to and from the GPU")
            if isinstance(seen, Need) and needs:
                return _between(view, found, seen) if why == "link_share" and between else seen
            found = found if isinstance(seen, Need) else with_profile(found, view, seen)
        if why == "link_share" and between and (found.hosts or 0.0) < settings.limit("wait_share"):
            return _between(view, found)
        return _conclusion(view, facts, settings, found, why) if _seen(settings, found, why, needs, between) else None


def _seen(settings: Settings, found: Copying, why: Why, needs: bool, between: bool) -> bool:
    """Whether profiles show that copies take the time, as far as they have to."""
    copies = (found.hosts if between else found.named) or 0.0
    if why == "copied_bytes" and (
        copies < settings.limit("copy_share") or found.copied_per_second < settings.limit("copied_bytes")
    ):
        return False
    witness = found.seen if found.one.alone else found.named or 0.0  # who waits on a shared one may wait for others
    return not needs or witness >= settings.limit("wait_share")


def _least(settings: Settings) -> float:
    """Traffic that half of a core copies at least: with less, nothing of it can take the time."""
    return settings.limit("copied_bytes") * settings.limit("copy_share")


def _between(view: View, found: Copying, lacking: Need | None = None) -> Need:
    """What is not known where devices may send to each other. `lacking`: the profile that would show copies of the host."""
    text = (
        f"what fills {found.link:.0%} of the link of {found.one.gpu.subject_name}: traffic between its {len(view.gpus)} GPUs "
        "counts too, which fewer of them for a model, or NVLink, would take away; copies of the host have to be seen in a "
        "profile that names them"
    )
    return Need(kind=lacking.kind if lacking is not None else "metrics", text=text)


def _why(found: Copying, settings: Settings) -> Why:
    if found.slower < 1 and found.link >= settings.limit("slow_link_share"):
        return "slow_link_share"
    return "link_share" if found.link >= settings.limit("link_share") else "copied_bytes"


def _saturated(view: View, one: ServiceGpu, settings: Settings) -> bool:
    own = {p.worker for p in one.own}
    return any(busy(w) >= settings.limit("process_busy") for w in view.workers if w.key in own)


def _conclusion(view: View, facts: ServiceFacts, settings: Settings, found: Copying, why: Why) -> Conclusion:
    gpu, use, kept = found.one.gpu, use_of(found.one.gpu), kept_of_received(found.one.gpu)
    sure = SURE[why] * (SAMPLED if gpu.pcie_sampled else 1.0) * (1.0 if found.one.alone else SHARED)
    grew = "growth of its memory is not known" if kept is None else f"its memory grew by {kept:.0%} of what came in"
    return Conclusion(
        subject=subject_of(view),
        title=_title(found, why),
        summary=_summary(found, why),
        confidence=round(sure, 3),
        evidence=(
            seen_on_gpu(
                gpu, "gpu_link_share", "ratio", found.link, None if why == "copied_bytes" else settings.enter(why)
            ),
            *all_known(
                gpu,
                ("gpu_pcie_sent", "bytes_per_second", gpu.pcie_tx_bytes_per_second),
                ("gpu_pcie_received", "bytes_per_second", gpu.pcie_rx_bytes_per_second),
                ("gpu_pcie_link", "bytes_per_second", gpu.pcie_link_bytes_per_second),
                ("gpu_pcie_link_of_best", "ratio", found.slower),
            ),
            *(() if use is None else (seen_on_gpu(gpu, use.metric, "ratio", use.mean),)),
            *_profiled(facts, settings, found, why),
            *asked(view),
        ),
        rejected=(
            Rejected("model-load", grew),
            Rejected(
                "gpu-full", "its use is not known" if use is None else f"the 95 % point of its use is {use.p95:.0%}"
            ),
        ),
        gains=_gains(found, why),
    )


def _profiled(facts: ServiceFacts, settings: Settings, found: Copying, why: Why) -> tuple[Evidence, ...]:
    if facts.profile is None or found.named is None:
        return ()
    rate = ("copied_bytes", "bytes_per_second", found.copied_per_second, settings.enter("copied_bytes"))
    return (
        *((seen_in_profile(facts.profile, *rate),) if why == "copied_bytes" else ()),
        seen_in_profile(facts.profile, "copy_share", "ratio", found.named, settings.enter("copy_share")),
        seen_in_profile(facts.profile, "gpu_wait_share", "ratio", found.waits or 0.0),
    )


def _title(found: Copying, why: Why) -> str:
    gpu = found.one.gpu
    if why == "slow_link_share":
        link = f"generation {gpu.pcie_generation} x{gpu.pcie_width}"
        return f"The link of {gpu.subject_name} runs at {found.slower:.0%} of its best ({link}) and is {found.link:.0%} full"
    if why == "link_share":
        return f"Copies fill {found.link:.0%} of the link to {gpu.subject_name}"
    return f"Copies to {gpu.subject_name} take {found.named or 0.0:.0%} of the workers' time and {found.link:.0%} of the link"


ADVICE: dict[Why, str] = {
    "link_share": "Keep on the device what does not change, send a smaller type, or let copies run beside kernels (pinned "
    "memory, non_blocking=True).",
    "slow_link_share": "Reseat the card or use another slot; a riser, a switch or the firmware may hold the link down.",
    "copied_bytes": "From pageable memory the driver copies twice and the caller waits: pinned memory with "
    "non_blocking=True runs at the speed of the link.",
}


def _summary(found: Copying, why: Why) -> str:
    gpu = found.one.gpu
    ways = ((gpu.pcie_rx_bytes_per_second, "to it"), (gpu.pcie_tx_bytes_per_second, "from it"))
    rates = " and ".join(f"{rate / 1e9:.1f} GB/s {way}" for rate, way in ways if rate is not None)
    said = [
        f"PCIe carried {rates}, of about {(gpu.pcie_link_bytes_per_second or 0) / 1e9:.1f} GB/s each way.",
        ADVICE[why],
    ]
    said += ["Traffic is sampled for 20 ms every ten seconds only."] if gpu.pcie_sampled else []
    said += [] if found.one.alone else ["Others use the device too, and traffic is counted for all of them."]
    return " ".join(said)


def _gains(found: Copying, why: Why) -> tuple[Gain, ...]:
    """Nothing at least, as copies may run beside kernels already; likely half of what is possible. Possible is: the link at
    its best; copies at the link's speed, as far as the profile may err; copies beside kernels, or half as many bytes."""
    link = found.link
    if why == "slow_link_share":
        most = 1 / max(0.05, 1 - link * (1 - found.slower))
    elif why == "copied_bytes":
        named = min(1.0, (found.named or 0.0) + TWO_SIDES * found.error)
        most = 1 / max(0.05, 1 - max(0.0, named - link))
    else:
        most = max(1 / max(link, 1 - link), 1 / (1 - link / 2))
    ratio = throughput(1.0, (1 + most) / 2, most)
    return (ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.9 / ratio.p90, 1 / ratio.p50, 1.1))
