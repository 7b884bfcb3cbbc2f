"""Where may each thread run, where did it run, and where do pinned threads get in each other's way? A column a CPU.

The CPUs of a core stand beside each other, the cores of a memory node too. Every mark is another character, so that
colour only repeats what is said.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
from textual.content import Content

from advisor.documents import CoreStatus, ThreadStatus, WorkerStatus
from collectors.cpulist import parse_cpulist
from tui.palette import BAD, HEAT, QUIET, TRACK

ACTIVE_CORES = 0.05
"""A thread that ran or waited at least so much counts as active: parked ones are in nobody's way."""
CROWDED_CORES = 1.05
"""More than this is wanted of a CPU that can give one."""
MAY, CROWDED, RAN_CROWDED, OUTSIDE, NOT = "·", "x", "X", "!", " "
BLOCKS = "▁▂▃▄▅▆▇█"
"""Ran there, and for which share of its time."""
_CROWDED_COLOUR = "$medium"
LEGEND = (
    f"{MAY} may run", f"{BLOCKS[1]}{BLOCKS[4]}{BLOCKS[7]} ran, share of time",
    f"{CROWDED}{RAN_CROWDED} pins collide", f"{OUTSIDE} ran outside its mask",
)  # fmt: skip

Mark = tuple[str, str]
"""A character and its style."""


class CpuColumns(msgspec.Struct, frozen=True):
    """The CPUs in the order of their columns. `gaps`: what stands before each (nothing before the first)."""

    cpus: tuple[int, ...]
    gaps: tuple[str, ...]
    nodes: tuple[int | None, ...]

    @property
    def width(self) -> int:
        return len(self.cpus) + sum(map(len, self.gaps))

    def line(self, marks: Iterable[Mark], start: int, width: int) -> Content:
        """A mark a CPU, from column `start` on, `width` cells wide."""
        cells: list[Mark] = []
        for gap, mark in zip(self.gaps, marks, strict=True):
            if gap:
                cells.append((gap, TRACK))
            cells.append(mark)
        shown = cells[start : start + width]
        runs = groupby(shown, key=lambda cell: cell[1])
        return Content.assemble(*(("".join(text for text, _ in run), style) for style, run in runs))

    def header(self, start: int, width: int) -> list[Content]:
        """The numbers of the CPUs, read downwards, below those of their memory nodes where there are several."""
        digits = len(str(max(self.cpus, default=0)))
        rows = [[(f"{cpu:>{digits}}"[row], QUIET) for cpu in self.cpus] for row in range(digits)]
        return [*self._node_line(start, width), *(self.line(row, start, width) for row in rows)]

    def _node_line(self, start: int, width: int) -> list[Content]:
        if len(set(self.nodes)) < 2:
            return []
        text, place = [" "] * self.width, 0
        for node, group in groupby(zip(self.nodes, self.gaps, strict=True), key=lambda pair: pair[0]):
            gaps = [gap for _, gap in group]
            room = sum(map(len, gaps)) + len(gaps)
            first = place + len(gaps[0])
            text[place:first] = gaps[0]
            seen = max(first, start)  # the name of a node that begins further left stands where it comes into sight
            label = ("not known" if node is None else f"node {node}")[: max(0, place + room - seen)]
            text[seen : seen + len(label)] = label
            place += room
        return [Content.styled("".join(text[start : start + width]), QUIET)]


def cpu_columns(cores: Sequence[CoreStatus], threads: Iterable[ThreadStatus], room: int) -> CpuColumns:
    """The node's CPUs; where nobody could read them, those of the threads' masks. Cores are apart if there is room."""
    places = {core.cpu: (core.node, core.sibling_of) for core in cores}
    if not places:
        cpus = {cpu for thread in threads for cpu in (allowed(thread) or ())} | {0}
        places = dict.fromkeys(sorted(cpus), (None, None))
    order = sorted(places, key=lambda cpu: _order(cpu, *places[cpu]))
    apart = CpuColumns(tuple(order), tuple(_gaps(order, places, " ")), tuple(places[cpu][0] for cpu in order))
    if apart.width <= room:
        return apart
    return msgspec.structs.replace(apart, gaps=tuple(_gaps(order, places, "")))


def _order(cpu: int, node: int | None, sibling: int | None) -> tuple[int, int, int]:
    return (-1 if node is None else node, cpu if sibling is None else sibling, cpu)


