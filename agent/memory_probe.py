"""How many bytes a second does this node's memory give while all of its CPUs read it? Measured for two seconds, on request.

Each CPU looks for a byte that is not there (`memchr` of the C library, without Python's lock) in a buffer of its own that is
written before, so that it is really memory, and that with the others is much larger than the last caches.
"""

import ctypes
import mmap
import os
import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import perf_counter
from typing import Protocol

import msgspec

from agent.errors import CliError, reason_of
from agent.memory_room import Room

SECONDS = 2.0
WINDOW_SECONDS = 0.25
"""The best stretch of so long counts: others use the memory too."""
OF_AVAILABLE = 0.25
MOST_EACH = 256 << 20
LEAST_EACH = 32 << 20
"""Of a CPU, far above caches of its own."""
OF_CACHES, LEAST_OF_CACHES = 4, 2
"""Buffers together, in sizes of the last caches: as many as are wanted, and below which caches would answer."""
NICE = 10
_STATE = "state [node] memory_bandwidth: channels × transfers a second × 8 bytes"
_ABSENT, _PRESENT = 2, 1

Clock = Callable[[], float]
Pass = tuple[float, float]
"""When one reading of a whole buffer began and ended."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """`of_cpus`: so many there are. `whole`: the node's CPUs all took part, without a limit on their time."""

    bytes_per_second: float
    cpus: int
    of_cpus: int
    buffer_bytes: int
    seconds: float
    whole: bool


class Buffer(Protocol):
    """What one thread reads."""

    def read(self) -> None:
        """Once from beginning to end."""

    def close(self) -> None: ...


Make = Callable[[int], Buffer]


def measured_bandwidth(
    room: Room, clock: Clock = perf_counter, make: Make | None = None, seconds: float = SECONDS
) -> Measured:
    """Raises CliError where there is too little memory. `make`: a buffer of so many bytes, in the thread that reads it."""
    each = buffer_bytes(room)
    together = threading.Barrier(len(room.cpus))
    with ThreadPoolExecutor(len(room.cpus)) as pool:
        try:
            jobs = [pool.submit(_passes, cpu, each, together, clock, make or Memory, seconds) for cpu in room.cpus]
        except RuntimeError as error:
            together.abort()  # those that were started wait for the others
            raise CliError("probe.threads", f"{len(room.cpus)} threads cannot be started", _STATE) from error
    failed = [raised for job in jobs if (raised := job.exception()) is not None]
    if failed:
        cause = next((one for one in failed if not isinstance(one, threading.BrokenBarrierError)), failed[0])
        if not isinstance(cause, OSError | MemoryError):
            raise cause
        reason = reason_of(cause) if isinstance(cause, OSError) else "out of memory"
        message = f"no buffer of {each >> 20} MiB for each of {len(room.cpus)} CPUs: {reason}"
        raise CliError("probe.memory", message, _STATE) from cause
    passes = [found for job in jobs for found in job.result()]
    return Measured(
        bytes_per_second=best_rate(passes, each, min(WINDOW_SECONDS, seconds)),
        cpus=len(room.cpus),
        of_cpus=room.all_cpus,
        buffer_bytes=each,
        seconds=seconds,
        whole=room.whole,
    )


def text(found: Measured) -> str:
    """What was measured, and the lines that tell the agent: none where it is less than the node's memory gives."""
    rate = f"{found.bytes_per_second / 1e9:.1f}GB/s"
    lines = [
        f"{rate}: {found.cpus} of {found.of_cpus} CPUs read {found.buffer_bytes >> 20} MiB each, the best "
        f"{WINDOW_SECONDS:g} s of {found.seconds:g} s",
        "What else ran meanwhile had its part of it: ask again while the services rest, and keep the most.",
    ]
    if not found.whole:
        lines.append(
            "This process may not use all CPUs of the node, all of the time (affinity, cpuset or quota): its memory gives "
            "more, and this is no line for the configuration."
        )
        return "\n".join(lines)
    return "\n".join((*lines, "", "[node]", f'memory_bandwidth = "{rate}"'))


def buffer_bytes(room: Room) -> int:
    """For each CPU: as much as is needed, within a part of what is available. Raises CliError where that is too little."""
    count, caches = len(room.cpus), room.cache_bytes
    wanted = MOST_EACH if caches is None else max(LEAST_EACH, OF_CACHES * caches // count)
    least = LEAST_EACH if caches is None else max(LEAST_EACH, LEAST_OF_CACHES * caches // count)
    may = MOST_EACH if room.available_bytes is None else int(OF_AVAILABLE * room.available_bytes) // count
    if least > MOST_EACH:
        message = f"the last caches of these {count} CPUs have {(caches or 0) >> 20} MiB: too much to be read past"
        raise CliError("probe.caches", message, _STATE)
    if may < least:
        free = (room.available_bytes or 0) >> 20
        message = (
            f"{count} CPUs need buffers of {least >> 20} MiB each, and a quarter of the {free} MiB available is less"
        )
        raise CliError("probe.memory", message, _STATE)
    return min(wanted, may, MOST_EACH) // mmap.PAGESIZE * mmap.PAGESIZE


def best_rate(passes: Sequence[Pass], size: int, window: float) -> float:
    """Bytes per second of all threads together in the stretch of `window` seconds in which it was most: of a pass that lies
    in it in part, so much of its bytes."""
    turns = sorted(
        turn
        for began, ended in passes
        if ended > began
        for turn in ((began, size / (ended - began)), (ended, -size / (ended - began)))
    )
    if not turns:
        return 0.0
    times, totals, rate = [turns[0][0]], [0.0], 0.0
    for at, change in turns:
        totals.append(totals[-1] + rate * (at - times[-1]))
        times.append(at)
        rate += change
    window = min(window, times[-1] - times[0])
    starts = [at for at in times if at + window <= times[-1]]
    return max(_total(at + window, times, totals) - _total(at, times, totals) for at in starts) / window


def _total(at: float, times: Sequence[float], totals: Sequence[float]) -> float:
    """Bytes that were read until then."""
    place = bisect_right(times, at)
    if place == len(times):
        return totals[-1]
    before, after = times[place - 1], times[place]
    return totals[place - 1] + (totals[place] - totals[place - 1]) * (at - before) / (after - before)


def _passes(cpu: int, size: int, together: threading.Barrier, clock: Clock, make: Make, seconds: float) -> list[Pass]:
    """Of one thread, on that CPU and behind everybody else. Raises OSError where it gets no memory."""
    with suppress(OSError):
        os.sched_setaffinity(0, {cpu})
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    try:
        buffer = make(size)
    except BaseException:  # whatever it is, the others wait for this one
        together.abort()
        raise
    try:
        together.wait()
        found = []
        began = clock()
        end = began + seconds
        while began < end:
            buffer.read()
            found.append((began, began := clock()))
        return found
    finally:
        buffer.close()


class Memory:
    """Pages of the calling thread's node. Raises OSError."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with suppress(OSError):
            self._pages.madvise(mmap.MADV_HUGEPAGE)
        self._view = (ctypes.c_char * size).from_buffer(self._pages)
        self._address = ctypes.addressof(self._view)
        ctypes.memset(self._address, _PRESENT, size)
        self._search = ctypes.CDLL(None).memchr
        self._search.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._search.restype = ctypes.c_void_p

    def read(self) -> None:
        self._search(self._address, _ABSENT, self._size)

    def close(self) -> None:
        del self._view
        self._pages.close()
