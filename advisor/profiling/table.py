"""The table of classes of work (`classes.toml`): read once, checked, and with its patterns ready for use."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import msgspec

Gil = Literal["held", "free", "either"]
Work = Literal[
    "kernel",
    "array",
    "trees",
    "tokenise",
    "decode",
    "serialise",
    "ipc",
    "glue",
    "loop",
    "python",
    "gil-wait",
    "lock",
    "spin",
    "io",
    "cuda-launch",
    "cuda-sync",
    "gc",
    "allocation",
    "unknown",
]
"""What CPU time is spent on. `kernel`: matrix products, convolutions, attention. `array`: elementwise work, reductions and
copies of array libraries. `trees`: ensembles of decision trees. `decode`: images and audio, with resizing. `serialise`:
between bytes and objects, and between lists and arrays. `ipc`: the same between processes. `glue`: web and serving
frameworks. `loop`: the event loop itself. `python`: interpreted code of the application. `spin`: waiting for other threads
of a pool on a CPU. `io`: system calls on sockets and files. `gil-wait`, `lock`: CPU time spent on falling asleep and waking
up there; the waiting itself is no CPU time. `cuda-launch`: giving a GPU work. `cuda-sync`: waiting for it on a CPU, and copies
that the CPU waits for or makes itself. `allocation`: memory of a GPU, and of the host where no caller is known."""
WORKS: tuple[str, ...] = get_args(Work)
INTERPRETER, HELPER = "interpreter", "helper"
"""No classes: native code that works for whoever called it."""

Lists = Mapping[str, tuple[str, ...]]


class BadTable(ValueError):  # noqa: N818 - a state of the file
    """The table names a class that there is none of, or lacks a part; the text says where."""


class NativeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the functions of some libraries work on. `work` holds one class, or several of which the stacks choose."""

    libraries: tuple[str, ...]
    work: tuple[str, ...]
    gil: Gil
    symbols: Lists = {}
    in_kernel: Lists = {}


class Waits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    leaves: tuple[str, ...]


class Loops(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    run: tuple[str, ...]
    callbacks: tuple[str, ...]


class TableFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as written."""

    python: Lists
    waits: Waits
    loops: Loops
    handing: tuple[str, ...]
    calls: Lists
    named: Lists
    phases: Lists
    overhead: Mapping[str, str]
    native: tuple[NativeEntry, ...]
    jit: Lists
    pools: Lists


class Table:
    """The table, with what is looked up by name turned round."""

    def __init__(self, text: str) -> None:
        try:
            self.file = msgspec.toml.decode(text, type=TableFile)
        except msgspec.DecodeError as error:  # a ValidationError is one
            raise BadTable(str(error)) from error
        _check(self.file)
        self.work_of_call = _turned(self.file.calls, "calls")
        self.phase_of_name = _turned(self.file.phases, "phases")

    @property
    def calls(self) -> frozenset[str]:
        """Names of C functions that are worth looking for on source lines."""
        return frozenset(self.work_of_call)


@cache
def load_table() -> Table:
    """The table that comes with nodewright."""
    return Table(files("advisor.profiling").joinpath("classes.toml").read_text("utf-8"))


def _turned(lists: Lists, part: str) -> dict[str, str]:
    """By entry, the list in which it stands. Raises BadTable if it stands in two."""
    found: dict[str, str] = {}
    for name, entries in lists.items():
        for entry in entries:
            if found.setdefault(entry, name) != name:
                raise BadTable(f"{part}: `{entry}` stands under {found[entry]} and {name}")
    return found


def _check(table: TableFile) -> None:
    for part in ("python", "calls", "jit", "pools"):
        _known(getattr(table, part), part)
    _known(table.overhead, "overhead")
    _known(table.overhead.values(), "overhead")
    _turned(table.python, "python")
    for entry in table.native:
        where = f"native {entry.libraries[0] if entry.libraries else '(no library)'}"
        if not entry.libraries or not entry.work:
            raise BadTable(f"{where}: libraries and work must not be empty")
        _known((work for name in (*entry.symbols, *entry.in_kernel) for work in name.split("|")), where)
        if entry.work[0] not in (INTERPRETER, HELPER):
            _known(entry.work, where)


def _known(works: Iterable[str], where: str) -> None:
    for work in works:
        if work not in WORKS:
            raise BadTable(f"{where}: there is no class `{work}`")
