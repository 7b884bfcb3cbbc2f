"""Records as the kernel writes them, damaged ones, and a real ring that runs over."""

import os
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.native.perf_event import open_event, ring_bytes
from collectors.native.ring import Look, Records, Ring, read_records
from collectors.native.support import native_support
from tests.collectors.native.program import HOST

REFUSED = native_support(HOST)
granted = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
KERNEL, USER = 1, 2


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


@pytest.mark.parametrize("size", [0, 7, 9, 65535])
def test_after_an_impossible_length_the_rest_is_left_out(size: int) -> None:
    good = one_sample(0x1000, USER, struct.pack("=QQ", 2, 0x1000))
    found = read_records(good + struct.pack("=IHH", 9, USER, size))
    assert (len(found.looks), found.damaged) == (1, True)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_are_too_much(data: bytes) -> None:
    found = read_records(data)
    assert len(found.looks) <= len(data) // 24


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


@granted
def test_nothing_new_is_none() -> None:
    ring = Ring(open_event(0, 1, kernel=False), ring_bytes(1))
    try:
        assert ring.drain() is None
    finally:
        ring.close()
