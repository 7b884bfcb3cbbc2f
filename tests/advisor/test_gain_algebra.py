"""What changes bring one after the other."""

import pytest

from advisor.finding import Gain
from advisor.gain_algebra import Part, conditional, together


def throughput(low: float, likely: float, high: float) -> Gain:
    return Gain(metric="throughput_ratio", p10=low, p50=likely, p90=high)


def test_one_change_brings_what_it_says():
    part = Part("waiting", (throughput(2, 4, 8),))
    assert conditional([part], 1.0) == [part.gains]
    assert together([part.gains]) == part.gains


def test_the_same_waiting_is_ended_once():
    first, second = Part("waiting", (throughput(2, 4, 8),)), Part("waiting", (throughput(1.5, 3, 6),))
    after = conditional([first, second], 1.0)[1][0]
    assert (after.p10, after.p50) == (1.0, 1.0)
    assert after.p90 == pytest.approx(6**0.25)


def test_cores_are_used_once():
    mask, workers = Part("cores", (throughput(1.6, 1.8, 2.0),)), Part("cores", (throughput(1.5, 1.8, 2.0),))
    after = conditional([mask, workers], cores_left=2.0)[1][0]
    assert after.p50 == pytest.approx(2 / 1.8)
    assert after.p90 < 1.3
    roomy = conditional([mask, workers], cores_left=4.0)[1][0]
    assert roomy.p50 == pytest.approx(1.8)


def test_work_saved_and_cores_won_multiply_and_uncertainties_add_as_squares():
    parts = [Part("work", (throughput(1.5, 2, 8 / 3),)), Part("cores", (throughput(1.2, 1.5, 1.875),))]
    (total,) = together(conditional(parts, cores_left=2.0))
    assert total.p50 == pytest.approx(3.0)
    assert 2 * 1.5 / (2 / 1.5 * 1.25) < total.p10 < total.p50
    assert total.p90 < 8 / 3 * 1.875


def test_a_loss_stays_a_loss():
    parts = [Part("waiting", (throughput(2, 4, 8),)), Part("waiting", (throughput(0.8, 0.9, 1.0),))]
    assert conditional(parts, 1.0)[1] == parts[1].gains


def test_latency_gains_shrink_towards_one():
    gain = Gain(metric="latency_p99_ratio", p10=0.1, p50=0.25, p90=0.5)
    parts = [Part("device", (gain,)), Part("device", (gain,))]
    after = conditional(parts, 1.0)[1][0]
    assert (after.p50, after.p90) == (1.0, 1.0)
    assert after.p10 == pytest.approx(0.1 / 0.25)
