"""In which system call does a thread wait, and on which descriptor?

/proc/PID/task/TID/syscall says `running`, or the call's number, its six arguments, stack pointer and program counter.
Numbers are those of the kernel's tables for x86-64 and for 64-bit Arm (asm-generic); other machines have none here.
"""

import platform
from enum import Enum
from functools import cache


class Call(Enum):
    """What kind of waiting a call can be."""

    FUTEX = "futex"
    EPOLL = "epoll"
    POLL = "poll"
    SELECT = "select"
    SLEEP = "sleep"
    CHILD = "child"
    SOCKET_OR_FILE = "descriptor"
    ACCEPT = "accept"
    DEVICE = "device"
    DISK = "disk"
    RING = "ring"
    RESTART = "restart"
    """A call that was interrupted, as by a tracer, and goes on: which one, only the wait channel tells."""


_X86_64: dict[Call, tuple[int, ...]] = {
    Call.FUTEX: (202, 449, 455),
    Call.EPOLL: (232, 281, 441),
    Call.POLL: (7, 271),
    Call.SELECT: (23, 270),
    Call.SLEEP: (35, 230, 34),
    Call.CHILD: (61, 247),
    Call.SOCKET_OR_FILE: (0, 1, 17, 18, 19, 20, 42, 44, 45, 46, 47, 295, 296, 299, 307),
    Call.ACCEPT: (43, 288),
    Call.DEVICE: (16,),
    Call.DISK: (74, 75, 208, 277),
    Call.RING: (426,),
    Call.RESTART: (219,),
}
_ARM64: dict[Call, tuple[int, ...]] = {
    Call.FUTEX: (98, 449, 455),
    Call.EPOLL: (22, 441),
    Call.POLL: (73,),
    Call.SELECT: (72,),
    Call.SLEEP: (101, 115),
    Call.CHILD: (260, 95),
    Call.SOCKET_OR_FILE: (63, 64, 65, 66, 67, 68, 203, 206, 207, 211, 212, 243, 269),
    Call.ACCEPT: (202, 242),
    Call.DEVICE: (29,),
    Call.DISK: (82, 83, 4, 84),
    Call.RING: (426,),
    Call.RESTART: (128,),
}


@cache
def call_numbers(machine: str | None = None) -> dict[int, Call]:
    """Number → kind, for this machine; empty where it is not known."""
    tables = {"x86_64": _X86_64, "amd64": _X86_64, "aarch64": _ARM64, "arm64": _ARM64}
    table = tables.get(machine or platform.machine(), {})
    return {number: call for call, numbers in table.items() for number in numbers}


def parse_syscall(text: bytes) -> tuple[int, tuple[int, ...]] | None:
    """(number, arguments) of a waiting thread, number -1 where it waits outside a call (a page fault); None where it
    runs or is gone. Raises ValueError for what is no such line."""
    fields = text.split()
    if not fields or fields[0] == b"running":
        return None
    return int(fields[0]), tuple(int(field, 16) for field in fields[1:7])
