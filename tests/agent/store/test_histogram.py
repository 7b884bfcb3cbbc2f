"""Are percentiles from buckets as near as they promise, also after merging and storing?"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.histogram import (
    RELATIVE_ERROR,
    bucket_of,
    decode,
    encode,
    histogram_of,
    merge,
    quantile,
    value_of,
)

values = st.lists(st.floats(-1e18, 1e18) | st.integers(-(10**15), 10**15), min_size=1, max_size=60)
buckets = st.dictionaries(st.integers(-9000, 9000), st.integers(1, 2**40), max_size=40)


def near(estimate: float, value: float) -> bool:
    return abs(estimate - value) <= abs(value) * RELATIVE_ERROR * (1 + 1e-9) + 2**-64


def test_the_promised_error_is_below_four_and_a_half_percent() -> None:
    assert pytest.approx(0.0443, abs=1e-4) == RELATIVE_ERROR


@given(st.floats(-1e18, 1e18))
def test_a_bucket_stands_for_its_value_within_the_error(value: float) -> None:
    assert near(value_of(bucket_of(value)), value)


@given(st.floats(-1e18, 1e18), st.floats(-1e18, 1e18))
def test_buckets_sort_as_their_values_do(a: float, b: float) -> None:
    assert bucket_of(min(a, b)) <= bucket_of(max(a, b))


@given(values, st.floats(0, 1))
def test_a_quantile_is_the_nearest_rank_within_the_error(numbers: list[float], q: float) -> None:
    exact = sorted(numbers)[max(1, math.ceil(q * len(numbers))) - 1]
    estimate = quantile(histogram_of(numbers), q)
    assert estimate is not None
    assert near(estimate, exact)


@given(st.lists(values, max_size=5))
def test_merged_histograms_are_the_histogram_of_all_values(parts: list[list[float]]) -> None:
    assert merge(map(histogram_of, parts)) == histogram_of([value for part in parts for value in part])


@given(buckets)
def test_a_stored_histogram_comes_back(histogram: dict[int, int]) -> None:
    assert decode(encode(histogram)) == histogram


@given(st.binary(max_size=40))
def test_damaged_bytes_are_an_error_or_a_histogram_and_nothing_else(data: bytes) -> None:
    try:
        histogram = decode(data)
    except ValueError:
        return
    assert all(isinstance(bucket, int) and count >= 0 for bucket, count in histogram.items())


def test_a_steady_minute_takes_few_bytes() -> None:
    assert len(encode(histogram_of(range(90, 150)))) <= 16


def test_without_values_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"quantile 1\.5"):
        quantile({0: 1}, 1.5)
