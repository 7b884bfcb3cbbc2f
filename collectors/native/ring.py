"""What did the kernel write into the ring of one perf event since the last look?"""

import mmap
import os
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

import msgspec

_HEAD_AT, _TAIL_AT = 1024, 1032
"""`data_head` and `data_tail` of struct perf_event_mmap_page."""
_PLACE = Struct("@Q")  # native: one load or store of eight bytes, never a torn one
_HEADER = Struct("=IHH")  # type, misc, size
_SAMPLE = Struct("=QII")  # instruction pointer, pid, tid
_USER = Struct("=QQ")  # ABI of the registers, the user's instruction pointer
_CHAIN = Struct("=Q")  # how many addresses and marks follow
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


class Records(msgspec.Struct, kw_only=True):
    """What a piece of a ring holds. `lost`: samples for which there was no room. `throttled`: how often the kernel held
    the event back. `damaged`: some of it could not be read."""

    looks: list[Look] = []
    lost: int = 0
    throttled: int = 0
    damaged: bool = False


def read_records(data: bytes, chained: bool = False) -> Records:
    """The records in `data`, of an event with callers or without; from one with an impossible length on the rest is left
    out."""
    found = Records()
    look = _chained_look if chained else _look
    for kind, mode, begin, end in _records(data, found):
        if kind == _SAMPLE_RECORD and end - begin >= _SAMPLE.size:
            found.looks.append(look(data, mode, begin, end))
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


def _look(data: bytes, mode: int, begin: int, end: int) -> Look:
    address, pid, tid = _SAMPLE.unpack_from(data, begin)
    if mode == _USER_MODE:
        return Look(pid, tid, address, False)
    begin += _SAMPLE.size
    abi, user = _USER.unpack_from(data, begin) if end - begin >= _USER.size else (0, 0)
    return Look(pid, tid, user if abi and user else None, True)


def _chained_look(data: bytes, mode: int, begin: int, end: int) -> Look:
    address, pid, tid = _SAMPLE.unpack_from(data, begin)
    begin += _SAMPLE.size
    (said,) = _CHAIN.unpack_from(data, begin) if end - begin >= _CHAIN.size else (0,)
    begin += _CHAIN.size
    count = min(said, max(0, end - begin) // _CHAIN.size)
    chain, of_user = [], False
    for (entry,) in _CHAIN.iter_unpack(data[begin : begin + count * _CHAIN.size]):
        if entry >= _LEAST_MARK:
            of_user = entry == _USER_MARK
        elif of_user:
            chain.append(entry)
    if mode == _USER_MODE:
        return Look(pid, tid, address, False, tuple(chain))
    return Look(pid, tid, chain[0] if chain else None, True, tuple(chain))


class Ring:
    """The memory that the kernel shares for the event `descriptor`: a page of places, then `data_bytes` of records, with
    callers where the event is `chained`.

    Takes the descriptor over; the event lives until `close`. Raises OSError as mmap(2) does, EPERM where no more memory
    may be locked.
    """

    __slots__ = ("_chained", "_data_bytes", "_mapping", "_tail")

    def __init__(self, descriptor: int, data_bytes: int, chained: bool = False) -> None:
        try:
            self._mapping = mmap.mmap(descriptor, mmap.PAGESIZE + data_bytes)
        finally:
            os.close(descriptor)  # the mapping has a duplicate
        self._data_bytes = data_bytes
        self._chained = chained
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
        return read_records(data, self._chained)

    def _copy(self, begin: int, end: int) -> bytes:
        page, size = mmap.PAGESIZE, self._data_bytes
        if end <= size:
            return self._mapping[page + begin : page + end]
        return self._mapping[page + begin : page + size] + self._mapping[page : page + end - size]

    def close(self) -> None:
        self._mapping.close()
