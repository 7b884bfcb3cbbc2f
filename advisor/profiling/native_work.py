"""What does a native function work on? By the file of its library first, by its name second."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from advisor.profiling.table import HELPER, INTERPRETER, Gil, NativeEntry, TableFile
from collectors.profiles.profile import Frame

NO_CODE = "[unknown]"
"""The sampler's name for memory that was no longer mapped."""
MADE_AT_RUN_TIME = "[anonymous]"


class NativeWork(msgspec.Struct, frozen=True):
    """`works`: one class, or several of which the stacks choose; or `interpreter` or `helper`, which are none."""

    works: tuple[str, ...]
    gil: Gil

    @property
    def shared(self) -> bool:
        """Whether it works for whoever called it."""
        return self.works[0] in (INTERPRETER, HELPER)


UNKNOWN = NativeWork(("unknown",), "either")


class NativeIndex:
    """The native part of the table."""

    def __init__(self, table: TableFile) -> None:
        self._entries = table.native
        self._jit = table.jit

    def work(self, frame: Frame, *, kernel: bool, jit: NativeWork = UNKNOWN) -> NativeWork:
        """Of the function `frame`, in the kernel or not. `jit`: what code made at run time works on in this process."""
        if frame.file == MADE_AT_RUN_TIME:
            return jit
        entry = next((e for e in self._entries if any(_fits(frame.file, p) for p in e.libraries)), None)
        return UNKNOWN if entry is None else _in(entry, frame.name, kernel)

    def jit(self, files: Iterable[str]) -> NativeWork:
        """What code made at run time works on, in a process in which functions of these files were seen."""
        known = tuple(files)
        for work, libraries in self._jit.items():
            if any(_fits(file, library) for library in libraries for file in known):
                return NativeWork((work,), "free")
        return UNKNOWN


def library(file: str) -> str:
    """The short name of a library for people."""
    return file.rpartition("/")[2] or file


def _in(entry: NativeEntry, name: str, kernel: bool) -> NativeWork:
    if kernel and (work := _symbol(entry.in_kernel, name)) is not None:
        return NativeWork(tuple(work.split("|")), "free")
    if name and (work := _symbol(entry.symbols, name)) is not None:
        return NativeWork(tuple(work.split("|")), "free" if entry.work[0] == HELPER else entry.gil)
    return NativeWork(entry.work, entry.gil)


def _symbol(lists: Mapping[str, tuple[str, ...]], name: str) -> str | None:
    return next((work for work, patterns in lists.items() if any(fnmatchcase(name, p) for p in patterns)), None)


def _fits(file: str, pattern: str) -> bool:
    return fnmatchcase(file if "/" in pattern else library(file), pattern)
