"""Is a ratio's interval as wide as its pairs differ, and the same each time?"""

import math
import random

import pytest

from bench.stats import estimate, estimate_of_sums, geometric_mean, percentile


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(values, share) for share in (0.05, 0.3, 0.4, 0.5, 1.0)] == [15.0, 20.0, 20.0, 35.0, 50.0]


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="of nothing"):
        percentile([], 0.5)


def test_twice_and_half_cancel_out() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_equal_pairs_leave_no_doubt() -> None:
    value = estimate([0.98] * 12)
    assert (value.ratio, value.low, value.high) == pytest.approx((0.98, 0.98, 0.98))
    assert value.pairs == 12


def test_the_interval_holds_the_mean_and_is_the_same_for_the_same_pairs() -> None:
    ratios = [0.97, 1.02, 0.99, 1.01, 0.98, 1.03, 1.0, 0.96]
    value = estimate(ratios)
    assert value.low < value.ratio < value.high
    assert min(ratios) < value.low
    assert value.high < max(ratios)
    assert value == estimate(ratios)


def test_the_interval_is_about_as_wide_as_theory_says() -> None:
    chance = random.Random(7)
    ratios = [math.exp(chance.gauss(0.0, 0.05)) for _ in range(400)]
    value = estimate(ratios)
    assert math.log(value.high / value.low) == pytest.approx(2 * 1.96 * 0.05 / math.sqrt(400), rel=0.15)


def test_more_pairs_narrow_the_interval() -> None:
    few = estimate([0.95, 1.05] * 3)
    many = estimate([0.95, 1.05] * 30)
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize("ratios", [[], [1.0], [1.0, 0.0], [1.0, -2.0]])
def test_too_few_pairs_or_an_impossible_ratio_is_an_error(ratios: list[float]) -> None:
    with pytest.raises(ValueError, match=r"too few|above zero"):
        estimate(ratios)


def test_sums_are_divided_where_single_windows_may_be_zero() -> None:
    value = estimate_of_sums([(0.0, 10.0), (20.0, 30.0), (10.0, 20.0)] * 4)
    assert value.ratio == pytest.approx(0.5)
    assert 0 < value.low < 0.5 < value.high < 1
    assert value.pairs == 12


def test_sums_of_nothing_are_an_error() -> None:
    with pytest.raises(ValueError, match="divide"):
        estimate_of_sums([(1.0, 0.0), (2.0, 0.0)])
    with pytest.raises(ValueError, match="too few"):
        estimate_of_sums([(1.0, 2.0)])


def test_the_text_names_ratio_interval_and_pairs() -> None:
    assert str(estimate([1.0, 1.0])) == "1.0000 (95 % interval 1.0000 to 1.0000, 2 pairs)"
