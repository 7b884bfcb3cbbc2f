"""In which states are the threads of one process, look after look, and how long did each run?"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from collectors.inside.folder import ProcessFolder
from collectors.procfs import safe_text
from collectors.profiles.descriptors import Stale
from collectors.profiles.profile import Missing, ThreadProfile, Wait
from collectors.profiles.syscalls import parse_syscall
from collectors.profiles.waits import Futex, Waits, by_channel

THREADS_LIMIT = 512
FUTEXES_LIMIT = 256
"""Addresses that are told apart of one thread."""
_GONE = (FileNotFoundError, ProcessLookupError)
State = Wait | Futex | None
"""None: it runs or is runnable."""


UNBROKEN_SHARE = 0.9
"""A thread that gave up its CPU no more often than before, and ran or waited for one for this much of the time since, ran
without a break of its own."""


class _Unbroken:
    """Whether one thread ran from look to look without a break of its own: its run time and run-queue delay, and how
    often it gave up its CPU by itself. That others pushed it off meanwhile is no break."""

    def __init__(self) -> None:
        self.looks = self.runs = 0
        self._before: tuple[int, int, int] | None = None
        self._on = False

    def look(self, counters: tuple[int, int, int], now_ns: int) -> None:
        """`counters`: run time and run-queue delay in ns, voluntary switches."""
        runnable, switches = counters[0] + counters[1], counters[2]
        before, self._before = self._before, (runnable, switches, now_ns)
        on = (
            before is not None
            and switches == before[1]
            and runnable - before[0] >= UNBROKEN_SHARE * (now_ns - before[2]) > 0
        )
        self.looks += on
        self.runs += on and not self._on
        self._on = on


class _Task:
    __slots__ = ("begin", "channels", "futexes", "looks", "name", "now", "running", "syscall", "waits")

    def __init__(self, name: str, syscall: int | None) -> None:
        self.name = name
        self.syscall = syscall
        self.begin: tuple[int, int, int] | None = None
        self.now: tuple[int, int, int] | None = None
        self.looks = self.running = 0
        self.waits: Counter[Wait] = Counter()
        self.futexes: Counter[int] = Counter()
        self.channels: Counter[str] = Counter()


class TaskWatch:
    """Looks at the threads of a process through its open folder. `look` and `states` may raise nothing of the host's."""

    def __init__(self, folder: ProcessFolder) -> None:
        self._folder = folder
        self._tasks: dict[int, _Task] = {}
        self._looks = 0
        self._main = _Unbroken()
        self.missing: Missing | None = None
        self._waits: Waits | None = None
        try:
            self._waits = Waits(folder)
        except OSError as error:
            self.missing = Missing("states", f"what threads wait for: {os.strerror(error.errno or 0)}",
                                   folder.what_to_grant())  # fmt: skip
        self._list()
        for task in self._counted():
            task.begin = task.now

    def close(self) -> None:
        if self._waits is not None:
            self._waits.close()
        for task in self._tasks.values():
            _close(task)

    @property
    def tids(self) -> tuple[int, ...]:
        return tuple(self._tasks)

    def ran(self) -> dict[int, int]:
        """Nanoseconds that each thread ran since the watch began."""
        for _ in self._counted():
            pass
        return {tid: (t.now[0] - t.begin[0]) if t.now and t.begin else 0 for tid, t in self._tasks.items()}

    def look(self) -> dict[int, State]:
        """The state of each thread now, which is also counted. New threads are found at every fourth look."""
        self._looks += 1
        if self._looks % 4 == 0:
            self._list()
        states = self.states()
        self._look_at_main()
        for tid, state in states.items():
            task = self._tasks[tid]
            task.looks += 1
            if state is None:
                task.running += 1
            elif isinstance(state, Futex):
                if state.address in task.futexes or len(task.futexes) < FUTEXES_LIMIT:
                    task.futexes[state.address] += 1
                else:
                    task.waits["futex"] += 1
            else:
                task.waits[state] += 1
        return states

    def _look_at_main(self) -> None:
        try:
            self._main.look(self._counters(self._folder.key.pid), time.monotonic_ns())
        except (OSError, ValueError):
            return

    def states(self) -> dict[int, State]:
        """The state of each thread now, uncounted."""
        if self._waits is None:
            return self._plain_states()
        self._waits.renew()
        found: dict[int, State] = {}
        for tid, task in list(self._tasks.items()):
            try:
                if task.syscall is None:
                    continue
                call = parse_syscall(os.pread(task.syscall, 256, 0))
                found[tid] = None if call is None else self._waits.kind(*call, partial(self._channel, tid))
            except (*_GONE, PermissionError):
                _close(task)
            except (OSError, ValueError, Stale):
                continue
        return found

    def _channel(self, tid: int) -> bytes:
        try:
            return self._folder.read(f"task/{tid}/wchan")
        except OSError:
            return b""

    def _plain_states(self) -> dict[int, State]:
        """Where system calls may not be seen: running or not, and the kernel's function in which it waits."""
        found: dict[int, State] = {}
        for tid, task in self._tasks.items():
            try:
                letter = self._folder.read(f"task/{tid}/stat").rpartition(b") ")[2][:1]
                if letter == b"R":
                    found[tid] = None
                    continue
                channel = self._channel(tid)
                found[tid] = "disk" if letter == b"D" else by_channel(channel)
                task.channels[safe_text(channel)] += 1
            except OSError:
                continue
        return found

    def finish(self) -> tuple[ThreadProfile, ...]:
        """Every thread that was seen, with what it did since the watch began."""
        for _ in self._counted():
            pass
        shared = Counter(address for task in self._tasks.values() for address in task.futexes)
        found = []
        for tid, task in self._tasks.items():
            waits = Counter(task.waits)
            for address, count in task.futexes.items():
                waits["lock" if shared[address] > 1 else "futex"] += count
            begin, now = task.begin, task.now
            if now is begin:  # it ended before it was counted again: what it ran is not known
                now = None
            found.append(
                ThreadProfile(
                    tid=tid,
                    name=task.name,
                    run_seconds=(now[0] - begin[0]) * 1e-9 if begin and now else None,
                    delay_seconds=(now[1] - begin[1]) * 1e-9 if begin and now else None,
                    switches=now[2] - begin[2] if begin and now else None,
                    looks=task.looks,
                    running=task.running,
                    waits=dict(waits),
                    unbroken=self._main.looks if tid == self._folder.key.pid else 0,
                    unbroken_runs=self._main.runs if tid == self._folder.key.pid else 0,
                    channel=max(task.channels, key=task.channels.__getitem__) if task.channels else None,
                )
            )
        return tuple(found)

    def _list(self) -> None:
        try:
            listing = self._folder.open("task", os.O_RDONLY | os.O_DIRECTORY)
            try:
                names = os.listdir(listing)
            finally:
                os.close(listing)
        except OSError:
            return
        for tid in sorted(map(int, names)):
            if tid not in self._tasks and len(self._tasks) < THREADS_LIMIT:
                self._adopt(tid)

    def _adopt(self, tid: int) -> None:
        """Begin to watch a thread. One that began after the watch counts from zero."""
        syscall = None
        try:
            name = safe_text(self._folder.read(f"task/{tid}/comm").rstrip(b"\n"))
            try:
                syscall = None if self._waits is None else self._folder.open(f"task/{tid}/syscall")
            except OSError as error:
                self._folder.read(f"task/{tid}/comm")  # it still lives: it is the file that is missing or forbidden
                self._forbidden(error)
        except OSError:
            return
        task = self._tasks[tid] = _Task(name, syscall)
        if self._looks:
            task.begin = (0, 0, 0)

    def _forbidden(self, error: OSError) -> None:
        if self._waits is not None:
            self._waits.close()
            self._waits = None
        self.missing = self.missing or Missing(
            "states", f"task/TID/syscall: {os.strerror(error.errno or 0)}", self._folder.what_to_grant()
        )

    def _counted(self) -> Iterator[_Task]:
        """Each thread after its counters were read; one that is gone keeps its last."""
        for tid, task in self._tasks.items():
            try:
                task.now = self._counters(tid)
            except (OSError, ValueError):
                continue
            yield task

    def _counters(self, tid: int) -> tuple[int, int, int]:
        """Run time and run-queue delay in ns, voluntary switches. Raises OSError for one that is gone."""
        run, delay, _ = (int(field) for field in self._folder.read(f"task/{tid}/schedstat").split()[:3])
        _, _, rest = self._folder.read(f"task/{tid}/status").partition(b"\nvoluntary_ctxt_switches:")
        return run, delay, int(rest.split(None, 1)[0]) if rest else 0


def _close(task: _Task) -> None:
    if task.syscall is not None:
        os.close(task.syscall)
        task.syscall = None
