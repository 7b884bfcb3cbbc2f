"""Do boxes lie within their callers, to scale, and can every frame be reached?"""

import random
from itertools import pairwise

import pytest

from tui.flame.layout import Cell, Layout
from tui.flame.tree import Flame, Node


def drawn(layout: Layout) -> list[list[tuple[str, int, int]]]:
    return [[(cell.node.name or f"…{cell.node.together}", cell.x, cell.width) for cell in row] for row in layout.rows]


def chance_flame(seed: int, count: int = 1500) -> Flame:
    chance = random.Random(seed)
    stacks = [tuple(chance.choices("abcdefghij", k=chance.randrange(0, 12))) for _ in range(count)]
    return Flame(stacks, [chance.randrange(1, 30) for _ in stacks])


def test_width_is_the_share_and_what_a_frame_did_itself_stays_free() -> None:
    flame = Flame([("a", "x"), ("a",), ("b",)], [30, 30, 40])
    assert drawn(Layout(flame, flame.root, 100, fold=True)) == [
        [("all", 0, 100)],
        [("a", 0, 60), ("b", 60, 40)],
        [("x", 0, 30)],
    ]


def test_frames_of_the_same_samples_share_a_row_until_they_are_unfolded() -> None:
    flame = Flame([("a", "b", "c", "x"), ("a", "b", "c", "y")], [50, 50])
    folded = Layout(flame, flame.root, 80, fold=True)
    assert [[node.name for node in cell.nodes] for cell in folded.rows[0]] == [["all", "a", "b", "c"]]
    assert len(folded.rows) == 2
    assert len(Layout(flame, flame.root, 80, fold=False).rows) == 5


def test_a_frame_that_did_something_itself_is_not_folded_with_what_it_called() -> None:
    flame = Flame([("a", "b"), ("a",)], [99, 1])
    assert [len(cell.nodes) for row in Layout(flame, flame.root, 80, fold=True).rows for cell in row] == [2, 1]


def test_narrow_frames_are_one_cell_and_nothing_is_drawn_below_it() -> None:
    flame = Flame([("wide",), *((f"n{n}", "deep") for n in range(50))], [1000, *[1] * 50])
    layout = Layout(flame, flame.root, 80, fold=True)
    assert drawn(layout)[1:] == [[("wide", 0, 76), ("…50", 76, 4)]]
    inside = Layout(flame, layout.rows[1][1].node, 80, fold=True)
    assert {len(cell.nodes) for cell in inside.rows[1][:-1]} == {2}
    assert {cell.node.name for cell in inside.rows[1][:-1]} == {"deep"}


def test_even_the_narrowest_has_a_cell_where_there_is_room() -> None:
    flame = Flame([("wide",), ("tiny", "a"), ("tiny", "b"), ("less",)], [1_000_000, 1, 1, 1])
    assert drawn(Layout(flame, flame.root, 80, fold=True))[1] == [("wide", 0, 79), ("…2", 79, 1)]
    alone = Flame([("wide",), ("tiny",)], [1_000_000, 1])
    assert drawn(Layout(alone, alone.root, 80, fold=True))[1] == [("wide", 0, 79), ("tiny", 79, 1)]


@pytest.mark.parametrize("width", [1, 2, 7, 8, 20, 80, 250])
@pytest.mark.parametrize("fold", [True, False])
def test_boxes_never_overlap_and_stay_within_their_caller(width: int, fold: bool) -> None:
    flame = chance_flame(width)
    layout = Layout(flame, flame.root, width, fold)
    for row in layout.rows:
        for left, right in pairwise(row):
            assert left.x + left.width <= right.x
        for cell in row:
            assert cell.width >= 1
            if cell.above is not None:
                assert cell.above.x <= cell.x
                assert cell.x + cell.width <= cell.above.x + cell.above.width
    for row in layout.rows[1:]:
        for cell in row:
            exact = cell.node.weight / flame.total * width
            assert abs(cell.width - exact) <= 1.5 + len(cell.node.path) or cell.node.together


def test_every_frame_is_reached_by_zooming() -> None:
    """10,000 equal ones in 80 cells: half the width of them at a time, as each needs a cell."""
    flame = Flame([(f"f{n}",) for n in range(10_000)], [1] * 10_000)
    seen: set[str] = set()
    zoom, steps = flame.root, 0
    while steps < 500:
        cells = Layout(flame, zoom, 80, fold=True).rows[1]
        seen |= {cell.node.name for cell in cells if not cell.node.together}
        rest = next((cell.node for cell in cells if cell.node.together), None)
        if rest is None:
            break
        assert rest is not zoom
        zoom, steps = rest, steps + 1
    assert len(seen) == 10_000


def test_a_zoomed_frame_fills_the_width_and_the_cursor_is_found_again() -> None:
    flame = chance_flame(5)
    layout = Layout(flame, flame.root, 80, fold=True)
    cell: Cell = layout.rows[3][0]
    zoomed = Layout(flame, cell.node, 80, fold=True)
    assert (zoomed.rows[0][0].nodes[0], zoomed.rows[0][0].width) == (cell.node, 80)
    assert zoomed.find(cell.node).row == 0
    assert layout.find(cell.node) is cell
    assert zoomed.find(Node("elsewhere", 0, (), 0, flame.root)).row == 0


def test_a_stack_a_thousand_frames_deep_is_laid_out() -> None:
    flame = Flame([tuple(f"f{n % 7}" for n in range(1000)), ("f0",)], [10, 1])
    assert len(Layout(flame, flame.root, 80, fold=False).rows) == 1001
