"""Waits by the usual formulas, against values that are known in closed form."""

from math import exp

import pytest

from advisor.queueing import enough, wait_exceeded, wait_of_many, wait_of_many_exceeded, wait_of_one


def test_one_server():
    assert wait_of_one(0.95) == pytest.approx(19.0)
    assert wait_of_one(0.85) == pytest.approx(17 / 3)
    assert wait_of_one(0.0) == 0.0
    assert wait_of_one(1.4) == wait_of_one(0.98), "it does not grow without bound"


def test_the_wait_that_one_in_a_hundred_exceeds():
    """P(wait > t) = ρ exp(-(1 − ρ) t)."""
    assert wait_exceeded(0.5, 0.01) == pytest.approx(7.824, abs=1e-3)
    assert 0.5 * exp(-0.5 * wait_exceeded(0.5, 0.01)) == pytest.approx(0.01)
    assert wait_exceeded(0.01, 0.01) == wait_exceeded(0.0, 0.01) == 0.0, "so few wait at all"
    assert wait_exceeded(2.0, 0.01) == wait_exceeded(0.98, 0.01)


def test_many_servers_agree_with_the_closed_forms_of_one_and_two():
    assert wait_of_many(1, 0.8) == pytest.approx(wait_of_one(0.8))
    for busy in (0.5, 1.0, 1.9):
        share = busy / 2
        assert wait_of_many(2, busy) == pytest.approx(share**2 / (1 - share**2))
    assert wait_of_many(16, 4.0) < 1e-4
    assert wait_of_many(2.6, 1.0) == wait_of_many(2, 1.0), "a part of a server is none"


def test_the_wait_for_one_of_many_that_one_in_a_hundred_exceeds():
    """P(wait > t) = C exp(-(n - a) t), of two servers C = 2 r^2 / (1 + r) with r = a / 2."""
    for busy in (0.3, 0.9):
        assert wait_of_many_exceeded(1, busy, 0.01) == pytest.approx(wait_exceeded(busy, 0.01))
        waits = 2 * busy**2 / (1 + busy)
        assert waits * exp(-(2 - 2 * busy) * wait_of_many_exceeded(2, 2 * busy, 0.01)) == pytest.approx(0.01)
    assert wait_of_many_exceeded(16, 4.0, 0.01) == 0.0, "so few wait at all"
    assert wait_of_many_exceeded(2, 9.0, 0.01) == wait_of_many_exceeded(2, 1.96, 0.01)


def test_servers_for_a_share():
    assert [enough(busy, 0.85) for busy in (0.0, 0.85, 0.86, 1.7, 3.5)] == [1, 1, 2, 2, 5]
