"""Does a service want for memory, how does that show, and what does it cost? Quantities that two rules share.

Pages that a process needs again are taken from it where a limit, or the node, has too few of them. How that shows depends on
whose pages they were: those of a mapped file are read again, own ones come back from swap, and where there are neither the
process waits until pages are found. Linux counts the first two as major faults; each waits for a device.
"""

from math import ceil
from typing import Literal

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change, Evidence, Gain
from advisor.intervals import gain, latency_p50_of, throughput
from advisor.rule import Settings, evidence
from advisor.view import View
from collectors.levers import Lever

Kind = Literal["mapped", "swap", "own"]
PAGE_BYTES = 4096
FAULT_SECONDS = (1e-4, 1e-3, 1e-2)
"""What one major fault waits where the kernel tells nothing of stalls: a local flash disk, a network disk, a spinning one."""
SOME_FAULTS = 1.0
"""Major faults per second below which a service's stalls are none of its files' and none of swap's."""
MOST = 0.97
"""No more than this share of a service's time is taken for stalled."""
LEAST_USER = 0.02
"""Of its time, at least, that a service is taken to compute."""
SPARE = 1.1
STEP_BYTES = 16 << 20


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """`faults`: major faults per second of its processes; `share`: their part of the node's, None = not told; `at_limit`: its
    cgroup is at its limit and has to give pages back; `short`: the node has hardly any left; `stalled`: shares of time in
    which all of it (least) and some of it (likely) waited for pages, None = not told, or not whose stalls they are."""

    kind: Kind
    faults: float
    share: float | None
    at_limit: bool
    short: bool
    stalled: tuple[float, float] | None

    @property
    def waits(self) -> tuple[float, float]:
        """`stalled`, else what so many faults cost on fast and on usual devices."""
        return self.stalled or (min(MOST, self.faults * FAULT_SECONDS[0]), min(MOST, self.faults * FAULT_SECONDS[1]))


def amount(size: float) -> str:
    """`128 MiB`; from 4 GiB on `11.2 GiB`."""
    return f"{size / (1 << 30):.1f} GiB" if size >= 4 << 30 else f"{size / (1 << 20):.0f} MiB"


def want_of(view: View, at_limit_ratio: float, available_ratio: float) -> Want:
    """`at_limit_ratio`: charged / limit from which on a limit counts as reached; `available_ratio`: available / total memory
    of the node below which it is short."""
    faults = sum(w.major_faults_per_second or 0.0 for w in view.workers)
    of_node = view.memory.node_major_faults_per_second
    share = min(1.0, faults / of_node) if of_node else None
    total, available = view.memory_total_bytes, view.memory_available_bytes
    return Want(
        kind=_kind(view, faults),
        faults=faults,
        share=share,
        at_limit=_at_limit(view, at_limit_ratio),
        short=bool(total) and available is not None and available < available_ratio * (total or 1),
        stalled=_stalled(view, faults, 1.0 if share is None else share),
    )


def _kind(view: View, faults: float) -> Kind:
    if faults < SOME_FAULTS:
        return "own"
    back = (view.memory.swap_in_bytes_per_second or 0.0) / PAGE_BYTES
    swapped = [w.swapped_bytes for w in view.workers if w.swapped_bytes is not None]
    return "swap" if back >= faults / 2 and (not swapped or any(swapped)) else "mapped"


def _at_limit(view: View, ratio: float) -> bool:
    limit = view.cgroup.memory_limit_bytes if view.cgroup else None
    current = view.cgroup.memory_current_bytes if view.cgroup else None
    return bool(limit) and (current or 0) >= ratio * (limit or 0) and (view.memory.limit_hits_per_second or 0.0) > 0


