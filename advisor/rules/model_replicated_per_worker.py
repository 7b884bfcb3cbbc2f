"""Does every worker hold a copy of the model of its own, where one could do for all?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Conclusion, Evidence, Gain, Need, Rejected
from advisor.gpu.holding import weights_bytes
from advisor.intervals import gain
from advisor.memory_want import amount
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.view import View, WorkerView
from advisor.workers import can_count
from collectors.levers import Lever
from collectors.registry import framework_named

MIB = 1 << 20
SHARED = (0.5, 0.85, 1.0)
"""Of a copy whose files are known, what stays shared after the fork: least, likely, most. Reference counts and what is worked
out at the first request make pages a worker's own again."""
SHARED_UNSEEN = (0.3, 0.7, 0.95)
"""The same where it is only told from equal workers: some of it may have come after the fork."""
LEAST_UNSEEN = 96 * MIB
"""What an interpreter with its libraries has of its own is less."""
EQUAL = 0.1
"""Workers that load the same are equal up to this part."""
_UNPRELOADED = (
    "Fewer workers with more compute threads each, or weights that are mapped from a file, hold fewer copies."
)
_PRELOADED = (
    "Its code must not compute or start threads before the fork: a pool of OpenMP that has run does not survive it, and a "
    "worker that calls it then waits for ever. Try it on one instance."
)
NOT_LOADED = 0.5
"""A front-end that holds less than this part of a worker has not loaded the application itself."""
SCARCE = 0.2
"""Memory left, of the node's or of the limit, below which copies are in somebody's way."""


class ModelReplicatedPerWorker(Rule):
    """Every worker process holds its own copy of the same model.

    What it looks for: memory that belongs to one process alone and that no file can give back (private and dirty), in several
    workers of one service, as large as the files of its models; where those are not seen, equal in all workers of a server
    that could load before it forks and does not.
    Why it matters: n workers cost n models of memory and n loads at the start, and the copies displace each other from the
    caches. It is what stands in the way of another worker.
    What to do: load before the fork (gunicorn --preload), so that the pages are shared; else weights in a file that is mapped
    (safetensors, GGUF, ONNX external data), which all share, or fewer workers: how many is left to workers-exceed-cores and
    workers-idle-rightsizing. While memory is plentiful it is worth knowing and no more.
    When it is wrong: pages that are shared or copied on write do not count, so it needs a look inside the processes. With
    CUDA, or threads that run before the fork, loading first is not possible. Shared pages become private over time: look
    again after an hour. MLServer's pools do not help: each has workers of its own.
    """

    proven = ("live", "built")
    recovers = "memory"
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "replicated_bytes": Threshold(
            enter=256 * MIB, leave=192 * MIB, unit="bytes", doc="that copies beyond the first hold"
        ),
        "copy_ratio": Threshold(
            enter=0.6, leave=0.5, unit="ratio", doc="private and dirty / size of the models' files"
        ),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        count = len(view.serving)
        if count < 2 or not can_count(facts):
            return None
        private = [w.private_dirty_bytes for w in view.serving if w.private_dirty_bytes is not None]
        if len(private) < count:
            return _unseen(view, facts, settings, bool(private))
        found = _copies(view, facts, settings, private)
        if found is None or found.replicated < settings.limit("replicated_bytes"):
            return None
        change = _change(view, facts)
        if not found.known and change is None:
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"{count} workers hold {amount(found.each)} each of their own{_title(change)}",
            summary=_summary(view, found, change),
            confidence=0.8 if found.known else 0.45,
            evidence=_evidence(view, settings, found),
            rejected=_rejected(view, found),
            changes=() if change is None else (change,),
            gains=_gains(view, found, change),
            spares=not _scarce(view),
        )


class _Copies(msgspec.Struct, frozen=True, kw_only=True):
    """`each`: bytes of one copy; `replicated`: of all beyond the first; `known`: whether the models' files were seen, which
    are `stored` long; `spread`: by how much the workers differ; `idle`: whether the front-end holds one too."""

    each: float
    replicated: float
    known: bool
    stored: int | None
    spread: float
    idle: bool
    least: int


def _copies(view: View, facts: ServiceFacts, settings: Settings, private: list[int]) -> _Copies | None:
    stored, mean = weights_bytes(facts.service.models), sum(private) / len(private)
    spread = (max(private) - min(private)) / mean if mean > 0 else 1.0
    if stored:
        if min(private) < settings.limit("copy_ratio") * stored:
            return None
        each = sum(min(one, stored) for one in private) / len(private)
    elif spread <= EQUAL and min(private) >= LEAST_UNSEEN:
        each = float(min(private))
    else:
        return None
    front = _apart(view)
    idle = (
        bool(stored) and front is not None and (front.private_dirty_bytes or 0) >= settings.limit("copy_ratio") * each
    )
    more = len(private) - 1 + idle
    return _Copies(
        each=each,
        replicated=more * each,
        known=bool(stored),
        stored=stored,
        spread=spread,
        idle=idle,
        least=min(private),
    )


