"""What stands in each column of the tree of services and processes, and which columns are there in so many cells?"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
from textual.content import Content

from tui import format as fmt
from tui.lines import filled
from tui.palette import GOOD, QUIET, SEVERITY_COLOURS, STRONG
from tui.worker_rows import Key, Order, Row

STATES = {"loaded": ("●", GOOD), "idle": ("○", QUIET), "starting": ("◌", QUIET)}
WORDS = {"R": "running", "S": "sleeping", "D": "disk wait", "T": "stopped", "t": "traced", "Z": "zombie", "I": "idle"}
"""The kernel's letters."""
_PID_WIDTH = 7
_NAME_WIDTH = 40
"""Beyond this what is left goes to the findings."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column. `width` is the least of one that is `flexible`; those of the highest `yields` give way first."""

    name: str
    width: int
    yields: int
    key: Callable[[Row], Key]
    text: Callable[[Row], Content | str]
    right: bool = True
    flexible: bool = False
    default_descending: bool = True


def number(of_worker: Callable[[Row], float | None], of_service: Callable[[Row], float | None]) -> Callable[[Row], Key]:
    return lambda row: of_service(row) if row.is_service else of_worker(row)


def added(values: Iterable[float | None]) -> float | None:
    """None where one of them is not known: a sum of the others would be too small."""
    known = list(values)
    return None if not known or None in known else sum(value for value in known if value is not None)


def _worker(name: str) -> Callable[[Row], float | None]:
    return lambda row: getattr(row.worker, name)


def _service(name: str) -> Callable[[Row], float | None]:
    return lambda row: getattr(row.service, name)


def _members(name: str) -> Callable[[Row], float | None]:
    return lambda row: added(getattr(worker, name) for worker in row.members)


def _told(key: Callable[[Row], Key], write: Callable[[float | None], str]) -> Callable[[Row], str]:
    return lambda row: write(key(row))  # type: ignore[arg-type]


def _count(value: float | None) -> str:
    return fmt.UNKNOWN if value is None else fmt.number(value)


def _name(row: Row) -> Content:
    if row.worker is None:
        sign = "▸" if row.folded else "▾"
        workers = f"  {fmt.count(len(row.members), 'process', 'processes')}" if row.folded else ""
        return Content.assemble((f"{sign} ", QUIET), (fmt.plain(row.service.name), STRONG), (workers, QUIET))
    worker = row.worker
    what = fmt.plain(worker.role) + ("" if worker.role == "front-end" else f" {worker.slot}")
    pid = f"{worker.pid:>{_PID_WIDTH}}"
    return Content.assemble(f"  {pid} ", what, (f"  {fmt.command_line(worker.command)}", QUIET))


def _state(row: Row) -> Content | str:
    if row.worker is None:
        sign, colour = STATES.get(row.service.state, ("?", QUIET))
        return Content.assemble((sign, colour), f" {fmt.plain(row.service.state)}")
    return "  " + state_word(row.worker.state)


def state_word(letter: str | None) -> str:
    return fmt.UNKNOWN if letter is None else WORDS.get(letter, fmt.plain(letter))


def _finding(row: Row) -> Content | str:
    if row.finding is None:
        return ""
    severity = row.finding.severity
    word = severity.value.upper()
    return Content.assemble((word, SEVERITY_COLOURS[severity]), " ", fmt.plain(row.finding.title))


def _vram(row: Row) -> str:
    """Nothing for what is on no device."""
    value = row.service.gpu_memory_bytes if row.worker is None else row.worker.gpu_memory_bytes
    return fmt.vram(value) if row.on_gpu else ""


_CORES = number(_worker("cores_used"), _service("cores_used"))
_WAITING = number(_worker("waiting_cores"), _service("waiting_cores"))
_THREADS = number(_worker("threads"), _members("threads"))
_MEMORY = number(_worker("resident_bytes"), _service("resident_bytes"))
_PSS = number(_worker("proportional_bytes"), _members("proportional_bytes"))
_VRAM = number(_worker("gpu_memory_bytes"), _service("gpu_memory_bytes"))
_FAULTS = number(_worker("major_faults_per_second"), _members("major_faults_per_second"))

COLUMNS = (
    Column(
        name="service, process", width=22, yields=0, key=lambda row: None, text=_name, right=False, flexible=True,
        default_descending=False,
    ),
    Column(name="cores", width=6, yields=1, key=_CORES, text=_told(_CORES, fmt.cores)),
    Column(name="waiting", width=8, yields=2, key=_WAITING, text=_told(_WAITING, fmt.cores)),
    Column(name="threads", width=8, yields=7, key=_THREADS, text=_told(_THREADS, _count)),
    Column(name="memory", width=8, yields=3, key=_MEMORY, text=_told(_MEMORY, fmt.size)),
    Column(name="PSS", width=8, yields=9, key=_PSS, text=_told(_PSS, fmt.size)),
    Column(name="VRAM", width=8, yields=5, key=_VRAM, text=_vram),
    Column(name="faults/s", width=9, yields=8, key=_FAULTS, text=_told(_FAULTS, _count)),
    Column(
        name="state", width=11, yields=6, key=lambda row: row.service.state if row.worker is None else row.worker.state,
        text=_state, right=False, default_descending=False,
    ),
    Column(
        name="top finding", width=20, yields=4,
        key=lambda row: None if row.finding is None else float(row.finding.severity.level), text=_finding, right=False,
        flexible=True,
    ),
)  # fmt: skip
AS_SENT = COLUMNS[0]
"""Sorted by it, lines are as the agent has them."""


def shown_columns(width: int, *, with_vram: bool) -> list[tuple[Column, int]]:
    """The columns that `width` cells have room for, each with its own width."""
    chosen = [column for column in COLUMNS if with_vram or column.name != "VRAM"]
    while len(chosen) > 1 and sum(column.width + 1 for column in chosen) > width:
        chosen.remove(max(chosen, key=lambda column: column.yields))
    left = width - sum(column.width + 1 for column in chosen)
    grown = {column.name: column.width for column in chosen}
    last = chosen[-1].name if chosen[-1].flexible else AS_SENT.name
    to_name = left if last == AS_SENT.name else min(left, _NAME_WIDTH - AS_SENT.width)
    grown[AS_SENT.name] += max(0, to_name)
    grown[last] += max(0, left - to_name)
    return [(column, grown[column.name]) for column in chosen]


def order_by(column: Column, reverse: bool) -> Order:
    """Numbers from the largest, words from the first; `reverse` turns that round."""
    by = None if column is AS_SENT else column.key
    return Order(by=by, descending=column.default_descending is not reverse)


def header_line(columns: Sequence[tuple[Column, int]], sorted_by: Column, reverse: bool) -> Content:
    arrow = "▼" if sorted_by.default_descending is not reverse else "▲"
    cells = []
    for column, width in columns:
        is_sorted = column is sorted_by and (reverse or column is not AS_SENT)
        name = column.name[: width - 1] if is_sorted else column.name[:width]
        text = (f"{arrow}{name}" if column.right else f"{name}{arrow}") if is_sorted else name
        text = f"{text:>{width}}" if column.right else f"{text:<{width}}"
        cells.append(Content.styled(text, STRONG if is_sorted else QUIET))
    return Content(" ").join(cells)


def row_line(row: Row, columns: Sequence[tuple[Column, int]]) -> Content:
    return Content(" ").join(filled(_content(column.text(row)), width, column.right) for column, width in columns)


def _content(text: Content | str) -> Content:
    return Content(text) if isinstance(text, str) else text
