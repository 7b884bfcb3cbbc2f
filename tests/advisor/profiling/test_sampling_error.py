"""How sure is a share that was sampled?"""

import pytest

from advisor.profiling.view import sampling_error


def test_it_is_that_of_independent_looks() -> None:
    assert sampling_error(0.5, 100) == pytest.approx(0.05)


@pytest.mark.parametrize("share", [0.1 + 0.7 + 0.2 + 2e-16, -1e-17])
def test_a_sum_of_shares_that_rounding_moved_beyond_its_ends_has_none(share: float) -> None:
    assert not 0 <= share <= 1
    assert sampling_error(share, 50) == 0