def _apart(view: View) -> WorkerView | None:
    """The front-end where it does not serve itself."""
    front = view.front_end
    return front if front is not None and front.key not in {w.key for w in view.serving} else None


def _unseen(view: View, facts: ServiceFacts, settings: Settings, some: bool) -> Need | None:
    """Asks for a look inside where the workers are large enough that copies could matter, and something could be done."""
    sizes = sorted(w.resident_bytes or 0 for w in view.serving)
    reason = weights_bytes(facts.service.models) is not None or _can_preload(view, facts)
    if sum(sizes[:-1]) < settings.limit("replicated_bytes") or not reason:
        return None
    what = "how much of its workers' memory is their own"
    if some:
        return Need(kind="time", text=f"{what}: a minute more")
    return Need(kind="privilege", text=f"{what}: CAP_SYS_PTRACE (the sidecar), and a minute")


def _can_preload(view: View, facts: ServiceFacts) -> bool:
    """Whether the server could load before it forks, and does not."""
    framework, now = framework_named(facts.service.framework), facts.setting(Lever.PRELOAD)
    if framework is None or framework.knob(Lever.PRELOAD) is None or (now is not None and now.value is True):
        return False
    if any("cuda" in (w.drivers or ()) or "rocm" in (w.drivers or ()) for w in view.service.serving):
        return False
    front, held = _apart(view), [w.resident_bytes or 0 for w in view.serving]
    return front is not None and (front.resident_bytes or 0) < NOT_LOADED * min(held)


def _change(view: View, facts: ServiceFacts) -> Change | None:
    """Loading first, where the server can."""
    if not _can_preload(view, facts):
        return None
    now = facts.setting(Lever.PRELOAD)
    return Change(lever=Lever.PRELOAD, current=None if now is None else now.value, proposed=True)


def _scarce(view: View) -> bool:
    """Whether the node, or the limit, has little left beside what its processes hold."""
    limit, held = view.cgroup.memory_limit_bytes if view.cgroup else None, view.resident_bytes
    total, available = view.memory_total_bytes, view.memory_available_bytes
    short = bool(total) and available is not None and available < SCARCE * (total or 0)
    return short or (limit is not None and held is not None and held > (1 - SCARCE) * limit)


def _title(change: Change | None) -> str:
    if change is None:
        return ": one copy could do for all"
    return ": load before the fork, so that they share it"


def _summary(view: View, found: _Copies, change: Change | None) -> str:
    said = [f"{amount(found.replicated)} of it are copies beyond the first."]
    if found.known and found.stored is not None:
        said.append(f"The files of its models are {amount(found.stored)} long.")
    else:
        said.append("Which model it is was not seen: the workers differ by no more than "
                    f"{found.spread:.0%}, so that they have loaded the same.")  # fmt: skip
    if found.idle:
        said.append("The front-end holds a copy that it does not use.")
    said.append(_UNPRELOADED if change is None else _PRELOADED)
    return " ".join(said)


def _gains(view: View, found: _Copies, change: Change | None) -> tuple[Gain, ...]:
    """Of the memory that is counted once for each page: what the copies beyond the first take."""
    if change is None:
        return ()
    whole = [w.proportional_bytes for w in view.workers if w.proportional_bytes is not None]
    before = max(float(sum(whole)), found.replicated + found.each)
    parts = SHARED if found.known else SHARED_UNSEEN
    least, likely, most = (max(0.02, 1 - part * found.replicated / before) for part in parts)
    return (gain("memory_ratio", most, likely, least),)


def _evidence(view: View, settings: Settings, found: _Copies) -> tuple[Evidence, ...]:
    whole = sum(w.proportional_bytes or 0 for w in view.workers)
    shown = [
        evidence(view, "replicated_memory", "bytes", found.replicated, settings.enter("replicated_bytes")),
        evidence(view, "private_dirty_of_a_worker", "bytes", found.least),
        evidence(view, "workers", "workers", len(view.serving)),
        evidence(view, "proportional_memory", "bytes", whole),
    ]
    if found.stored:
        ratio = found.least / found.stored
        shown.append(evidence(view, "private_dirty_per_model_size", "ratio", ratio, settings.enter("copy_ratio")))
    return tuple(shown)


def _rejected(view: View, found: _Copies) -> tuple[Rejected, ...]:
    resident = min((w.resident_bytes or 0 for w in view.serving), default=0)
    return (
        Rejected("pages that are shared", f"{amount(found.least)} of {amount(resident)} are private and dirty"),
        Rejected("caches that each worker fills", f"the workers differ by {found.spread:.0%}"),
    )
