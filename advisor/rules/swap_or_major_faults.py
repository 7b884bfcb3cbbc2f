"""Do requests wait for pages that come back from swap or are read from a file again?"""

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need, Rejected
from advisor.memory_want import FAULT_SECONDS, Want, cost_of, limit_that_fits, shown, want_of
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, subject_of
from advisor.view import View

AT_LIMIT, SHORT = 0.9, 0.1
PRESSED = 0.05
"""Of a cgroup that is slowed down before its limit (memory.high): the share of time that it waits."""
SWAPS_BYTES = 65536.0
"""Bytes per second that come back from swap, from which on pages were taken from somebody."""


class SwapOrMajorFaults(Rule):
    """Memory accesses of the service wait for a device: pages come back from swap, or are read from a file again.

    What it looks for: major faults of the service's own processes with pages that were taken from it before: swap that is
    read, a limit that is reached, a node without memory. Pressure stalls tell what the faults cost; without them the number
    alone has to.
    Why it matters: 30 faults a second can cost more than nine tenths of the throughput, because the kernel reads ahead and
    then searches for pages to give up; the number of faults looks small.
    What to do: more memory, which memory-pressure words as a limit where one holds: it is the cause, and this is how it
    shows. Where swap is used without want, keep the service out of it (MemorySwapMax=0 of its unit, memory.swap.max), or lock
    the weights (llama.cpp's --mlock).
    When it is wrong: a model that is mapped and touched for the first time faults as well; nothing was taken from it then, so
    it is left out. Swap is counted for the node: that it is this service's is told by its own faults and swapped pages.
    """

    proven = ("live", "built")
    recovers = "latency"
    caused_by = ("memory-pressure",)
    thresholds = {
        "major_faults_per_second": Threshold(enter=10.0, leave=5.0, unit="1/s", doc="of the service's processes"),
        "stalled_ratio": Threshold(
            enter=0.05, leave=0.02, unit="ratio", doc="share of time some of it waits for pages"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        want = want_of(view, AT_LIMIT, SHORT)
        if want.faults < settings.limit("major_faults_per_second") or not _taken(view, want):
            return None
        if want.stalled is None and want.faults * FAULT_SECONDS[0] < settings.limit("stalled_ratio"):
            return Need(kind="kernel", text="what its major faults cost: pressure stall information (boot with psi=1)")
        if want.waits[1] < settings.limit("stalled_ratio"):
            return None
        change = limit_that_fits(view, facts, want)
        return Conclusion(
            subject=subject_of(view),
            title=_title(want),
            summary=_summary(view, want),
            confidence=0.85 if want.stalled is not None and (want.share or 0.0) >= 0.5 else 0.5,
            evidence=(*shown(view, want, settings, "stalled_ratio", "major_faults_per_second"), *asked(view)),
            rejected=_rejected(view, want),
            changes=() if change is None else (change,),
            gains=cost_of(view, want),
            told_after_seconds=5.0,
        )


def _taken(view: View, want: Want) -> bool:
    """Whether pages were taken from it before: else it touches them for the first time."""
    pressed = (view.memory.cgroup_some_ratio or 0.0) >= PRESSED
    swaps = want.kind == "swap" and (view.memory.swap_in_bytes_per_second or 0.0) >= SWAPS_BYTES
    return want.at_limit or want.short or pressed or swaps


def _title(want: Want) -> str:
    if want.kind == "swap":
        return f"{want.faults:.0f} times a second it waits for memory that comes back from swap"
    return f"{want.faults:.0f} times a second it waits for pages of mapped files that are read again"


def _summary(view: View, want: Want) -> str:
    least, likely = want.waits
    back = (view.memory.swap_in_bytes_per_second or 0.0) / (1 << 20)
    said = [f"The faults cost {least:.0%} to {likely:.0%} of the time."]
    if want.kind == "swap":
        said.append(f"{back:.1f} MiB per second come back from swap.")
        if not want.at_limit and not want.short:
            said.append("Neither a limit nor the node wants memory: what was swapped out before is missed now.")
    else:
        said.append(
            "None come from swap: a mapped model is larger than what may stay in memory; mlock would not fit either."
        )
    return " ".join(said)


def _rejected(view: View, want: Want) -> tuple[Rejected, ...]:
    back = (view.memory.swap_in_bytes_per_second or 0.0) / (1 << 20)
    other = (
        Rejected("a mapped model that does not fit", f"{back:.1f} MiB per second come back from swap")
        if want.kind == "swap"
        else Rejected("swapping", f"{back:.1f} MiB per second come back from swap")
    )
    hits = view.memory.limit_hits_per_second or 0.0
    available = (view.memory_available_bytes or 0) / (1 << 20)
    taken = (
        f"{hits:.0f} limit hits per second, {available:.0f} MiB left on the node, {back:.1f} MiB per second from swap"
    )
    found = [other, Rejected("a model that is touched for the first time", taken)]
    if want.share is not None:
        found.append(Rejected("faults of other services", f"{want.share:.0%} of the node's major faults are its own"))
    return tuple(found)
