"""What more or fewer workers are in memory, also where not every process tells its size."""

import pytest

from advisor.copies import cost_of_more, memory_with
from advisor.intervals import memory
from advisor.view import View
from collectors.entities import Role
from tests.advisor.built import MIB, thread, view, worker


def eight(known: int) -> View:
    """Eight workers, and a front-end, of 200 MiB each."""
    front = worker(100, [thread(100, 0.1)], role=Role.FRONT_END)
    sizes = [200 * MIB if number < known else None for number in range(8)]
    return view([front, *(worker(101 + n, [thread(101 + n, 0.5)], resident=size) for n, size in enumerate(sizes))])


@pytest.mark.parametrize("known", [8, 2, 1])
def test_workers_whose_size_is_not_known_are_as_the_others(known: int) -> None:
    seen = eight(known)
    fewer, more = memory_with(seen, 2), cost_of_more(seen, 4)
    assert fewer is not None
    assert more is not None
    part = known / (known + 1)
    assert fewer.p50 == pytest.approx(1 - part * 6 / 8, abs=1e-3)
    assert more.p90 == pytest.approx(1 + part * 4 / 8, abs=1e-3)


def test_nothing_is_said_where_no_size_is_known() -> None:
    assert memory_with(eight(0), 2) is None
    assert cost_of_more(eight(0), 1) is None


@pytest.mark.parametrize("after", [0, -5])
def test_memory_of_nothing_is_no_ratio(after: int) -> None:
    with pytest.raises(ValueError, match="would be left"):
        memory(10, after)
