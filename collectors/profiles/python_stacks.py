"""The Python side of a profile: py-spy's looks, gathered into counts by thread and stack."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import ceil

import msgspec

from collectors.inside.folder import ProcessFolder, Vanished
from collectors.profiles.child import Child, py_spy
from collectors.profiles.dump_json import DumpThread, parse_dump
from collectors.profiles.failures import behind_seconds, failure, lost_looks
from collectors.profiles.interned import Interned
from collectors.profiles.namespaces import PidSpace
from collectors.profiles.profile import Frame, Missing, StackCount, Wait, WaitCount
from collectors.profiles.raw_stacks import parse_raw
from collectors.profiles.task_watch import State
from collectors.profiles.waits import Futex

STARTING_SECONDS = 0.05
"""A recorder reads the interpreter's symbols before its first look."""
PASSING = "Failed to get stack traces"
"""What py-spy says where memory changed under its only look: the next one may succeed."""
ATTACHED_SECONDS = 0.3
"""After its start a recorder has read the interpreter of the process that had the number then."""
OVERRUN_SECONDS = 0.7
"""The gaps between looks are random: at 50 a second for 4 s their sum varies by 7 %."""
DUMP_SECONDS = 5.0
"""A look that takes longer than this is given up."""
NOT_INSTALLED = Missing("python", "py-spy is not installed", "pip install 'nodewright[profile]'")


class Recorder:
    """A `py-spy record` that runs: `hertz` × `seconds` looks, if it is let."""

    __slots__ = ("began", "child", "hertz", "seconds")

    def __init__(self, child: Child, hertz: int, seconds: int) -> None:
        self.child = child
        self.hertz = hertz
        self.seconds = seconds
        self.began = time.monotonic()

    @property
    def looks(self) -> int:
        """How often it looked: exactly where it ended by itself, else by the time that it had."""
        if not self.child.asked:
            return self.hertz * self.seconds
        return round(self.hertz * max(0.0, self.child.ended_at - self.began - STARTING_SECONDS))


