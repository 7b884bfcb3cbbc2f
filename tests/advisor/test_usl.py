"""The Universal Scalability Law: a fit gives back the law that the points were made from, and knows where it cannot."""

import pytest

from advisor.usl import fit, levels_of, resampled


def law(n: float, gamma: float = 100.0, alpha: float = 0.05, beta: float = 0.01) -> float:
    return gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1))


def test_exact_points_give_back_the_coefficients_and_the_peak():
    found = fit([(n, law(n)) for n in (1, 2, 4, 8, 16)])
    assert found is not None
    assert (found.gamma, found.alpha, found.beta) == pytest.approx((100, 0.05, 0.01))
    assert found.misfit == pytest.approx(0, abs=1e-9)
    assert found.peak == pytest.approx((0.95 / 0.01) ** 0.5)
    assert found.throughput(16) == pytest.approx(law(16))


def test_linear_scaling_has_no_peak():
    found = fit([(n, 50.0 * n) for n in (1, 2, 4, 8)])
    assert found is not None
    assert found.beta == pytest.approx(0, abs=1e-9)
    assert found.peak is None or found.peak > 1000


def test_a_negative_share_of_serial_work_is_taken_for_none():
    found = fit([(n, law(n, alpha=-0.05)) for n in (1, 2, 4, 8, 16)])
    assert found is not None
    assert found.alpha == 0
    assert found.beta > 0


def test_too_few_or_impossible_points_give_no_law():
    assert fit([(1, 10.0), (2, 20.0)]) is None
    assert fit([(4, 10.0)] * 5) is None
    assert fit([(1, 0.0), (2, 0.0), (3, 0.0), (0, 5.0)]) is None


def test_levels_are_loads_that_were_seen_twice_within_the_step():
    points = [(1.0, 10.0), (8.0, 70.0), (1.1, 11.0), (8.4, 71.0), (3.0, 30.0)]
    assert levels_of(points, 1.25) == [[(1.0, 10.0), (1.1, 11.0)], [(8.0, 70.0), (8.4, 71.0)]]


def test_resampling_is_the_same_each_time_and_as_wide_as_the_points_scatter():
    def spread(noise: float) -> float:
        levels = [[(n, law(n) * (1 + sign * noise)) for sign in (-1, 1, -1, 1)] for n in (1, 2, 4, 8, 16)]
        peaks = [each.peak or 0.0 for each in resampled(levels, 50)]
        assert peaks == [each.peak or 0.0 for each in resampled(levels, 50)]
        return max(peaks) - min(peaks)

    assert spread(0.001) < spread(0.02)