def _gaps(order: Sequence[int], places: dict[int, tuple[int | None, int | None]], between: str) -> Iterable[str]:
    """Nothing between the CPUs of one core, `between` two cores, a line between two memory nodes."""
    before: tuple[int | None, int | None] | None = None
    for cpu in order:
        node, sibling = places[cpu]
        place = (node, cpu if sibling is None else sibling)
        if before is None or place == before:
            yield ""
        else:
            yield between if place[0] == before[0] else "│"
        before = place


def allowed(thread: ThreadStatus) -> frozenset[int] | None:
    """None where nobody could tell."""
    if thread.allowed_cpus is None:
        return None
    try:
        return parse_cpulist(thread.allowed_cpus)
    except ValueError:
        return None


def runnable(thread: ThreadStatus) -> float:
    """Cores that it used or waited for; no thread can use more than one."""
    return min(1.0, (thread.cores_used or 0.0) + (thread.waiting_cores or 0.0))


def is_pinned(thread: ThreadStatus, online: frozenset[int]) -> bool:
    """Whether it may not run everywhere."""
    mask = allowed(thread)
    return mask is not None and not online <= mask


def crowded_cpus(threads: Iterable[ThreadStatus], online: frozenset[int]) -> frozenset[int]:
    """CPUs of which the active pinned threads want more than there is, each a like share of all that it may run on."""
    of_masks: dict[frozenset[int], float] = {}
    for thread in threads:
        cores = runnable(thread)
        mask = allowed(thread) if cores >= ACTIVE_CORES else None
        if mask:
            of_masks[mask] = of_masks.get(mask, 0.0) + cores
    wanted: dict[int, float] = {}
    for mask, cores in of_masks.items():
        if not online <= mask:
            for cpu in mask:
                wanted[cpu] = wanted.get(cpu, 0.0) + cores / len(mask)
    return frozenset(cpu for cpu, cores in wanted.items() if cores > CROWDED_CORES)


def with_others(threads: Sequence[ThreadStatus], pid: int, workers: Iterable[WorkerStatus]) -> list[ThreadStatus]:
    """The threads of a process, and the busiest ones of all others."""
    return [*threads, *(thread for worker in workers if worker.pid != pid for thread in worker.busiest)]


def marks(thread: ThreadStatus, columns: CpuColumns, crowded: frozenset[int], online: frozenset[int]) -> list[Mark]:
    """One mark a CPU of `columns`."""
    mask = allowed(thread)
    ran = dict(thread.cpus_seen)
    if not ran and thread.last_cpu is not None and (thread.cores_used or 0.0) > 0:
        ran = {thread.last_cpu: 1.0}
    hindered = crowded if is_pinned(thread, online) and runnable(thread) >= ACTIVE_CORES else frozenset()
    return [_mark(cpu, ran.get(cpu, 0.0), mask, cpu in hindered) for cpu in columns.cpus]


def _mark(cpu: int, share: float, mask: frozenset[int] | None, is_crowded: bool) -> Mark:
    if mask is not None and cpu not in mask:
        return (OUTSIDE, BAD) if share > 0 else (NOT, QUIET)
    if is_crowded:
        return (RAN_CROWDED if share > 0 else CROWDED, _CROWDED_COLOUR)
    if share > 0:
        step = min(7, int(share * 8))
        return (BLOCKS[step], HEAT[step])
    return (MAY if mask is not None else "?", TRACK)


def busy_marks(cores: Sequence[CoreStatus], columns: CpuColumns) -> list[Mark]:
    """How busy each CPU is with anything; a question mark where nobody could read that."""
    busy = {core.cpu: core.busy_ratio for core in cores}
    found = []
    for cpu in columns.cpus:
        ratio = busy.get(cpu)
        step = 0 if ratio is None else min(7, int(max(0.0, ratio) * 8))
        found.append(("?", QUIET) if ratio is None else (BLOCKS[step], HEAT[step]))
    return found


def sharing(worker: WorkerStatus, workers: Iterable[WorkerStatus], online: frozenset[int]) -> list[int]:
    """Processes that are pinned to some of the CPUs to which this one is pinned."""

    def pinned_to(one: WorkerStatus) -> frozenset[int]:
        try:
            mask = parse_cpulist(one.allowed_cpus or "")
        except ValueError:
            return frozenset()
        return frozenset() if online <= mask else mask

    own = pinned_to(worker)
    return [one.pid for one in workers if one.pid != worker.pid and own & pinned_to(one)]
