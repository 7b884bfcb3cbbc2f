"""What does one thread say each second, at the least cost?

A thread that did not run since the last reading costs one pread of its schedstat: its line is the same, so all else is.
The stat of a thread is kept open only once it was seen to run, as most of a server's threads only sleep.
"""

import errno

from collectors.kept import STAT_BYTES, DescriptorBudget, RepeatedFile, read_once
from collectors.procfs import parse_schedstat, parse_status_fields

BUSY_SHARE = 0.05
"""A thread that ran, or waited for a core, at least this share of the time is worth storing by itself."""

_NO_SCHEDSTAT = b"0 0 0\n"
"""What a kernel without CONFIG_SCHED_INFO says of every thread; elsewhere only of one that never ran."""
_SCHEDSTAT_BYTES = 96
_STATUS_BYTES = 8192
_LAST_CPU_FIELD = 36  # counted from 0 after the name


class WatchedThread:
    """One thread of a watched worker. Every reading raises OSError once the thread is gone.

    Its attributes are what was read last: `run_ns`, `delay_ns` and `timeslices` since the thread began (delay and
    slices None without schedstat), `busy` None until there were two readings.
    """

    __slots__ = (
        "_budget", "_folder", "_line", "_schedstat", "_settled", "_stat", "_tick_ns", "allowed_cpus", "busy",
        "delay_ns", "last_cpu", "name", "run_ns", "state", "tid", "timeslices",
    )  # fmt: skip

    def __init__(self, folder: str, tid: int, tick_ns: int | None, budget: DescriptorBudget) -> None:
        """`tick_ns`: take run time from stat, in ticks of this length, as there is no schedstat; None: there is."""
        self.tid = tid
        self.run_ns = 0
        self.delay_ns: int | None = None
        self.timeslices: int | None = None
        self.state: str | None = None
        self.last_cpu: int | None = None
        self.busy: int | None = None
        self.name: str | None = None
        self.allowed_cpus: str | None = None
        self._folder = folder
        self._tick_ns = tick_ns or 0
        self._line = b""
        self._settled = False
        self._schedstat = RepeatedFile(f"{folder}/schedstat", budget) if tick_ns is None else None
        self._stat = None if tick_ns is None else RepeatedFile(f"{folder}/stat", budget)
        self._budget = budget
        self.read_status()

    def read_status(self) -> bool:
        """Name and allowed cores: they change seldom and are dear. True if they did change."""
        before = (self.name, self.allowed_cpus)
        fields = parse_status_fields(read_once(f"{self._folder}/status", _STATUS_BYTES), "Name", "Cpus_allowed_list")
        self.name, self.allowed_cpus = fields.get("Name"), fields.get("Cpus_allowed_list")
        return before != (self.name, self.allowed_cpus)

    def read(self, elapsed_ns: int | None) -> bool:
        """Read what changes each second; `elapsed_ns` since the reading before. True if anything did change."""
        if self._schedstat is None:
            return self._read_ticks(elapsed_ns)
        line = self._schedstat.read(_SCHEDSTAT_BYTES)
        if line == self._line:
            if self._settled:
                return False
            # Its state was read while it ran. It has not run since, so what is read now holds until it does.
            self._settled = bool(elapsed_ns)
        else:
            self._settled = False
            if self._line and self._stat is None:
                self._stat = RepeatedFile(f"{self._folder}/stat", self._budget)
        before = (self.run_ns, self.delay_ns)
        try:
            self.run_ns, self.delay_ns, self.timeslices = parse_schedstat(line)
        except ValueError as error:
            raise ProcessLookupError(errno.ESRCH, "schedstat is cut short") from error
        self._line = line
        self._judge(*before, elapsed_ns)
        self._read_placement()
        return True

    def _read_ticks(self, elapsed_ns: int | None) -> bool:
        run_before = self.run_ns
        fields = self._read_placement()
        self.run_ns = (int(fields[11]) + int(fields[12])) * self._tick_ns
        self._judge(run_before, None, elapsed_ns)
        return True

    def _read_placement(self) -> list[bytes]:
        data = read_once(f"{self._folder}/stat", STAT_BYTES) if self._stat is None else self._stat.read(STAT_BYTES)
        fields = data[data.rfind(b")") + 2 :].split(None, _LAST_CPU_FIELD + 1)
        if len(fields) <= _LAST_CPU_FIELD:
            raise ProcessLookupError(errno.ESRCH, "stat line is cut short")
        self.state = fields[0].decode("ascii", "replace")
        self.last_cpu = int(fields[_LAST_CPU_FIELD])
        return fields

    def _judge(self, run_before: int, delay_before: int | None, elapsed_ns: int | None) -> None:
        waited = 0 if self.delay_ns is None or delay_before is None else self.delay_ns - delay_before
        moved = max(self.run_ns - run_before, waited)
        self.busy = None if not elapsed_ns else int(moved >= BUSY_SHARE * elapsed_ns)

    def close(self) -> None:
        for file in (self._stat, self._schedstat):
            if file is not None:
                file.close()


def has_schedstat(folder: str) -> bool:
    """Whether the kernel counts run time and delay, judged by a thread that certainly ran: the main one."""
    try:
        return read_once(f"{folder}/schedstat", _SCHEDSTAT_BYTES) != _NO_SCHEDSTAT
    except FileNotFoundError:
        return False
