"""How is a perf event of one thread opened?

A software clock of CPU time (include/uapi/linux/perf_event.h): every so many nanoseconds that the thread has run, the
kernel notes its instruction pointer in a ring of ours. The thread is interrupted for some microseconds and never stopped.
Where it is asked to, the kernel also copies the top of the thread's stack, and walks the frame pointers of the thread's
own code and notes its callers.
"""

import errno
import functools
import mmap
import os
import platform
from collections.abc import Callable
from struct import Struct

import msgspec

from collectors.host import Host

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_REGISTERS = {"x86_64": (6, 7, 8), "aarch64": (29, 30, 31, 32)}
"""By PERF_REG_X86_* and PERF_REG_ARM64_*: the frame pointer, (aarch64) the link register, the stack pointer, the instruction
pointer. The kernel writes them in this order."""
_TYPE_SOFTWARE, _CPU_CLOCK = 1, 0
_SAMPLE_IP, _SAMPLE_TID, _SAMPLE_CALLCHAIN, _SAMPLE_REGS_USER, _SAMPLE_STACK_USER = 1, 2, 1 << 5, 1 << 12, 1 << 13
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
STACK_BYTES = 768
"""Of a thread's stack, from its top. Callers that the interpreter worked for (formatting of numbers is the deepest) stood at
most so far up; in 512 bytes one in ten was not found."""
_PLAIN_BYTES = 40
"""Of one record: header, instruction pointer, pid and tid, ABI of the registers, the user's instruction pointer."""
_REGISTER_BYTES = 24
"""How much longer it is with the other registers."""
_CHAIN_BYTES = 8 * CHAIN_LIMIT
"""How much longer it is with callers: their number, a mark and the addresses, but no registers."""
_COPY_BYTES = STACK_BYTES + 16
"""How much longer it is with a copy of the stack: how much was asked for, the copy, how much there was."""
RING_SECONDS = 0.6

Syscall = Callable[[int, bytes, int], int]


class Asked(msgspec.Struct, frozen=True):
    """What each sample holds beside the instruction pointer: the addresses of callers (`chain`), a copy of the top of the
    stack (`stack`)."""

    chain: bool = False
    stack: bool = False

    @property
    def registers(self) -> tuple[int, ...]:
        """The registers in a record: the instruction pointer is the last; none where the chain tells it."""
        known = _REGISTERS.get(platform.machine(), ())
        return known if self.stack else () if self.chain else known[-1:]

    @property
    def sample_bytes(self) -> int:
        """Of the longest record."""
        copy = _REGISTER_BYTES + _COPY_BYTES if self.stack else 0
        return _PLAIN_BYTES + (_CHAIN_BYTES if self.chain else 0) + copy


PLAIN = Asked()


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


def attributes(hertz: int, kernel: bool, asked: Asked = PLAIN, *, registers: bool = True) -> bytes:
    """A perf_event_attr that samples `hertz` times a second of CPU time, with the kernel's part or without. Of a chain at
    most `CHAIN_LIMIT` addresses are noted, the thread's own instruction pointer the first of them."""
    mask = sum(1 << register for register in asked.registers) if registers else 0
    kinds = _SAMPLE_IP | _SAMPLE_TID | (_SAMPLE_REGS_USER if mask else 0)
    kinds |= (_SAMPLE_CALLCHAIN if asked.chain else 0) | (_SAMPLE_STACK_USER if asked.stack else 0)
    flags = _FREQUENCY | _EXCLUDE_HYPERVISOR | (0 if kernel else _EXCLUDE_KERNEL)
    flags |= _EXCLUDE_CALLCHAIN_KERNEL if asked.chain else 0
    more = _DEPTH.pack(0, 0, CHAIN_LIMIT, 0) if asked.chain else b""
    size, stack = _ATTRIBUTES.size + len(more), STACK_BYTES if asked.stack else 0
    plain = _ATTRIBUTES.pack(_TYPE_SOFTWARE, size, _CPU_CLOCK, hertz, kinds, 0, flags, 0, 0, 0, 0, 0, mask, stack, 0)
    return plain + more


def open_event(tid: int, hertz: int, kernel: bool, asked: Asked = PLAIN) -> int:
    """The descriptor of a running event on thread `tid` (0 = the caller). Raises OSError: EACCES and EPERM are refusals,
    ESRCH an ended thread, ENOSYS a kernel or machine without it; with more asked for also EINVAL and E2BIG where the kernel
    knows no such events, EOVERFLOW where kernel.perf_event_max_stack is lower."""
    call = _perf_event_open()
    try:
        return call(tid, attributes(hertz, kernel, asked), _CLOSE_ON_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL or asked != PLAIN:
            raise
    return call(tid, attributes(hertz, kernel, registers=False), _CLOSE_ON_EXEC)  # a kernel that hands out no registers


def highest_hertz(host: Host, hertz: int) -> int:
    """`hertz`, or what the kernel allows at most: it lowers its limit where interrupts took too long."""
    try:
        return max(1, min(hertz, int(host.read(f"{host.proc}/sys/kernel/perf_event_max_sample_rate"))))
    except (OSError, ValueError):
        return max(1, hertz)


def ring_bytes(hertz: int, asked: Asked = PLAIN) -> int:
    """Room for the samples of `RING_SECONDS` of a thread: a power of two of pages."""
    pages = -(-int(hertz * asked.sample_bytes * RING_SECONDS) // mmap.PAGESIZE)
    return mmap.PAGESIZE << max(0, (pages - 1).bit_length())
