"""Instants are fixed beforehand: evenly, or by a seed."""

from itertools import islice, pairwise

import pytest

from agent.loadtest.arrivals import arrivals


def test_constant_arrivals_are_even_and_do_not_drift():
    due = list(islice(arrivals(3.0, "constant", 0), 3001))
    assert due[:4] == [0.0, 1 / 3, 2 / 3, 1.0]
    assert due[3000] == 1000.0


def test_poisson_arrivals_come_at_the_rate_with_exponential_gaps_and_are_the_same_again():
    due = list(islice(arrivals(50.0, "poisson", 7), 20_000))
    gaps = [after - before for before, after in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.02, rel=0.03)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.01)
    assert due == list(islice(arrivals(50.0, "poisson", 7), 20_000))
    assert due[:5] != list(islice(arrivals(50.0, "poisson", 8), 5))