def _stalled(view: View, faults: float, share: float) -> tuple[float, float] | None:
    """From the service's own cgroup, else its part of what the node's threads waited, after the faults that are its own:
    without any, it cannot be told whose stalls they are. A page that was seldom used counts as a wait for the disk alone."""
    seen = view.memory
    own = seen.cgroup_some_ratio
    if own is None and (seen.some_ratio is None or faults < SOME_FAULTS):
        return None
    some = own if own is not None else (seen.some_ratio or 0.0) * share
    full = seen.cgroup_full_ratio if own is not None else (seen.full_ratio or 0.0) * share
    disk = (seen.io_some_ratio or 0.0) * share if faults >= SOME_FAULTS else 0.0
    return min(MOST, full or 0.0), min(MOST, max(some, disk))


def cost_of(view: View, want: Want) -> tuple[Gain, Gain, Gain]:
    """Throughput, median and tail latency without the want. At least: what all of it waited comes back. At most: what it has
    of time is spent in user mode, because the kernel's time goes where pages are searched for; all of its workers' time
    where requests wait to be taken. Half of that where the kernel works for requests as much as they do themselves."""
    least, likely = want.waits
    used = max(0.01, view.cores_used)
    kernel = min(used, sum(w.system_cores or 0.0 for w in view.workers))
    queued = bool(view.accept_queue) and min(view.accept_queue) > 0
    time = max(used + likely, float(len(view.serving)) if queued else 0.0)
    low, waits = 1 / (1 - least), 1 / (1 - likely)
    high = max(time / max(LEAST_USER * time, used - kernel), waits, low)
    ratio = throughput(low, max(low, waits, high / 2), high)
    return ratio, latency_p50_of(ratio), gain("latency_p99_ratio", 0.5 / ratio.p90, 1 / ratio.p50, 1.0)


def limit_that_fits(view: View, facts: ServiceFacts, want: Want) -> Change | None:
    """The memory limit under which nothing is taken away; None where no limit is what holds it, where what it needs is not
    known, or where the node does not have it."""
    limit = view.cgroup.memory_limit_bytes if view.cgroup else None
    needed = _needed(view, facts, want)
    if not want.at_limit or limit is None or needed is None:
        return None
    proposed = ceil(SPARE * needed / STEP_BYTES) * STEP_BYTES
    free = view.memory_available_bytes
    if proposed <= limit or (free is not None and proposed - limit > free):
        return None
    return Change(lever=Lever.MEMORY_LIMIT, current=limit, proposed=proposed)


def _needed(view: View, facts: ServiceFacts, want: Want) -> int | None:
    if want.kind == "mapped":
        files = {one.path: one.size_bytes for model in facts.service.models for one in model.files}
        own = [w.private_dirty_bytes if w.private_dirty_bytes is not None else w.resident_bytes for w in view.workers]
        return sum(files.values()) + sum(one or 0 for one in own) if files else None
    swapped = sum(w.swapped_bytes or 0 for w in view.workers)
    current = view.cgroup.memory_current_bytes if view.cgroup else None
    return current + swapped if want.kind == "swap" and swapped and current is not None else None


def shown(view: View, want: Want, settings: Settings, stalled: str, faults: str | None = None) -> tuple[Evidence, ...]:
    """The numbers of a want; `stalled` and `faults` name the rule's thresholds."""
    seen, cgroup = view.memory, view.cgroup
    known = (
        ("stalled_ratio", "ratio", want.stalled and want.stalled[1], settings.enter(stalled)),
        ("major_faults_per_second", "1/s", want.faults, settings.enter(faults) if faults else None),
        ("swapped_in_bytes_per_second", "bytes_per_second", seen.swap_in_bytes_per_second, None),
        ("memory_limit_hits_per_second", "1/s", seen.limit_hits_per_second, None),
        ("memory_limit", "bytes", cgroup.memory_limit_bytes if cgroup else None, None),
        ("memory_charged", "bytes", cgroup.memory_current_bytes if cgroup else None, None),
        ("node_memory_available", "bytes", view.memory_available_bytes, None),
        ("memory_some_ratio_of_node", "ratio", seen.some_ratio, None),
        ("io_some_ratio_of_node", "ratio", seen.io_some_ratio, None),
        ("system_cores", "cores", sum(w.system_cores or 0.0 for w in view.workers), None),
    )
    return tuple(evidence(view, name, unit, value, limit) for name, unit, value, limit in known if value is not None)
