"""Gains are intervals of ratios, and nothing else."""

import pytest

from advisor.intervals import gain


def test_points_come_in_order_and_rounded() -> None:
    one = gain("latency_p99_ratio", 0.9, 0.12345, 0.5)
    assert (one.p10, one.p50, one.p90) == (0.123, 0.5, 0.9)


def test_a_ratio_that_would_be_rounded_to_none_is_a_thousandth() -> None:
    """Severity takes its logarithm."""
    one = gain("latency_p99_ratio", 0.0, 1e-5, 0.02)
    assert (one.p10, one.p50, one.p90) == (0.001, 0.001, 0.02)


@pytest.mark.parametrize("point", [-0.1, float("inf"), float("nan")])
def test_what_is_no_ratio_is_an_error_of_its_rule(point: float) -> None:
    with pytest.raises(ValueError, match="is no ratio"):
        gain("throughput_ratio", 1.0, 1.1, point)
