"""What does a thread that is not running wait for?

The GIL is told exactly: CPython waits for it on a condition variable inside the interpreter's own static data (3.6 to
3.13, `_PyRuntime` or the variables that it replaced), so a futex whose address lies in the data of libpython, or of the
executable that contains it, is a wait for the GIL. Locks of programs live on the heap.
"""

import re
import struct
from collections.abc import Callable, Sequence

from collectors.inside.folder import ProcessFolder
from collectors.profiles.descriptors import Descriptors, Memory
from collectors.profiles.profile import Wait
from collectors.profiles.syscalls import Call, call_numbers

_INTERPRETER = re.compile(rb"/(?:libpython[23][\d.]*[a-z]*\.so[\d.]*|python[\d.]*[a-z]*)$")
_CHANNELS: tuple[tuple[bytes, Wait], ...] = (
    (b"poll", "loop"),
    (b"select", "loop"),
    (b"nanosleep", "sleep"),
    (b"futex", "futex"),
)
RANGES_LIMIT = 32
"""Pieces of the interpreter's data; it has two or three."""
_POLLED_LIMIT = 64
_POLLFD = struct.Struct("=ihh")
_SELECT_BITS = 1024


class Futex:
    """A wait on a futex that is not the GIL's: `address` tells whether several threads wait on the same."""

    __slots__ = ("address",)

    def __init__(self, address: int) -> None:
        self.address = address


class Waits:
    """Tells the waits of one process apart. Raises OSError where the process's insides may not be read."""

    def __init__(self, folder: ProcessFolder) -> None:
        self._gil = interpreter_data(folder)
        self._calls = call_numbers()
        self._descriptors = Descriptors(folder)
        self._memory = Memory(folder)

    def renew(self) -> None:
        self._descriptors.renew()

    def close(self) -> None:
        self._memory.close()

    def kind(self, number: int, arguments: Sequence[int], channel: Callable[[], bytes]) -> Wait | Futex:
        """What a thread inside call `number` waits for; -1 is a fault in memory, which waits for the disk. `channel` reads
        the kernel's function in which it waits. Raises Stale where it went on meanwhile."""
        if number < 0:
            return "disk"
        match self._calls.get(number):
            case Call.FUTEX:
                address = arguments[0] if arguments else 0
                return "gil" if any(low <= address < high for low, high in self._gil) else Futex(address)
            case Call.EPOLL | Call.RING:
                return "loop"
            case Call.POLL | Call.SELECT as call:
                return self._polled(call, arguments)
            case Call.SLEEP:
                return "sleep"
            case Call.CHILD:
                return "child"
            case Call.ACCEPT:
                return "listening"
            case Call.DEVICE:
                return "device"
            case Call.DISK:
                return "disk"
            case Call.RESTART:
                return by_channel(channel())
            case Call.SOCKET_OR_FILE:
                return self._descriptors.kind(arguments[0]) if arguments else "other"
            case None:
                return "other"

    def _polled(self, call: Call, arguments: Sequence[int]) -> Wait:
        """poll and select on one descriptor are a wait for that; on several they are a loop, unless one is listening."""
        try:
            numbers = self._polled_numbers(call, arguments)
        except (OSError, OverflowError, struct.error, IndexError):
            return "loop"
        if not numbers:
            return "sleep"
        kinds = [self._descriptors.kind(number) for number in numbers]
        if "listening" in kinds:
            return "listening"
        return kinds[0] if len(kinds) == 1 and kinds[0] != "other" else "loop"

    def _polled_numbers(self, call: Call, arguments: Sequence[int]) -> list[int]:
        if call is Call.POLL:
            address, count = arguments[0], min(arguments[1], _POLLED_LIMIT)
            raw = self._memory.read(address, count * _POLLFD.size)
            return [number for number, _, _ in _POLLFD.iter_unpack(raw) if number >= 0]
        highest = min(arguments[0], _SELECT_BITS)
        numbers: list[int] = []
        for address in arguments[1:3]:
            if address and highest > 0:
                bits = int.from_bytes(self._memory.read(address, (highest + 63) // 64 * 8), "little")
                numbers += [number for number in range(highest) if bits >> number & 1]
        return numbers[:_POLLED_LIMIT]


def by_channel(channel: bytes) -> Wait:
    """What a wait is for, by the kernel's function alone (/proc/PID/task/TID/wchan)."""
    for part, wait in _CHANNELS:
        if part in channel:
            return wait
    return "other"


def interpreter_data(folder: ProcessFolder) -> tuple[tuple[int, int], ...]:
    """Address ranges of the writable data of the interpreter, its zeroed data (.bss) included; none for what is not
    Python. Where libpython is mapped the executable is only its launcher."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    name, end = b"", 0
    for line in folder.lines("maps"):
        fields = line.split(None, 5)
        if len(fields) < 5:
            continue
        low, _, high = fields[0].partition(b"-")
        begin, path = int(low, 16), fields[5].removesuffix(b" (deleted)") if len(fields) == 6 else b""
        if path.startswith(b"/"):
            name = path
        elif path or begin != end:  # [heap] and what does not follow the file at once are no part of it
            name = b""
        end = int(high, 16)
        if name and b"w" in fields[1] and _INTERPRETER.search(name):
            found.setdefault(name, []).append((begin, end))
    libraries = [ranges for path, ranges in found.items() if b"/libpython" in path]
    return tuple(pair for ranges in (libraries or found.values()) for pair in ranges)[:RANGES_LIMIT]
