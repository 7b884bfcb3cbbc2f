"""Does the service wait because its memory limit, or the node, has too few pages for what it uses?"""

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Need, Rejected
from advisor.memory_want import Want, amount, cost_of, limit_that_fits, shown, want_of
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, subject_of
from advisor.view import View

MANY_FAULTS = 20.0
"""Per second, that are worth asking for what they cost."""
_WHOSE = "whose waits for memory these are: pressure stalls of its own cgroup (version 2, psi=1)"
_NOT_TOLD = "how long it waits for memory: pressure stall information (boot with psi=1, kernel >= 4.20)"


class MemoryPressure(Rule):
    """The memory limit, or the node, is too small for what the service uses: pages that it needs again are taken from it.

    What it looks for: a cgroup at its limit that has to give pages back, or a node with hardly any memory left, while the
    service waits for memory: pressure stalls of its own cgroup, else its part of the node's, by the major faults that are
    its own. It says which pages are taken: those of a mapped model, own ones that went to swap, or neither.
    Why it matters: a page that is taken and needed again costs a device's time instead of a memory access. A model that
    does not fit into its limit by a little can lose nearly all of its throughput, and the CPU looks idle or busy in the
    kernel.
    What to do: raise the limit to what the model and the processes need; else fewer workers, a smaller or quantised model,
    weights that several workers map together. It is the cause of swap-or-major-faults, which is only how it shows: the same
    memory ends both.
    When it is wrong: page cache that fills a limit is no want: without waits it says nothing. A model that is read for the
    first time under a limit looks like it for some seconds. Without pressure stalls of its own cgroup (version 1) the waits
    of another service can be taken for its own, as far as that one has no faults.
    """

    proven = ("live", "built")
    recovers = "latency"
    caused_by = ("oom-eta",)
    thresholds = {
        "stalled_ratio": Threshold(enter=0.1, leave=0.05, unit="ratio", doc="share of time some of it waits for pages"),
        "full_ratio": Threshold(enter=0.05, leave=0.02, unit="ratio", doc="share of time all of it waits for pages"),
        "at_limit_ratio": Threshold(enter=0.9, leave=0.8, unit="ratio", doc="memory charged / limit"),
        "available_ratio": Threshold(enter=0.1, leave=0.15, unit="ratio", doc="memory left / memory of the node"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        want = want_of(view, settings.limit("at_limit_ratio"), settings.limit("available_ratio"))
        if not want.at_limit and not want.short:
            return None
        if want.stalled is None:
            return self._unknown(view, want, settings)
        full, some = want.stalled
        if some < settings.limit("stalled_ratio") and full < settings.limit("full_ratio"):
            return None
        change = limit_that_fits(view, facts, want)
        return Conclusion(
            subject=subject_of(view),
            title=_title(view, want, change),
            summary=_summary(view, want, change),
            confidence=_confidence(view, want),
            evidence=(*shown(view, want, settings, "stalled_ratio"), *asked(view)),
            rejected=_rejected(view, want),
            changes=() if change is None else (change,),
            gains=cost_of(view, want),
            told_after_seconds=5.0,
        )

    @staticmethod
    def _unknown(view: View, want: Want, settings: Settings) -> Need | None:
        """Stalls are not told, or not whose they are."""
        if view.memory.some_ratio is None:
            return Need(kind="kernel", text=_NOT_TOLD) if want.faults >= MANY_FAULTS else None
        if want.at_limit and view.memory.some_ratio >= settings.limit("stalled_ratio"):
            return Need(kind="kernel", text=_WHOSE)
        return None


def _confidence(view: View, want: Want) -> float:
    """Surest where the cgroup itself tells; on version 1 the surer the more of the node's faults are its own."""
    if view.memory.cgroup_some_ratio is not None:
        return 0.9
    return (0.5 if want.at_limit else 0.4) + 0.3 * (want.share or 0.0)


def _where(view: View, want: Want) -> str:
    limit = view.cgroup.memory_limit_bytes if view.cgroup else None
    return f"its memory limit of {amount(limit)}" if want.at_limit and limit is not None else "the node's memory"


def _title(view: View, want: Want, change: Change | None) -> str:
    where = _where(view, want)
    allow = f": allow {amount(int(change.proposed or 0))}" if change is not None else ""
    some = want.stalled[1] if want.stalled else 0.0
    if want.kind == "mapped":
        return f"the files that it maps do not fit into {where} and are read again and again{allow}"
    if want.kind == "swap":
        return f"it does not fit into {where} and swaps{allow}"
    return f"{where} is used up: it waits for memory {some:.0%} of the time{allow}"


def _summary(view: View, want: Want, change: Change | None) -> str:
    some = want.stalled[1] if want.stalled else 0.0
    said = [f"{some:.0%} of the time some of it waited for pages, with {want.faults:.0f} major faults per second."]
    hits = view.memory.limit_hits_per_second
    if want.at_limit and hits is not None:
        said.append(f"Its cgroup was at its limit {hits:.0f} times per second and gave pages back.")
    if want.kind == "mapped":
        said.append("None of them came from swap: they are pages of mapped files, a model's or the program's.")
    if change is None:
        said.append(_without_change(view, want))
    return " ".join(said)


def _without_change(view: View, want: Want) -> str:
    if want.short and not want.at_limit:
        return f"{amount(view.memory_available_bytes or 0)} are left on the node: fewer workers or a smaller model."
    return "How much it needs is not visible: raise the limit until its hits stand still."


def _rejected(view: View, want: Want) -> tuple[Rejected, ...]:
    back = view.memory.swap_in_bytes_per_second
    found = [Rejected("page cache that fills a limit", f"{(want.stalled or (0, 0))[1]:.0%} of the time it waits")]
    if want.kind != "swap" and back is not None:
        found.append(Rejected("swapping", f"{back / (1 << 20):.1f} MiB per second come back from swap"))
    if want.kind != "mapped":
        found.append(
            Rejected("a mapped model that does not fit", "none of its faults is of a file")
            if want.kind == "swap"
            else Rejected("a mapped model that does not fit", f"{want.faults:.1f} major faults per second")
        )
    if want.share is not None:
        found.append(Rejected("waits of other services", f"{want.share:.0%} of the node's major faults are its own"))
    return tuple(found)
