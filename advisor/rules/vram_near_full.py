"""Is the memory of a GPU nearly full, or will it soon be, and does that service fill it?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Need, Rejected
from advisor.gpu.amounts import GIB, gib, lasting
from advisor.gpu.cache import Fill, fill_of, waiting_gain
from advisor.gpu.filling import Filling, asked_for, filling_of
from advisor.gpu.pool import AT_START, pool_of, tells_fill
from advisor.gpu.slimmer import gain_of, slimmer
from advisor.gpu.use import seen_on_gpu
from advisor.rule import Rule, Settings, Threshold, Verdict, asked, evidence, subject_of
from advisor.view import View
from collectors.levers import Lever


class VramNearFull(Rule):
    """The memory of a GPU is nearly full, or grows so that it soon will be, and this service is the one that fills it.

    What it looks for: used memory of a device against what driver and firmware leave of it, how it grew over the last minutes,
    and which processes hold it and grow. A server that reserves a share of the device at its start is judged by how full its
    own KV cache is instead; one that reserves all at the loading of a model, by whether it left any memory at all.
    Why it matters: the next allocation that does not fit ends a request, or the worker with all of its requests.
    What to do: fewer processes, smaller batches, a shorter context or a KV cache of 8 bits, by as much as is missing; where
    it grows, find out what keeps the memory.
    When it is wrong: memory that an allocator keeps for later looks used; a few minutes of growth need not go on. Who holds
    memory of other PID namespaces is not told by the driver.
    """

    proven = ("recorded", "built")
    recovers = "memory"
    needs_load = False
    minimum_samples = 0
    hold_seconds = 20.0
    yields_to = ("kv-cache-preemption",)
    thresholds = {
        "used_ratio": Threshold(enter=0.9, leave=0.8, unit="ratio", doc="used / usable device memory"),
        "kv_cache_ratio": Threshold(enter=0.95, leave=0.85, unit="ratio", doc="use of a server's own KV cache, a minute long"),
        "full_in_seconds": Threshold(enter=3600, leave=7200, unit="seconds", doc="until it is full at its present growth"),
        "left_bytes": Threshold(
            enter=GIB / 2, leave=GIB, unit="bytes", doc="left by a server that reserves all when it loads a model"
        ),
    }  # fmt: skip

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        if not view.gpus:
            return None
        found = [one for each in view.gpus if (one := filling_of(each, view, facts)) is not None]
        pool = pool_of(facts)
        if pool is not None:
            return self._pool(view, facts, settings, found, pool)
        verdicts = [self._device(view, facts, settings, one) for one in sorted(found, key=lambda one: -one.ratio)]
        concluded = next((one for one in verdicts if isinstance(one, Conclusion)), None)
        return concluded or next((one for one in verdicts if one is not None), None)

    def _device(self, view: View, facts: ServiceFacts, settings: Settings, found: Filling) -> Verdict:
        until = found.full_in
        soon = until is not None and until[1] <= settings.limit("full_in_seconds")
        if facts.service.framework in AT_START:
            near = found.free < settings.limit("left_bytes")
        else:
            near = found.ratio >= settings.limit("used_ratio")
        if not near and not soon:
            return None
        if found.own is None or (found.unknown > found.own and not found.grows):
            return _who(found)
        if not (found.grows if soon and not near else found.holder or found.grows):
            return None
        less = slimmer(view, facts, found, self.thresholds["used_ratio"].leave or 0.8) if near else None
        return Conclusion(
            subject=subject_of(view),
            title=_title(found, soon and found.grows),
            summary=_summary(found) + _kept(facts),
            confidence=_confidence(found, soon),
            evidence=_evidence(view, settings, found),
            rejected=(*_others(found), *_reserved(facts)),
            changes=() if less is None else (less.change,),
            gains=gain_of(found, less),
            harm="runs-out-of-memory" if soon and found.grows and asked_for(view) else None,
        )

    @staticmethod
    def _pool(view: View, facts: ServiceFacts, settings: Settings, found: list[Filling], pool: str) -> Verdict:
        fill = fill_of(view, facts)
        if fill is None:
            full = [one for one in found if one.ratio >= settings.limit("used_ratio")]
            if not full or not tells_fill(facts) or view.kv_cache_ratio is not None:
                return None
            text = f"how full its KV cache is ({pool}, so that a full device says nothing): its metrics page"
            return Need(kind="metrics", text=text)
        if fill.ratio < settings.limit("kv_cache_ratio"):
            return None
        return Conclusion(
            subject=subject_of(view),
            title=f"its KV cache is {fill.ratio:.0%} full: {_larger(fill)}",
            summary=f"Over the last {fill.seconds:.0f} s. {_waiting(view)} That the device itself is full is by design: {pool}."
            + (f" A larger share is out: {fill.why_not}." if fill.why_not else ""),
            confidence=0.7,
            evidence=(
                msgspec.structs.replace(
                    evidence(view, "kv_cache_ratio_p50", "ratio", fill.ratio, settings.enter("kv_cache_ratio")),
                    window_seconds=round(fill.seconds, 1), samples=fill.pages,
                ),
                *(seen_on_gpu(one.one.gpu, "gpu_memory_used_ratio", "ratio", one.ratio) for one in found[:1]),
                *asked(view),
            ),
            rejected=(
                Rejected("use of a moment", f"half of {fill.pages} pages over {fill.seconds:.0f} s say more than that"),
                *_placed(view),
            ),
            changes=() if fill.change is None else (fill.change,),
            gains=waiting_gain(view, fill),
        )  # fmt: skip


def _placed(view: View) -> tuple[Rejected, ...]:
    if view.preemptions_per_second != 0:
        return ()
    return (Rejected("kv-cache-preemption", "0 requests a minute lose their place in it"),)


def _larger(fill: Fill) -> str:
    if fill.change is None:
        return "the next request waits for one that ends"
    if fill.change.lever is Lever.GPU_MEMORY_SHARE:
        return f"give it {fill.change.proposed:.0%} of the device"
    return f"{fill.change.proposed} numbers in it hold twice as many tokens"


def _waiting(view: View) -> str:
    if view.server_queue is None:
        return "How many requests wait for room in it is not told."
    return f"{view.server_queue:.0f} requests wait while {view.in_flight or 0:.0f} run."


def _who(found: Filling) -> Need:
    name = found.one.gpu.subject_name
    what = (
        f"{gib(found.unknown)} of it are of no process that is known"
        if found.own is not None
        else "it does not tell whose"
    )
    text = f"who holds the {gib(found.used)} of {name}: {what}; the agent in the node's PID namespace (hostPID)"
    return Need(kind="privilege", text=text)


def _title(found: Filling, soon: bool) -> str:
    name, until = found.one.gpu.subject_name, found.full_in
    if soon and until is not None:
        return f"{name} is full in about {lasting(until[1])} if this service grows on as it does"
    return f"{name} is {found.ratio:.0%} full, and this service holds {gib(found.own or 0)} of it"


def _kept(facts: ServiceFacts) -> str:
    """What may look full and is not, or is so on purpose."""
    if facts.service.framework in AT_START:
        return f" It reserves all of it when it loads a model; of itself it leaves {gib(GIB)}."
    return " Memory that PyTorch keeps for later counts as used." if "torch" in (facts.compute_libraries or ()) else ""


def _summary(found: Filling) -> str:
    processes = "its process" if len(found.one.own) == 1 else f"{len(found.one.own)} of its processes"
    said = [f"{gib(found.used)} of {gib(found.usable)} are used, {gib(found.own or 0)} of that by {processes}."]
    if found.unknown:
        said.append(f"{gib(found.unknown)} are of no process that is known.")
    if found.growth is not None and found.full_in is not None:
        low, high = lasting(found.full_in[0]), lasting(found.full_in[2])
        whose = "and what grows are its processes" if found.grows else "and what grows are not its processes"
        when = low if low == high else f"{low} to {high}"
        said.append(
            f"It grows by {gib(60 * found.growth.likely)} a minute, {whose}: full in {when}. "
            f"Provisional: seen for {lasting(found.growth.seconds)}."
        )
    return " ".join(said)


def _confidence(found: Filling, soon: bool) -> float:
    """Of a growth the less the further it is drawn out; of memory that is nearly full it says nothing how it comes to more."""
    if not soon or found.growth is None or found.full_in is None:
        return 0.6 if found.one.alone else 0.5
    return 0.35 + 0.4 * min(1.0, found.growth.seconds / max(1.0, found.full_in[1]))


def _evidence(view: View, settings: Settings, found: Filling) -> tuple[Evidence, ...]:
    gpu, growth, until = found.one.gpu, found.growth, found.full_in
    shown = [
        seen_on_gpu(gpu, "gpu_memory_used_ratio", "ratio", found.ratio, settings.enter("used_ratio")),
        seen_on_gpu(gpu, "gpu_memory_free", "bytes", found.free),
        seen_on_gpu(gpu, "gpu_memory_of_service", "bytes", found.own or 0),
        seen_on_gpu(gpu, "gpu_memory_of_nobody_known", "bytes", found.unknown),
    ]
    if growth is not None and until is not None:
        shown += [
            Evidence(
                metric=name, unit=unit, observed=round(value, 1), threshold=limit,
                window_seconds=round(growth.seconds, 1), samples=growth.points,
            )
            for name, unit, value, limit in (
                ("gpu_memory_growth", "bytes_per_second", growth.likely, None),
                ("gpu_full_in", "seconds", until[1], settings.enter("full_in_seconds")),
            )
        ]  # fmt: skip
    return tuple(shown)


def _reserved(facts: ServiceFacts) -> tuple[Rejected, ...]:
    if facts.service.framework in AT_START:
        return ()
    if facts.compute_libraries is None:
        return ()
    known = "0 of the settings, runtimes and libraries that are known of it reserve a share of the device"
    return (Rejected("a pool that is reserved on purpose", known),)


def _others(found: Filling) -> tuple[Rejected, ...]:
    if found.one.alone:
        return (Rejected("other processes on the device", "0 others are on it"),)
    return (Rejected("other processes on the device", f"the largest of others holds {gib(found.biggest_other)}"),)
