"""What do the threads of one process run, sampled from outside by the kernel's clock of their CPU time?

Every thread of it counts, whether Python knows it or not. The process is never stopped. Time in code that every library
shares comes with the caller, as the top of the stack tells. In a process that uses the CUDA driver the kernel notes callers
too, and time in the driver counts for the exported function that was called.
"""

import errno
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside.folder import ProcessFolder, Vanished
from collectors.native.callers import Callers
from collectors.native.driver import DriverCode, driver_code, exported
from collectors.native.mapped import Mappings, read_mappings
from collectors.native.naming import Naming
from collectors.native.perf_event import PLAIN, Asked, highest_hertz, open_event, ring_bytes
from collectors.native.ring import Records, Ring
from collectors.native.support import other_pid_space, why_not_locked, why_refused
from collectors.native.symbol_cache import SymbolCache
from collectors.profiles.profile import Frame
from collectors.reading import Unsupported

THREADS_LIMIT = 512
"""Each takes a descriptor and two pages of locked memory."""
CALLERS_THREADS_LIMIT = 128
"""With copies of stacks each takes 17 pages: processes with more threads are sampled without."""
ADDRESSES_LIMIT = 100_000
CHAINS_LIMIT = 4096
"""Different ways through the driver; those that come later have no names. About 1 KiB each."""
NOTES_LIMIT = 20
NOTE_CHARACTERS = 300
"""One for each library that cannot be read, by its name."""
_NO_CHAINS = (errno.EINVAL, errno.E2BIG, errno.EOVERFLOW, errno.EOPNOTSUPP, errno.ENOMEM)
"""What a kernel answers to an event with callers that it would open without."""
KERNEL = Frame("", "[kernel]", None, True)
_ENDED = Unsupported("the process has ended", "ask for one of the present processes")
_NO_THREADS = Unsupported("its threads have ended", "ask for one of the present processes")


class NativePlace(NamedTuple):
    """Where a thread was: in `frame`, `kernel`: in the kernel on its behalf. `caller`: where `frame` is code that all
    libraries share, the nearest function of another that called it; None: none did, or it is not known."""

    tid: int
    frame: Frame
    kernel: bool
    caller: Frame | None = None


class NativeSamples(msgspec.Struct, frozen=True, kw_only=True):
    """How often each thread was seen on a CPU in each function.

    In the CUDA driver, and in what it calls of the C library, the function is the driver's exported one, as far as callers
    could be seen. Samples are spaced in the thread's CPU time, so their number is proportional to it. `lost`: samples for
    which there was no room. `kernel_seen`: time in the kernel counts too; without, only that in the process's own code.
    `notes`: what could not be sampled or named, and why.
    """

    counts: Mapping[NativePlace, int]
    lost: int = 0
    kernel_seen: bool = True
    notes: tuple[str, ...] = ()


