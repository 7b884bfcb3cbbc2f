"""Does the bucket that is named hold the true quantile, whatever was observed and however it was split?"""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from collectors.pages.quantiles import Buckets, Quantile, buckets_of, growth, merged, quantile

BOUNDS = st.lists(st.floats(0.001, 100), min_size=1, max_size=12, unique=True).map(lambda some: (*sorted(some), inf))
OBSERVED = st.lists(st.floats(0, 200), max_size=60)
PERCENT = st.sampled_from([1, 50, 90, 99])


def histogram(observed: list[float], bounds: tuple[float, ...]) -> Buckets:
    """As Prometheus counts: an observation is in every bucket whose bound is at least as large."""
    return Buckets(bounds, tuple(float(sum(one <= bound for one in observed)) for bound in bounds))


def true_quantile(observed: list[float], percent: int) -> float:
    """The smallest observation that at least `percent` of all do not exceed."""
    return sorted(observed)[max(0, -(-len(observed) * percent // 100) - 1)]


@given(OBSERVED.filter(bool), BOUNDS, PERCENT)
def test_the_bounds_hold_the_true_quantile(observed: list[float], bounds: tuple[float, ...], percent: int) -> None:
    found = quantile(histogram(observed, bounds), percent)
    assert found is not None
    true = true_quantile(observed, percent)
    assert found.low <= true <= (inf if found.high is None else found.high)
    if found.high is None:
        assert found.value is None
    else:
        assert found.value is not None
        assert found.low <= found.value <= found.high


@given(st.lists(OBSERVED, min_size=1, max_size=4), BOUNDS, PERCENT)
def test_histograms_of_one_form_merge_into_that_of_all(
    parts: list[list[float]], bounds: tuple[float, ...], percent: int
) -> None:
    everything = [one for part in parts for one in part]
    whole = merged([histogram(part, bounds) for part in parts])
    if not everything:
        assert whole is None
        return
    assert whole == histogram(everything, bounds)
    assert quantile(whole, percent) == quantile(histogram(everything, bounds), percent)


@given(st.lists(st.tuples(OBSERVED, BOUNDS), min_size=1, max_size=4), PERCENT)
def test_other_bounds_cost_precision_and_never_the_truth(
    parts: list[tuple[list[float], tuple[float, ...]]], percent: int
) -> None:
    everything = [one for observed, _ in parts for one in observed]
    whole = merged([histogram(*part) for part in parts])
    if not everything:
        assert whole is None
        return
    assert whole is not None
    assert whole.counts[-1] == len(everything)
    found = quantile(whole, percent)
    if found is None:
        assert whole.bounds == (inf,)
    else:
        assert found.low <= true_quantile(everything, percent) <= (inf if found.high is None else found.high)


@given(OBSERVED, OBSERVED, BOUNDS)
def test_growth_is_the_histogram_of_what_came(
    before: list[float], came: list[float], bounds: tuple[float, ...]
) -> None:
    assert growth(histogram(before + came, bounds), histogram(before, bounds)) == histogram(came, bounds)


@given(OBSERVED, OBSERVED, BOUNDS, BOUNDS)
def test_a_reset_never_gives_negative_counts(
    before: list[float], now: list[float], bounds: tuple[float, ...], others: tuple[float, ...]
) -> None:
    for old in (histogram(before, bounds), histogram(before, others), None):
        added = growth(histogram(now, bounds), old)
        assert min(added.counts) >= 0
        assert list(added.counts) == sorted(added.counts)
        assert added.counts[-1] <= len(now)


def test_numbers() -> None:
    one = Buckets((0.1, 0.5, inf), (50.0, 98.0, 100.0))
    assert quantile(one, 50) == Quantile(0.0, 0.1, 0.1)
    assert quantile(one, 75) == Quantile(0.1, 0.5, 0.1 + 0.4 * 25 / 48)
    assert quantile(one, 99) == Quantile(0.5, None, None)
    assert quantile(Buckets((0.1, inf), (0.0, 0.0)), 50) is None
    assert quantile(Buckets((inf,), (7.0,)), 50) is None


def test_counts_beyond_all_numbers_have_no_quantile() -> None:
    assert quantile(Buckets((0.1, inf), (inf, inf)), 50) is None
    endless = Buckets((0.1, inf), (4.0, inf))
    assert quantile(growth(endless, endless), 50) is None


def test_a_histogram_that_went_back_or_has_other_bounds_counts_from_zero() -> None:
    old = Buckets((1.0, inf), (10.0, 20.0))
    assert growth(Buckets((1.0, inf), (3.0, 5.0)), old) == Buckets((1.0, inf), (3.0, 5.0))
    assert growth(Buckets((2.0, inf), (30.0, 50.0)), old) == Buckets((2.0, inf), (30.0, 50.0))
    assert growth(Buckets((1.0, inf), (13.0, 25.0)), None) == Buckets((1.0, inf), (13.0, 25.0))


def test_counts_of_one_page_that_were_taken_at_different_instants_still_rise() -> None:
    assert buckets_of({inf: 9.0, 0.1: 4.0, 1.0: 3.0}) == Buckets((0.1, 1.0, inf), (4.0, 4.0, 9.0))
    added = growth(Buckets((0.1, 1.0, inf), (5.0, 5.0, 9.0)), Buckets((0.1, 1.0, inf), (3.0, 4.0, 8.0)))
    assert added.counts == (2.0, 2.0, 2.0)


def test_without_an_infinite_bound_it_is_no_histogram() -> None:
    assert buckets_of({0.1: 4.0, 1.0: 3.0}) is None


def test_what_observed_nothing_narrows_no_bounds() -> None:
    idle, busy = Buckets((5.0, inf), (0.0, 0.0)), Buckets((0.1, 0.2, inf), (0.0, 9.0, 9.0))
    assert merged([idle, busy]) == busy
    assert merged([Buckets((0.1, inf), (1.0, 1.0)), Buckets((0.2, inf), (1.0, 1.0))]) == Buckets((inf,), (2.0,))


def test_bounds_below_zero_are_taken_as_zero() -> None:
    found = quantile(Buckets((-1.0, 1.0, inf), (5.0, 5.0, 5.0)), 50)
    assert found == Quantile(0.0, 0.0, 0.0)
