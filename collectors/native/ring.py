"""What did the kernel write into the ring of one perf event since the last look?"""

import mmap
import os
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import msgspec

from collectors.native.perf_event import PLAIN, Asked

_HEAD_AT, _TAIL_AT = 1024, 1032
"""`data_head` and `data_tail` of struct perf_event_mmap_page."""
_PLACE = Struct("@Q")  # native: one load or store of eight bytes, never a torn one
_HEADER = Struct("=IHH")  # type, misc, size
_SAMPLE = Struct("=QII")  # instruction pointer, pid, tid
_ABI = Struct("=Q")  # of the registers that follow; 0 = there are none
_NUMBERS = [Struct(f"={count}Q") for count in range(6)]
_CHAIN = Struct("=Q")  # how many addresses and marks follow
_COPY = Struct("=Q")  # how many bytes of the stack were asked for; how many there were follows them
_LOST = Struct("=QQ")  # event, how many
_LOST_RECORD, _THROTTLE_RECORD, _SAMPLE_RECORD = 2, 5, 9
_MODE_MASK, _USER_MODE = 7, 2
_LEAST_MARK, _USER_MARK = (1 << 64) - 4095, (1 << 64) - 512
"""PERF_CONTEXT_MAX and PERF_CONTEXT_USER: no addresses, but what the ones after them are of."""


class Look(NamedTuple):
    """One sample. `address`: the user's instruction pointer, also where the thread was in the kernel; None = unknown.
    `chain`: the same and then where its callers go on, as far as they keep frame pointers; empty unless asked for."""

    pid: int
    tid: int
    address: int | None
    kernel: bool
    chain: tuple[int, ...] = ()
    registers: tuple[int, ...] = ()
    """Its frame pointer, (aarch64) where it returns to, and its stack pointer, where the stack was asked for."""
    stack: bytes = b""
    """The top of its stack, from the stack pointer on, where it was asked for."""


class Records(msgspec.Struct, kw_only=True):
    """What a piece of a ring holds. `lost`: samples for which there was no room. `throttled`: how often the kernel held
    the event back. `damaged`: some of it could not be read."""

    looks: list[Look] = []
    lost: int = 0
    throttled: int = 0
    damaged: bool = False


def read_records(data: bytes, asked: Asked = PLAIN) -> Records:
    """The records in `data`, of an event for which this was asked; from one with an impossible length on the rest is left
    out."""
    found = Records()
    for kind, mode, begin, end in _records(data, found):
        if kind == _SAMPLE_RECORD and end - begin >= _SAMPLE.size:
            found.looks.append(_look(data, mode, begin, end, asked))
        elif kind == _LOST_RECORD and end - begin >= _LOST.size:
            found.lost += _LOST.unpack_from(data, begin)[1]
        elif kind == _THROTTLE_RECORD:
            found.throttled += 1
    return found


def _records(data: bytes, found: Records) -> Iterator[tuple[int, int, int, int]]:
    """Type, mode, begin and end of the body of each record."""
    at = 0
    while at + _HEADER.size <= len(data):
        kind, misc, size = _HEADER.unpack_from(data, at)
        if size < _HEADER.size or at + size > len(data):
            break
        yield kind, misc & _MODE_MASK, at + _HEADER.size, at + size
        at += size
    found.damaged = at < len(data)


def _look(data: bytes, mode: int, begin: int, end: int, asked: Asked) -> Look:
    address, pid, tid = _SAMPLE.unpack_from(data, begin)
    at = begin + _SAMPLE.size
    chain: tuple[int, ...] = ()
    registers: tuple[int, ...] = ()
    if asked.chain:
        chain, at = _chain(data, at, end)
    if asked.registers:
        registers, at = _registers(data, at, end, len(asked.registers))
    stack = _stack(data, at, end) if asked.stack else b""
    user = chain[0] if chain else registers[-1] if registers else None
    place = address if mode == _USER_MODE else user
    return Look(pid, tid, place, mode != _USER_MODE, chain, registers[:-1], stack)


def _registers(data: bytes, at: int, end: int, count: int) -> tuple[tuple[int, ...], int]:
    """The user's registers, none where the thread has no such part, and where they end."""
    values = _NUMBERS[count + 1]
    if end - at >= _ABI.size and not _ABI.unpack_from(data, at)[0]:
        return (), at + _ABI.size
    if end - at < values.size:
        return (), end
    return values.unpack_from(data, at)[1:], at + values.size


def _chain(data: bytes, at: int, end: int) -> tuple[tuple[int, ...], int]:
    """The user's part of a chain of callers, and where it ends."""
    (said,) = _CHAIN.unpack_from(data, at) if end - at >= _CHAIN.size else (0,)
    at += _CHAIN.size
    after = at + _CHAIN.size * min(said, max(0, end - at) // _CHAIN.size)
    chain, of_user = [], False
    for (entry,) in _CHAIN.iter_unpack(data[at:after]):
        if entry >= _LEAST_MARK:
            of_user = entry == _USER_MARK
        elif of_user:
            chain.append(entry)
    return tuple(chain), after


def _stack(data: bytes, at: int, end: int) -> bytes:
    """What the kernel copied of the stack: of the bytes that were asked for those that there were."""
    if end - at < _COPY.size:
        return b""
    (size,) = _COPY.unpack_from(data, at)
    at += _COPY.size
    if size == 0 or size > end - at - _COPY.size:
        return b""
    (there,) = _COPY.unpack_from(data, at + size)
    return data[at : at + min(size, there)]


class Ring:
    """The memory that the kernel shares for the event `descriptor`: a page of places, then `data_bytes` of records that
    hold what was `asked` for.

    Takes the descriptor over; the event lives until `close`. Raises OSError as mmap(2) does, EPERM where no more memory
    may be locked.
    """

    __slots__ = ("_asked", "_data_bytes", "_mapping", "_tail")

    def __init__(self, descriptor: int, data_bytes: int, asked: Asked = PLAIN) -> None:
        try:
            self._mapping = mmap.mmap(descriptor, mmap.PAGESIZE + data_bytes)
        finally:
            os.close(descriptor)  # the mapping has a duplicate
        self._data_bytes = data_bytes
        self._asked = asked
        self._tail = 0

    def drain(self) -> Records | None:
        """What is new, after which its room is free again; None if nothing is.

        No barrier stands between the reads of the head and of the data: the interpreter runs more instructions in
        between than any core reorders.
        """
        (head,) = _PLACE.unpack_from(self._mapping, _HEAD_AT)
        length = head - self._tail
        if length == 0:
            return None
        begin = self._tail % self._data_bytes
        self._tail = head
        if not 0 < length <= self._data_bytes:
            _PLACE.pack_into(self._mapping, _TAIL_AT, head)
            return Records(damaged=True)
        data = self._copy(begin, begin + length)
        _PLACE.pack_into(self._mapping, _TAIL_AT, head)
        return read_records(data, self._asked)

    def _copy(self, begin: int, end: int) -> bytes:
        page, size = mmap.PAGESIZE, self._data_bytes
        if end <= size:
            return self._mapping[page + begin : page + end]
        return self._mapping[page + begin : page + size] + self._mapping[page : page + end - size]

    def close(self) -> None:
        self._mapping.close()