class PythonStacks:
    """Collects the Python stacks of one process. Costs and problems are added up; nothing raises for a state of the
    host."""

    def __init__(self, folder: ProcessFolder, interned: Interned) -> None:
        self._folder = folder
        self._interned = interned
        self._space = PidSpace(folder)
        self._program = py_spy()
        self._active: Counter[tuple[int, int]] = Counter()
        self._gil: Counter[tuple[int, int]] = Counter()
        self._waiting: Counter[tuple[int, int, Wait]] = Counter()
        self._unnamed = False
        self._lived_at = 0.0
        self.names: dict[int, str] = {}
        self.missing: dict[str, Missing] = {}
        self.cpu_seconds = 0.0
        self.behind_seconds = 0.0
        self.errors = 0
        self.dumps = 0
        self.ticks: dict[str, int] = {}
        """Looks by part that gave something: active, gil."""
        if self._program is None:
            self.missing["python"] = NOT_INSTALLED

    @property
    def by_dumps(self) -> bool:
        """Whether running threads can be had by single looks alone. A recorder takes every thread for a running one in
        another pid namespace, and where Python (before 3.11) does not say which thread of the kernel's is which."""
        return self._unnamed or (self._space.foreign and self._space.enter() is None)

    def recorder(self, hertz: int, seconds: float, options: Sequence[str]) -> Recorder | None:
        """Start `py-spy record` for (whole) `seconds`; it is told to end where it takes much longer. None: it cannot."""
        if self._program is None or "python" in self.missing:
            return None
        entering = self._space.enter() if self._space.foreign else None
        pid = self._space.inner_pid if entering else self._folder.key.pid
        whole = max(1, ceil(seconds))
        argv = [
            *(entering or ()), self._program, "record", "-p", str(pid), "-d", str(whole), "-r", str(hertz),
            "-f", "raw", "-t", "--full-filenames", *options, "-o", Child.OUTPUT,
        ]  # fmt: skip
        try:
            return Recorder(Child(argv, time.monotonic() + whole + OVERRUN_SECONDS), hertz, whole)
        except OSError as error:
            self.missing["python"] = Missing("python", f"py-spy does not start: {error.strerror}", NOT_INSTALLED.hint)
            return None

    def take_record(self, recorder: Recorder, tids: tuple[int, ...], part: str = "active") -> None:
        """Add what a recorder that ended has written. `part`: active or gil."""
        child = recorder.child
        said = child.said()
        self.cpu_seconds += child.cpu_seconds
        self.behind_seconds = max(self.behind_seconds, behind_seconds(said))
        lost = lost_looks(said)
        self.errors += lost
        if child.status != 0 or "Wrote raw" not in said or not self._is_of_it(recorder):
            self._fail(said, part)
            return
        self.ticks[part] = max(1, recorder.looks - lost)
        counts = self._gil if part == "gil" else self._active
        stacks = list(parse_raw(child.output()))
        self._space.learn({raw.tid for raw in stacks}, tids)
        for raw in stacks:
            tid = self._space.outer(raw.tid)
            if tid is None:
                continue
            if raw.name:
                self.names.setdefault(tid, raw.name)
            counts[tid, self._interned.stack(raw.frames)] += raw.count

    def dump(self, *, polite: bool = False, meanwhile: Callable[[], None] | None = None) -> tuple[DumpThread, ...]:
        """One look at every Python thread, `polite`: behind all who want to run; empty where it failed, which is counted, and
        kept if it is not passing. `meanwhile` is called now and then until it is done."""
        if self._program is None or "python" in self.missing:
            return ()
        argv = [self._program, "dump", "-p", str(self._folder.key.pid), "--json", "--nonblocking"]
        try:
            child = Child(argv, time.monotonic() + DUMP_SECONDS, polite=polite)
        except OSError as error:
            self.missing["python"] = Missing("python", f"py-spy does not start: {error.strerror}", NOT_INSTALLED.hint)
            return ()
        try:
            child.wait(meanwhile)
            said = child.said()
            self.cpu_seconds += child.cpu_seconds
            if child.status != 0 or not self.lives():
                self._fail(said, "active")
                return ()
            threads = parse_dump(child.output())
            self.dumps += 1
            self._unnamed = bool(threads) and all(thread.os_thread_id is None for thread in threads)
            return threads
        except msgspec.DecodeError:
            self.errors += 1
            return ()
        finally:
            child.close()

    def take_dump(
        self, threads: Sequence[DumpThread], before: Mapping[int, State], after: Mapping[int, State],
        tids: tuple[int, ...], *, count_active: bool, count_holder: bool,
    ) -> None:  # fmt: skip
        """Add one look. A thread's wait counts where its state was the same before and after the look."""
        self._space.learn({thread.number for thread in threads}, tids)
        for thread in threads:
            tid = self._space.outer(thread.number)
            if tid is None or not thread.frames:
                continue
            if thread.thread_name:
                self.names.setdefault(tid, thread.thread_name)
            stack = self._interned.stack(thread.stack)
            if count_holder and thread.owns_gil:
                self._gil[tid, stack] += 1
            if tid not in after:
                continue
            state = after[tid]
            if state is None:
                if count_active:
                    self._active[tid, stack] += 1
            elif (wait := _wait(state)) == _wait(before.get(tid)):
                self._waiting[tid, stack, wait] += 1

    @property
    def note(self) -> str | None:
        """What is different about this process."""
        if self._unnamed:
            return "its Python (before 3.11) does not say which thread runs: its stacks are from single looks"
        return "it is in another pid namespace: its stacks are from single looks" if self.by_dumps else None

    @property
    def active(self) -> tuple[StackCount, ...]:
        return tuple(StackCount(tid, stack, count) for (tid, stack), count in self._active.items())

    @property
    def gil(self) -> tuple[StackCount, ...]:
        return tuple(StackCount(tid, stack, count) for (tid, stack), count in self._gil.items())

    @property
    def waiting(self) -> tuple[WaitCount, ...]:
        return tuple(WaitCount(tid, stack, wait, count) for (tid, stack, wait), count in self._waiting.items())

    def leaves(self) -> dict[int, int]:
        """Leaf frames of stacks that ran, with how often each was seen."""
        found: dict[int, int] = {}
        stacks = self._interned.stacks
        for counts in (self._active, self._gil):
            for (_, stack), count in counts.items():
                if stacks[stack]:
                    leaf = stacks[stack][-1]
                    found[leaf] = found.get(leaf, 0) + count
        return found

    def frame(self, index: int) -> Frame:
        return self._interned.frames[index]

    def lives(self) -> bool:
        """Whether the process meant still runs. A profiler knows it by its number alone, so that what it saw counts only
        if the number was not free meanwhile."""
        try:
            self._folder.check()
        except (Vanished, OSError):
            return False
        return True

    def look(self) -> None:
        """Remember that the process meant runs now."""
        if self.lives():
            self._lived_at = time.monotonic()

    def _is_of_it(self, recorder: Recorder) -> bool:
        """Whether a recorder saw the process meant: it still runs, or it ended well after the recorder began to read it,
        and nobody has its number now."""
        if self.lives():
            return True
        return self._lived_at >= recorder.began + ATTACHED_SECONDS and not self._folder.taken_over()

    def _fail(self, said: str, part: str) -> None:
        alive = self.lives()
        if alive and PASSING in said:
            self.errors += 1
            return
        no = failure(said, alive=alive, musl=_is_musl(self._folder) if alive else False)
        if part == "gil":
            self.missing["gil"] = Missing("gil", no.reason, no.hint)
        elif alive and self._active:
            self.errors += 1
        else:
            self.missing["python"] = no


def _wait(state: State) -> Wait:
    return "futex" if isinstance(state, Futex) or state is None else state


def _is_musl(folder: ProcessFolder) -> bool:
    try:
        return any(b"/ld-musl-" in line for line in folder.lines("maps"))
    except OSError:
        return False
