"""Runs a part of a test in a child of its own, which may give rights away without the tests losing theirs."""

import ctypes
import os
import struct
import traceback
from collections.abc import Callable

NOBODY = 65534
CAP_IPC_LOCK = 14
_VERSION_3 = 0x20080522


def in_child(part: Callable[[], str]) -> str:
    """What `part` returns there; its traceback where it raises."""
    listening, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            try:
                answer = part()
            except BaseException:
                answer = traceback.format_exc()
            os.write(told, answer.encode())
        finally:
            os._exit(0)
    os.close(told)
    with os.fdopen(listening, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def give_up(capability: int) -> None:
    """Of this process (capset(2)): it keeps its user and all others."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    assert libc.capget(header, data) == 0, os.strerror(ctypes.get_errno())
    low = [mask & ~(1 << capability) for mask in struct.unpack("=6I", data.raw)[:3]]
    data.raw = struct.pack("=3I", *low) + data.raw[12:]
    assert libc.capset(header, data) == 0, os.strerror(ctypes.get_errno())
