"""How is a perf event of one thread opened?

A software clock of CPU time (include/uapi/linux/perf_event.h): every so many nanoseconds that the thread has run, the
kernel notes its instruction pointer in a ring of ours. The thread is interrupted for some microseconds and never stopped.
Where it is asked to, the kernel also walks the frame pointers of the thread's own code and notes its callers.
"""

import errno
import functools
import mmap
import os
import platform
from collections.abc import Callable
from struct import Struct

from collectors.host import Host

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_POINTER_REGISTER = {"x86_64": 8, "aarch64": 32}
"""PERF_REG_X86_IP, PERF_REG_ARM64_PC."""
_TYPE_SOFTWARE, _CPU_CLOCK = 1, 0
_SAMPLE_IP, _SAMPLE_TID, _SAMPLE_CALLCHAIN, _SAMPLE_REGS_USER = 1, 2, 1 << 5, 1 << 12
_EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR, _FREQUENCY, _EXCLUDE_CALLCHAIN_KERNEL = 1 << 5, 1 << 6, 1 << 10, 1 << 21
_CLOSE_ON_EXEC = 8
_ANY_CPU, _NO_GROUP = -1, -1
_ATTRIBUTES = Struct("=IIQQQQQIIQQQQIi")
"""struct perf_event_attr up to `clockid` (PERF_ATTR_SIZE_VER3): type, size, config, frequency, sample_type, read_format,
flags, wake-up, breakpoint (three), branches, registers, stack, clock."""
_DEPTH = Struct("=QIHH")
"""What follows up to PERF_ATTR_SIZE_VER5, of Linux 4.8: registers at interrupts, auxiliary wake-up, depth, reserved."""
CHAIN_LIMIT = 20
"""Addresses of one chain of callers. libcuda's exported functions stood at most 15 above the leaf."""
SAMPLE_BYTES = 40
"""Of one record: header, instruction pointer, pid and tid, ABI of the registers, the user's instruction pointer."""
CHAINED_BYTES = 40 + 8 * CHAIN_LIMIT
"""Of the longest record with callers: header, instruction pointer, pid and tid, their number, a mark, the addresses."""

Syscall = Callable[[int, bytes, int], int]


@functools.cache
def _perf_event_open() -> Syscall:
    """perf_event_open(2) for (tid, attributes, flags); the C library has no function for it. Raises OSError(ENOSYS) where
    the machine is unknown or no foreign function can be called."""
    number = _SYSCALL.get(platform.machine())
    try:
        import ctypes  # some 2 MB, which a sidecar that never samples can do without

        syscall = ctypes.CDLL(None, use_errno=True).syscall
    except (ImportError, OSError, MemoryError, AttributeError) as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    long = ctypes.c_long
    syscall.restype = long

    def call(tid: int, attributes: bytes, flags: int) -> int:
        result: int = syscall(long(number), attributes, long(tid), long(_ANY_CPU), long(_NO_GROUP), long(flags))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    return call


def attributes(hertz: int, kernel: bool, registers: bool) -> bytes:
    """A perf_event_attr that samples `hertz` times a second of CPU time, with the kernel's part or without."""
    mask = 1 << _POINTER_REGISTER[platform.machine()] if registers else 0
    kinds = _SAMPLE_IP | _SAMPLE_TID | (_SAMPLE_REGS_USER if registers else 0)
    flags = _FREQUENCY | _EXCLUDE_HYPERVISOR | (0 if kernel else _EXCLUDE_KERNEL)
    size = _ATTRIBUTES.size
    return _ATTRIBUTES.pack(_TYPE_SOFTWARE, size, _CPU_CLOCK, hertz, kinds, 0, flags, 0, 0, 0, 0, 0, mask, 0, 0)


def chained_attributes(hertz: int, kernel: bool) -> bytes:
    """The same with callers, at most `CHAIN_LIMIT` addresses, the thread's own instruction pointer the first of them."""
    kinds = _SAMPLE_IP | _SAMPLE_TID | _SAMPLE_CALLCHAIN
    flags = _FREQUENCY | _EXCLUDE_HYPERVISOR | _EXCLUDE_CALLCHAIN_KERNEL | (0 if kernel else _EXCLUDE_KERNEL)
    size = _ATTRIBUTES.size + _DEPTH.size
    plain = _ATTRIBUTES.pack(_TYPE_SOFTWARE, size, _CPU_CLOCK, hertz, kinds, 0, flags, 0, 0, 0, 0, 0, 0, 0, 0)
    return plain + _DEPTH.pack(0, 0, CHAIN_LIMIT, 0)


def open_event(tid: int, hertz: int, kernel: bool) -> int:
    """The descriptor of a running event on thread `tid` (0 = the caller). Raises OSError: EACCES and EPERM are refusals,
    ESRCH an ended thread, ENOSYS a kernel or machine without it."""
    call = _perf_event_open()
    try:
        return call(tid, attributes(hertz, kernel, registers=True), _CLOSE_ON_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return call(tid, attributes(hertz, kernel, registers=False), _CLOSE_ON_EXEC)  # a kernel that hands out no registers


def open_chained(tid: int, hertz: int, kernel: bool) -> int:
    """As `open_event`, with the addresses of the callers in the thread's own code instead of registers. Raises OSError:
    also EINVAL and E2BIG where the kernel knows no such events, EOVERFLOW where kernel.perf_event_max_stack is lower."""
    return _perf_event_open()(tid, chained_attributes(hertz, kernel), _CLOSE_ON_EXEC)


def highest_hertz(host: Host, hertz: int) -> int:
    """`hertz`, or what the kernel allows at most: it lowers its limit where interrupts took too long."""
    try:
        return max(1, min(hertz, int(host.read(f"{host.proc}/sys/kernel/perf_event_max_sample_rate"))))
    except (OSError, ValueError):
        return max(1, hertz)


def ring_bytes(hertz: int, chained: bool = False) -> int:
    """Room for a second's samples: a power of two of pages."""
    pages = -(-hertz * (CHAINED_BYTES if chained else SAMPLE_BYTES) // mmap.PAGESIZE)
    return mmap.PAGESIZE << max(0, (pages - 1).bit_length())