class NativeSampler:
    """Events on the threads of the process `key`, from `start` to `stop` or `close`; both may be called again."""

    def __init__(self, host: Host, key: WorkerKey, cache: SymbolCache | None = None) -> None:
        self._host = host
        self._key = key
        self._cache = SymbolCache() if cache is None else cache
        self._folder: ProcessFolder | None = None
        self._rings: dict[int, Ring] = {}
        self._counts: Counter[tuple[int, int | None, bool, tuple[int, ...], int | None]] = Counter()
        """By thread, address, whether in the kernel, the places in the driver that led there, and the caller's."""
        self._driver: DriverCode | None = None
        self._callers: Callers | None = None
        self._asked = PLAIN
        self._ways: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._at_start: Mappings | None = None
        self._hertz = 0
        self._kernel = True
        self._lost = self._throttled = 0
        self._notes: dict[str, None] = {}

    def start(self, tids: Sequence[int], hertz: int) -> Unsupported | None:
        """Sample these threads, the first `THREADS_LIMIT` of them, `hertz` times a second of their CPU time.

        None = at least one thread is sampled. Otherwise nothing stays open.
        """
        self.close()
        if refused := other_pid_space(self._host):
            return refused
        self._hertz = highest_hertz(self._host, hertz)
        try:
            self._folder = ProcessFolder(self._host, self._key)
            self._at_start = read_mappings(self._folder)
            self._driver = driver_code(self._at_start)
            self._callers = Callers(self._folder, self._at_start) if len(tids) <= CALLERS_THREADS_LIMIT else None
            self._asked = Asked(chain=self._driver is not None, stack=self._callers is not None)
            refused = self._add(tids)
        except Vanished:
            refused = _ENDED
        except OSError as error:
            refused = Unsupported(f"/proc/PID/maps: {os.strerror(error.errno or 0)}", self._grant())
        if not self._rings:
            self.close()
            return refused or _NO_THREADS
        return None

    def add(self, tids: Sequence[int]) -> None:
        """Threads that appeared later; those that are sampled already are left alone."""
        if self._folder is not None:
            self._add(tids)

    def drain(self) -> None:
        """Take over what the kernel has written. At least twice a second: a ring holds `RING_SECONDS` of a thread."""
        for ring in self._rings.values():
            records = ring.drain()
            if records is not None:
                self._take(records)

    def stop(self) -> NativeSamples:
        """End sampling and name what was seen. Reads the symbols of the libraries that were."""
        self.drain()
        self._close_rings()
        frames = self._named()
        counts: Counter[NativePlace] = Counter()
        for (tid, address, kernel, way, called), count in self._counts.items():
            plain = KERNEL if address is None else frames[address]
            frame = (exported(way, frames) or plain) if way else plain
            counts[NativePlace(tid, frame, kernel, None if called is None else frames[called])] += count
        self.close()
        if self._throttled:
            self._note(f"the kernel held sampling back {self._throttled} times: busy threads count too little")
        return NativeSamples(counts=counts, lost=self._lost, kernel_seen=self._kernel, notes=tuple(self._notes))

    def close(self) -> None:
        """Let go of every descriptor and of what was counted."""
        self._close_rings()
        if self._callers is not None:
            self._callers.close()
        if self._folder is not None:
            self._folder.close()
            self._folder = None
        self._at_start = self._driver = self._callers = None
        self._counts = Counter()
        self._ways = {}

    def _close_rings(self) -> None:
        while self._rings:
            self._rings.popitem()[1].close()

    def _add(self, tids: Sequence[int]) -> Unsupported | None:
        """Why the last of them that is not sampled is not; None also where a thread has just ended."""
        refused = None
        for tid in tids:
            if tid in self._rings:
                continue
            if len(self._rings) >= THREADS_LIMIT and not self._let_ended_go():
                self._note(f"only {THREADS_LIMIT} threads were sampled")
                break
            refused = self._open(tid)
            if refused is not None:
                self._note(f"some threads were not sampled: {refused.reason}")
                break  # it would be the same for the others
        return refused

    def _open(self, tid: int) -> Unsupported | None:
        try:
            descriptor = self._event(tid)
        except ProcessLookupError:
            return None
        except OSError as error:
            if self._asked != PLAIN and error.errno in _NO_CHAINS:
                return self._open_without_callers(tid, os.strerror(error.errno))
            return why_refused(self._host, error, self._grant())
        try:
            ring = Ring(descriptor, ring_bytes(self._hertz, self._asked), self._asked)
        except OSError as error:
            locked = error.errno in (errno.EPERM, errno.EACCES)
            refused = why_not_locked(self._host) if locked else why_refused(self._host, error, self._grant())
            return refused if self._asked == PLAIN else self._open_without_callers(tid, refused.reason)
        if self._is_ours(tid):
            self._rings[tid] = ring
        else:
            ring.close()
        return None

    def _open_without_callers(self, tid: int, reason: str) -> Unsupported | None:
        """This thread, and those before it again: all threads alike, in rings that are a fraction as large."""
        self._note(f"callers of native functions are not seen: {reason}")
        self._asked = PLAIN
        self.drain()
        tids = [*self._rings, tid]
        self._close_rings()
        return next((refused for each in tids if (refused := self._open(each)) is not None), None)

    def _event(self, tid: int) -> int:
        """An event that counts the kernel's part too, or else without it: all threads alike."""
        if self._kernel:
            try:
                return open_event(tid, self._hertz, True, self._asked)
            except PermissionError:
                if self._rings:
                    raise
                self._kernel = False
        return open_event(tid, self._hertz, False, self._asked)

    def _is_ours(self, tid: int) -> bool:
        """Whether the thread that was just opened is one of the process's: its number could be another's by now."""
        if self._folder is None:
            return False
        try:
            os.close(self._folder.open(f"task/{tid}", os.O_PATH))
        except OSError:
            return False
        return True

    def _let_ended_go(self) -> bool:
        """Close the events of threads that have ended; whether there was one."""
        ended = [tid for tid in self._rings if not self._is_ours(tid)]
        for tid in ended:
            ring = self._rings.pop(tid)
            records = ring.drain()
            if records is not None:
                self._take(records)
            ring.close()
        return bool(ended)

    def _take(self, records: Records) -> None:
        self._lost += records.lost
        self._throttled += records.throttled
        if records.damaged:
            self._note("some samples could not be read")
        for pid, tid, address, kernel, chain, registers, stack in records.looks:
            way = self._way(chain) if chain else ()
            called = None
            if self._callers is not None and address is not None and not way:
                called = self._callers.caller(address, registers, stack)
            place = (tid, address, kernel, way, called)
            if pid != self._key.pid or (len(self._counts) >= ADDRESSES_LIMIT and place not in self._counts):
                self._lost += 1
            else:
                self._counts[place] += 1

    def _way(self, chain: tuple[int, ...]) -> tuple[int, ...]:
        """The places in the driver that the thread came through; each way is kept once."""
        way = () if self._driver is None else self._driver.calls(chain)
        if way in self._ways or len(self._ways) < CHAINS_LIMIT:
            return self._ways.setdefault(way, way)
        return ()

    def _named(self) -> dict[int, Frame]:
        seen: Counter[int] = Counter()
        for (_, address, _, way, called), count in self._counts.items():
            for place in (address, called, *way):
                if place is not None:
                    seen[place] += count
        if self._folder is None or self._at_start is None or not seen:
            return {}
        moments, ended = [self._at_start], False
        try:
            self._folder.check()
            moments.insert(0, read_mappings(self._folder))
        except (Vanished, OSError):
            ended = True
        naming = Naming(self._folder, moments, self._cache)
        frames = naming.frames(seen)
        for note in ("the process ended before its functions could be named",) if ended else naming.notes:
            self._note(note)
        return frames

    def _grant(self) -> str:
        if self._folder is None:
            return "run the sidecar with CAP_PERFMON and CAP_SYS_PTRACE"
        return self._folder.what_to_grant().replace("CAP_SYS_PTRACE", "CAP_PERFMON, CAP_SYS_PTRACE", 1)

    def _note(self, text: str) -> None:
        if len(self._notes) < NOTES_LIMIT:
            self._notes.setdefault(text[:NOTE_CHARACTERS])
