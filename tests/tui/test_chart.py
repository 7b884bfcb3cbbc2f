"""Are columns as high as their values, gaps empty, and axes told?"""

import pytest

from tui import format as fmt
from tui.chart import LEFT, bounds, chart, fitted, time_axis

MIB = 1 << 20


def test_one_row_tells_its_range_and_leaves_gaps_empty() -> None:
    (line,) = chart("cores", (0.0, 0.5, None, 1.0), fmt.cores, LEFT + 4, 1)
    assert line.plain == "cores".ljust(8) + "0–1.00".rjust(13) + " ▁▄ █"


def test_rows_are_eighths_of_a_block_each() -> None:
    lines = [line.plain for line in chart("cores", (0.0, 1.0, 2.0), fmt.cores, LEFT + 3, 2)]
    assert lines == ["cores".ljust(8) + "2.00".rjust(13) + "   █", " " * 20 + "0 ▁██"]


def test_memory_is_drawn_from_its_lowest_value_and_noise_is_not_drawn_as_a_mountain() -> None:
    assert bounds((160.0, 200.0), from_zero=False) == (160.0, 200.0)
    assert bounds((199.0, 200.0), from_zero=False) == (190.0, 200.0)
    (line,) = chart("memory", (160.0 * MIB, 171.0 * MIB), fmt.size, LEFT + 2, 1, from_zero=False)
    assert line.plain == "memory".ljust(8) + "160–171 MiB".rjust(13) + " ▁█"


def test_units_that_differ_are_both_told() -> None:
    (line,) = chart("memory", (9.0 * MIB, 2048.0 * MIB), fmt.size, LEFT + 2, 1, from_zero=False)
    assert "to 2.0 GiB" in line.plain


def test_nothing_known_is_said_so_and_all_zero_is_no_gap() -> None:
    (line,) = chart("cores", (None, None), fmt.cores, 80, 1)
    assert line.plain == "cores".ljust(8) + "not known".rjust(13)
    (flat,) = chart("cores", (0.0, 0.0), fmt.cores, LEFT + 2, 1)
    assert flat.plain.endswith(" ▁▁")


@pytest.mark.parametrize(("room", "columns", "cell"), [(45, 45, 1), (44, 23, 1), (90, 45, 2), (10, 9, 1), (0, 1, 1)])
def test_values_are_joined_where_there_is_no_room_and_widened_where_there_is(
    room: int, columns: int, cell: int
) -> None:
    found, width = fitted([1.0] * 45, room)
    assert (len(found), width) == (columns, cell)
    assert set(found) == {1.0}


def test_the_time_axis_ends_below_the_last_column() -> None:
    line = time_axis([None] * 45, 900.0, LEFT + 45).plain
    assert line.startswith(" " * LEFT + "15 min ago")
    assert line.endswith("now")
    assert len(line) == LEFT + 45


def test_what_is_written_as_zero_is_not_drawn_as_the_highest() -> None:
    (line,) = chart("waiting", [0.0004, 0.0002, None], fmt.cores, 40, 1, least=0.01)
    assert line.plain.split() == ["waiting", "0–0.01", "▁" * 12]
