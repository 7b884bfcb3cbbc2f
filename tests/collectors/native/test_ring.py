"""Records as the kernel writes them, damaged ones, and a real ring that runs over."""

import os
import platform
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.native.perf_event import CHAIN_LIMIT, STACK_BYTES, Asked, open_event, ring_bytes
from collectors.native.ring import Look, Records, Ring, read_records
from collectors.native.support import native_support
from tests.collectors.native.program import HOST

REFUSED = native_support(HOST)
granted = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
KERNEL, USER = 1, 2
CHAIN, STACK, BOTH = Asked(chain=True), Asked(stack=True), Asked(chain=True, stack=True)


def record(kind: int, mode: int, body: bytes) -> bytes:
    return struct.pack("=IHH", kind, mode, 8 + len(body)) + body


def one_sample(address: int, mode: int, registers: bytes) -> bytes:
    return record(9, mode, struct.pack("=QII", address, 10, 11) + registers)


def test_a_sample_of_the_kernel_has_the_users_address() -> None:
    data = one_sample(0x1000, USER, struct.pack("=QQ", 2, 0x1000)) + one_sample(
        0xFFFFFFFF81000000, KERNEL, struct.pack("=QQ", 2, 0x2000)
    )
    assert read_records(data) == Records(looks=[Look(10, 11, 0x1000, False), Look(10, 11, 0x2000, True)])


@pytest.mark.parametrize("registers", [b"", struct.pack("=Q", 0), struct.pack("=QQ", 0, 0x2000)])
def test_a_sample_of_the_kernel_without_registers_has_no_address(registers: bytes) -> None:
    assert read_records(one_sample(1, KERNEL, registers)).looks == [Look(10, 11, None, True)]


def test_lost_and_throttled_are_counted_and_unknown_records_passed_by() -> None:
    data = (
        record(2, 0, struct.pack("=QQ", 1, 7)) + record(5, 0, bytes(24)) + record(6, 0, bytes(24)) + record(99, 0, b"")
    )
    assert read_records(data + data) == Records(lost=14, throttled=2)


USER_MARK, KERNEL_MARK = (1 << 64) - 512, (1 << 64) - 128


def chained(address: int, mode: int, *entries: int, said: int | None = None) -> bytes:
    count = len(entries) if said is None else said
    return record(9, mode, struct.pack(f"=QIIQ{len(entries)}Q", address, 10, 11, count, *entries))


def test_callers_are_those_after_the_mark_of_the_users_part() -> None:
    data = chained(0x1000, USER, USER_MARK, 0x1000, 0x2001, 0x3001) + chained(
        0xFFFFFFFF81000000, KERNEL, KERNEL_MARK, 0xFFFFFFFF81000000, USER_MARK, 0x4000, 0x5001, KERNEL_MARK, 7
    )
    assert read_records(data, CHAIN).looks == [
        Look(10, 11, 0x1000, False, (0x1000, 0x2001, 0x3001)),
        Look(10, 11, 0x4000, True, (0x4000, 0x5001)),
    ]


def test_a_chain_may_be_empty_or_missing() -> None:
    missing = record(9, KERNEL, struct.pack("=QII", 1, 10, 11))
    data = chained(0x1000, USER) + chained(1, KERNEL) + chained(1, KERNEL, KERNEL_MARK, 1) + missing
    assert read_records(data, CHAIN).looks == [
        Look(10, 11, 0x1000, False),
        Look(10, 11, None, True),
        Look(10, 11, None, True),
        Look(10, 11, None, True),
    ]


@pytest.mark.parametrize("said", [3, 4, 1 << 20, (1 << 64) - 1])
def test_a_chain_that_is_said_to_be_longer_than_its_record_ends_with_it(said: int) -> None:
    after = chained(0x9000, USER, USER_MARK, 0x9000)
    found = read_records(chained(0x1000, USER, USER_MARK, 0x1000, 0x2001, said=said) + after, CHAIN)
    assert [look.chain for look in found.looks] == [(0x1000, 0x2001), (0x9000,)]
    assert not found.damaged


def copied(words: tuple[int, ...], there: int | None = None, said: int | None = None) -> bytes:
    size = 8 * len(words) if said is None else said
    body = struct.pack(f"=Q{len(words)}Q", size, *words)
    return body + (struct.pack("=Q", 8 * len(words) if there is None else there) if words else b"")


REGISTERS = (0x7FF0, 0x7F00, 0x1000) if platform.machine() == "x86_64" else (0x7FF0, 0x500, 0x7F00, 0x1000)
GIVEN = struct.pack(f"={len(REGISTERS) + 1}Q", 2, *REGISTERS)


