"""The probes of one worker over some minutes, kept as one profile."""

import threading
from collections import Counter
from collections.abc import Iterator

from advisor.profiling.stack_work import StackRow, stack_work
from advisor.profiling.stored import StoredProfile
from advisor.profiling.table import Table
from agent.profiling.keeping import WINDOW_SECONDS, Whose, gathered
from collectors.profiles.profile import Profile


class _Window:
    def __init__(self, whose: Whose, began: float, at_unix_ns: int) -> None:
        self.whose = whose
        self.began = began
        self.at_unix_ns = at_unix_ns
        self.rows: Counter[StackRow] = Counter()
        self.looks = 0
        self.cpu_seconds = 0.0
        self.last = began


class ProbeWindows:
    """Adds up probes by worker. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Whose, _Window] = {}

    def add(self, probe: Profile, table: Table, whose: Whose, now: float) -> Iterator[StoredProfile]:
        """Count a probe; gives the windows that are over, of any worker."""
        over = self.over(now)
        with self._lock:
            window = self._open.setdefault(whose, _Window(whose, now, probe.at_unix_ns))
            for row, count in stack_work(probe, table):
                window.rows[row] += count
            window.looks += probe.ticks
            window.cpu_seconds += probe.cost.cpu_seconds
            window.last = now
        return iter(over)

    def over(self, now: float) -> list[StoredProfile]:
        """The windows that are over by now, also of workers that rest or are gone."""
        with self._lock:
            return [self._close(w) for w in list(self._open.values()) if now - w.began >= WINDOW_SECONDS]

    def finish(self) -> list[StoredProfile]:
        """All windows as they are."""
        with self._lock:
            return [self._close(window) for window in list(self._open.values())]

    def _close(self, window: _Window) -> StoredProfile:
        del self._open[window.whose]
        return gathered(
            window.whose, window.rows, at_unix_ns=window.at_unix_ns, seconds=window.last - window.began,
            looks=window.looks, cpu_seconds=window.cpu_seconds,
        )  # fmt: skip
