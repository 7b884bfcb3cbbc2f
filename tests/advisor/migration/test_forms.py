"""What forms of a model bring, by hand from shares that are known exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.migration.anatomy import Anatomy
from advisor.migration.cpu import HostCpu
from advisor.migration.forms import in_batches, in_int8, in_runtime, on_threads
from advisor.migration.spread import Spread
from tests.advisor.migration.test_anatomy import HOST

NOTHING = Spread.exactly(0.0)
ALL = Spread.exactly(1.0)


def made(**shares: float) -> Anatomy:
    """Shares of `kernel` (with `stream` and `packing`), `array`, `trees` (with `walking`), `calling`, `outside`."""
    stream, outside = shares.pop("stream", 0.0), shares.pop("outside", 0.0)
    read = shares.pop("read", 1e9)
    walking = Spread.exactly(shares.pop("walking", 0.0))
    parts = {"packing": 0.0, "kernel": 0.0, "array": 0.0, "trees": 0.0, "calling": 0.0, **shares}
    return Anatomy(
        stream=Spread.exactly(stream),
        outside=Spread.exactly(outside),
        walking=walking,
        convolves=False,
        cpu_seconds=0.005,
        read_per_second=read,
        error=1e-6,
        **parts,
    )


def test_int8_makes_products_as_fast_as_the_instructions_and_reading_as_short_as_the_bytes():
    fixed = replace(HOST, int8=Spread.exactly(4.0))
    computed = in_int8(made(kernel=1.0), fixed, 1e8, ALL, "x")
    assert computed is not None
    assert (computed.p10, computed.p50, computed.p90) == pytest.approx((4.0 / 1.17, 4.0, 4.0 * 1.17), rel=0.03)
    read = in_int8(made(kernel=1.0, stream=1.0), fixed, 1e8, ALL, "x")
    assert read is not None
    assert 0.86 / 0.32 < read.p10 < read.p50 < read.p90 < 1.17 / 0.25
    half = in_int8(made(kernel=0.5, outside=0.5), fixed, 1e8, ALL, "x")
    assert half is not None
    assert half.p50 == pytest.approx(1 / (0.5 + 0.5 / 4), rel=0.02)


def test_weights_that_come_to_fit_the_cache_are_read_faster_still():
    cached = replace(HOST, cache_bytes=32 << 20)
    outside, inside = (in_int8(made(kernel=1.0, stream=1.0), cached, size, ALL, "x") for size in (4e8, 6e7))
    assert outside is not None
    assert inside is not None
    assert inside.p50 > 1.8 * outside.p50


def test_a_table_that_stays_wide_is_read_as_before():
    half = in_int8(made(kernel=1.0, stream=1.0), HOST, 4e8, Spread.exactly(0.5), "x")
    assert half is not None
    assert half.p50 == pytest.approx(1 / (0.5 + 0.5 * 0.28), rel=0.03)


def test_without_instructions_for_it_nothing_is_said_of_int8():
    assert in_int8(made(kernel=1.0), replace(HOST, int8=None), 1e8, ALL, "x") is None


def test_a_graph_runtime_packs_once_and_calls_nothing_in_between():
    packing = in_runtime(made(kernel=1.0, packing=0.3), HOST, "x")
    assert 1.25 < packing.p50 < 1.65
    calling = in_runtime(made(kernel=0.4, calling=0.6), HOST, "x")
    assert 1.9 < calling.p50 < 2.7
    outside = in_runtime(made(kernel=0.4, outside=0.6), HOST, "x")
    assert 1.0 < outside.p50 < 1.12


def test_one_call_for_all_trees_leaves_the_walking():
    forest = in_runtime(made(trees=0.2, walking=0.02, array=0.8), HOST, "x")
    # a call of 4 to 40 µs instead of 5 ms, and a tenth or all of the walking
    assert 30 < forest.p10 < forest.p90 < 1 / (0.02 * 0.1 + 4e-6 / 0.005)
    bounded = in_runtime(made(trees=0.2, walking=0.02, array=0.7, outside=0.1), HOST, "x")
    assert bounded.p90 < 10


def test_batches_read_weights_once_and_call_once():
    read = in_batches(made(kernel=1.0, stream=1.0), HOST, 8, "x")
    assert 3.0 < read.p10 < read.p90 < 8.0
    forest = in_batches(made(trees=0.1, array=0.9), HOST, 8, "x")
    assert 6.0 < forest.p50 <= 8.0
    computed = in_batches(made(kernel=1.0), HOST, 8, "x")
    assert 0.85 < computed.p10 < computed.p90 < 1.35
    outside = in_batches(made(trees=0.1, array=0.4, outside=0.5), HOST, 8, "x")
    assert outside.p90 < 2.0


def test_threads_divide_products_and_nothing_outside():
    two = on_threads(made(kernel=1.0), 2, "x")
    assert 1.4 < two.p10 < two.p90 <= 2.0
    half = on_threads(made(kernel=0.5, outside=0.5), 2, "x")
    assert half.p90 <= 1.05 / 0.75
    read = on_threads(made(kernel=1.0, stream=1.0), 2, "x")
    assert 0.9 < read.p10 < 1.25


def test_the_same_seed_gives_the_same_numbers():
    one = made(kernel=0.7, stream=0.2, packing=0.1, array=0.2, outside=0.1)
    assert in_runtime(one, HOST, "x") == in_runtime(one, HOST, "x")
    assert in_runtime(one, HOST, "x") != in_runtime(one, HOST, "y")


@given(
    st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5).filter(lambda parts: sum(parts) > 0.01), st.integers(2, 64)
)
def test_nothing_passes_what_is_outside(parts: list[float], many: int):
    kernel, array, trees, calling, outside = (part / sum(parts) for part in parts)
    one = made(
        kernel=kernel, stream=kernel / 2, packing=kernel / 4, array=array, trees=trees, calling=calling, outside=outside
    )
    ceiling = 1 / max(1e-4, 0.99 * outside)
    host = HostCpu(flops=HOST.flops, bytes_per_core=HOST.bytes_per_core, int8=HOST.int8, told_by="built")
    for found in (in_runtime(one, HOST, "x"), in_batches(one, host, many, "x"), on_threads(one, many, "x")):
        assert 0 < found.p10 <= found.p50 <= found.p90 <= ceiling
    narrow = in_int8(one, host, 1e8, ALL, "x")
    assert narrow is not None
    assert narrow.p90 <= ceiling