def test_registers_and_a_copy_of_the_stack_follow_the_chain() -> None:
    words, copy = (1, 2, 3), struct.pack("=3Q", 1, 2, 3)
    (plain,) = read_records(one_sample(0x1000, USER, GIVEN + copied(words)), STACK).looks
    assert plain == Look(10, 11, 0x1000, False, (), REGISTERS[:-1], copy)
    (kernel,) = read_records(one_sample(7, KERNEL, GIVEN + copied(words)), STACK).looks
    assert kernel == Look(10, 11, 0x1000, True, (), REGISTERS[:-1], copy)
    chain = struct.pack("=3Q", 2, USER_MARK, 0x2000)
    (both,) = read_records(one_sample(0x2000, USER, chain + GIVEN + copied(words)), BOTH).looks
    assert both == Look(10, 11, 0x2000, False, (0x2000,), REGISTERS[:-1], copy)


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        (copied((1, 2, 3), there=8), struct.pack("=Q", 1)),  # the stack ends here
        (copied((1, 2, 3), there=800), struct.pack("=3Q", 1, 2, 3)),
        (copied(()), b""),  # a thread of the kernel's
        (b"", b""),
        (copied((1, 2, 3), said=1 << 40), b""),
        (copied((1, 2), said=24), b""),
    ],
)
def test_of_a_copy_only_what_there_was_is_read(copy: bytes, expected: bytes) -> None:
    for registers in (GIVEN, struct.pack("=Q", 0)):
        (look,) = read_records(one_sample(0x1000, USER, registers + copy), STACK).looks
        assert look.stack == expected


@pytest.mark.parametrize("size", [0, 7, 9, 65535])
def test_after_an_impossible_length_the_rest_is_left_out(size: int) -> None:
    good = one_sample(0x1000, USER, struct.pack("=QQ", 2, 0x1000))
    found = read_records(good + struct.pack("=IHH", 9, USER, size))
    assert (len(found.looks), found.damaged) == (1, True)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_too_much(data: bytes) -> None:
    for asked in (Asked(), CHAIN, STACK, BOTH):
        found = read_records(data, asked)
        assert len(found.looks) <= len(data) // 24
        assert sum(len(look.chain) * 8 + len(look.stack) for look in found.looks) <= len(data)


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@granted
def test_a_ring_that_ran_over_says_how_many_it_lost() -> None:
    ring = Ring(open_event(0, 1000, kernel=True), ring_bytes(1))
    try:
        room = ring_bytes(1) // 40
        burn(room / 1000 + 0.1)
        first = ring.drain()
        assert first is not None
        assert len(first.looks) <= room
        burn(0.01)
        second = ring.drain()
        assert second is not None
        assert 70 <= second.lost <= 160
        assert not second.damaged
    finally:
        ring.close()


@granted
def test_a_ring_that_is_drained_in_time_loses_nothing_where_it_wraps() -> None:
    ring = Ring(open_event(0, 1000, kernel=True), ring_bytes(1))
    try:
        before = time.thread_time()
        looks: list[Look] = []
        for _ in range(20):
            burn(0.025)
            found = ring.drain()
            assert found is not None
            assert (found.lost, found.damaged) == (0, False)
            looks.extend(found.looks)
        assert len(looks) * 40 > 4 * ring_bytes(1) or ring_bytes(1) > 4096
        assert len(looks) == pytest.approx((time.thread_time() - before) * 1000, rel=0.1)
        assert {(look.pid, look.tid) for look in looks} == {(os.getpid(), os.getpid())}
        assert all(look.address for look in looks)
    finally:
        ring.close()


def test_a_ring_has_room_for_half_a_second() -> None:
    assert ring_bytes(99) >= 50 * 40
    assert ring_bytes(99, BOTH) >= 50 * (40 + 8 * CHAIN_LIMIT + STACK_BYTES + 16)


@granted
@pytest.mark.parametrize("asked", [CHAIN, STACK, BOTH])
def test_a_ring_with_callers_loses_nothing_where_it_wraps(asked: Asked) -> None:
    room = ring_bytes(80, asked)
    ring = Ring(open_event(0, 1000, True, asked), room, asked)
    try:
        before = time.thread_time()
        looks: list[Look] = []
        for _ in range(20):
            burn(0.025)
            found = ring.drain()
            assert found is not None
            assert (found.lost, found.damaged) == (0, False)
            looks.extend(found.looks)
        assert sum(24 + 8 * len(look.chain) + len(look.stack) for look in looks) > room
        assert len(looks) == pytest.approx((time.thread_time() - before) * 1000, rel=0.1)
        assert {(look.pid, look.tid) for look in looks} == {(os.getpid(), os.getpid())}
        if asked.chain:
            assert all(look.chain[0] == look.address for look in looks)
            assert all(1 <= len(look.chain) <= CHAIN_LIMIT for look in looks)
        assert {len(look.stack) for look in looks} == ({STACK_BYTES} if asked.stack else {0})
    finally:
        ring.close()


@granted
def test_nothing_new_is_none() -> None:
    ring = Ring(open_event(0, 1, kernel=False), ring_bytes(1))
    try:
        assert ring.drain() is None
    finally:
        ring.close()
