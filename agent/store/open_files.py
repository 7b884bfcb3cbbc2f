"""Which files does the writer have open, and what becomes of one that cannot be written?"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from agent.store.faults import WRITE_ERRORS, Fault, describe, fault_of
from agent.store.files import DAY_SECONDS, set_aside, shard_path, transaction, unlink
from agent.store.raw import RawFile, open_shard
from agent.store.state import StateFile

_MOST_SET_ASIDE = 3
"""Of one file in one run: what is damaged again and again lies on a bad disk."""

_File = TypeVar("_File", StateFile, RawFile)
_Result = TypeVar("_Result", bound=int)
"""What work gives back, a number or a bool, so that None can say that it could not be done."""


class OpenFiles:
    """The state file and the shards in use, each opened at its first transaction.

    `blocked` says why the last transaction failed; `damage` what was set aside since the start.
    """

    def __init__(self, state_path: Path, labels: Mapping[str, str]) -> None:
        self.state_path = state_path
        self._labels = labels
        self._open: dict[Path, StateFile | RawFile] = {}
        self._set_aside: dict[Path, int] = {}
        self.blocked: str | None = None
        self.damage: list[str] = []

    def on_state(self, work: Callable[[StateFile], _Result], *, atomic: bool = True) -> _Result | None:
        """Do `work` on the state file, `atomic` in one transaction; None, with `blocked` set, if that cannot be."""
        return self._on(self.state_path, StateFile, self._open_state, work, atomic)

    def on_shard(self, day: int, work: Callable[[RawFile], _Result], *, atomic: bool = True) -> _Result | None:
        """As `on_state`, on the shard of a day (days since 1970), which is created if missing."""
        path = shard_path(self.state_path, day)
        return self._on(path, RawFile, lambda: open_shard(path, day * DAY_SECONDS, self._labels), work, atomic)

    def unlink_shard(self, day: int) -> None:
        """Remove the shard of a day. One that cannot be removed is reported in `blocked` and tried again later."""
        path = shard_path(self.state_path, day)
        self._close(path)
        try:
            unlink(path)
        except OSError as error:
            self.blocked = describe(error, path)

    def close_shards_but(self, *days: int) -> None:
        kept = {self.state_path, *(shard_path(self.state_path, day) for day in days)}
        for path in set(self._open) - kept:
            self._close(path)

    def close_missing(self) -> None:
        """Let go of files that somebody removed, so that they are made again."""
        for path in list(self._open):
            if not path.exists():
                self._close(path)

    def close(self) -> None:
        for path in list(self._open):
            self._close(path)

    def _on(
        self,
        path: Path,
        kind: type[_File],
        open_file: Callable[[], _File],
        work: Callable[[_File], _Result],
        atomic: bool,
    ) -> _Result | None:
        for _ in range(2):
            try:
                file = self._open.get(path)
                if not isinstance(file, kind):
                    file = self._open[path] = open_file()
                with transaction(file.connection) if atomic else nullcontext():
                    return work(file)
            except WRITE_ERRORS as error:
                self._close(path)
                if not self._can_replace(path, error):
                    return None
        return None

    def _can_replace(self, path: Path, error: Exception) -> bool:
        """Whether a fresh file can take the place of the one at which `error` came up; sets that one aside if so."""
        if fault_of(error) is Fault.DAMAGED and self._set_aside.get(path, 0) < _MOST_SET_ASIDE:
            try:
                aside = set_aside(path)
            except OSError as second:
                error = second
            else:
                self._set_aside[path] = self._set_aside.get(path, 0) + 1
                self.damage.append(f"{path} was damaged ({error}) and is now {aside.name}; a fresh file took its place")
                return True
        self.blocked = describe(error, path)
        return False

    def _open_state(self) -> StateFile:
        return StateFile(self.state_path, self._labels)

    def _close(self, path: Path) -> None:
        """What was not committed is rolled back, so numbers of entities given meanwhile are void with the file."""
        file = self._open.pop(path, None)
        if file is not None:
            try:
                file.connection.close()
            except sqlite3.Error:  # the last checkpoint failed; the log stays and is read at the next opening
                pass
