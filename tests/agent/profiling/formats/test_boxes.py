"""Do boxes lie where their stacks say, however many and deep those are?"""

import random
from itertools import pairwise

import pytest

from agent.profiling.formats.boxes import LEAST_SHARE, MOST_BOXES, MOST_ROWS, Box, Stacks


def named(boxes: list[Box]) -> dict[tuple[str, int], tuple[float, float]]:
    return {(box.name, box.row): (round(box.start, 6), round(box.width, 6)) for box in boxes}


def test_children_lie_under_their_caller_the_widest_first() -> None:
    stacks = Stacks([("a", "x"), ("a", "y"), ("a",), ("b",)], [10, 30, 20, 40])
    assert named(stacks.boxes()) == {
        ("a", 0): (0.0, 0.6), ("b", 0): (0.6, 0.4), ("y", 1): (0.0, 0.3), ("x", 1): (0.3, 0.1),
    }  # fmt: skip


def test_the_same_stack_may_come_twice_and_columns_follow_it() -> None:
    stacks = Stacks([("a", "x"), ("b",), ("a", "x")], [1, 2, 3], [1, 0, 0], [0, 5, 7])
    boxes = {box.name: box for box in stacks.boxes()}
    assert [stacks.of(boxes["x"], column) for column in (0, 1)] == [1, 7]
    assert stacks.of(boxes["b"], 1) == 5


def test_a_frame_of_the_same_name_elsewhere_is_another_box() -> None:
    boxes = Stacks([("a", "a", "a"), ("b", "a")], [2, 1]).boxes()
    assert [(box.name, box.row) for box in boxes].count(("a", 1)) == 2
    assert len(boxes) == 5


def test_narrow_frames_are_drawn_together_and_counted() -> None:
    stacks = Stacks([("a", f"n{number}", "leaf") for number in range(50)] + [("a", "wide")], [1] * 50 + [99_950])
    hidden = [box for box in stacks.boxes() if box.hidden]
    assert hidden == []
    more = Stacks([("a", f"n{n}", "leaf") for n in range(200)] + [("a", "wide")], [1] * 200 + [99_800], [1] * 201)
    (box,) = [box for box in more.boxes() if box.hidden]
    assert (box.hidden, box.row, box.width) == (400, 1, pytest.approx(0.002))
    assert box.start == pytest.approx(0.998)
    assert more.of(box, 0) == 200


def test_boxes_of_a_row_never_overlap_and_stay_under_their_caller() -> None:
    chance = random.Random(3)
    stacks = [tuple(chance.choices("abcde", k=chance.randrange(0, 9))) for _ in range(3000)]
    boxes = Stacks(stacks, [chance.randrange(1, 9) for _ in stacks]).boxes()
    rows: dict[int, list[Box]] = {}
    for box in boxes:
        rows.setdefault(box.row, []).append(box)
        assert box.width >= LEAST_SHARE or box.hidden
    for row, its in rows.items():
        ordered = sorted(its, key=lambda box: box.start)
        for left, right in pairwise(ordered):
            assert left.start + left.width <= right.start + 1e-9
        for box in ordered if row else []:
            assert any(
                up.start - 1e-9 <= box.start and box.start + box.width <= up.start + up.width + 1e-9
                for up in rows[row - 1]
            )


def test_a_thousand_frames_deep_is_drawn_whole_and_deeper_is_cut() -> None:
    boxes = Stacks([tuple(f"f{depth}" for depth in range(1000))] * 2, [1, 1]).boxes()
    assert [box.row for box in boxes] == list(range(1000))
    boxes = Stacks([tuple(f"f{depth}" for depth in range(3000))], [1]).boxes()
    assert len(boxes) == MOST_ROWS + 1
    assert (boxes[-1].hidden, boxes[-1].deeper) == (3000 - MOST_ROWS, True)


def test_fifty_thousand_stacks_stay_within_the_bound() -> None:
    chance = random.Random(5)
    stacks = [
        (*(f"r{n % 900}_{depth}" for depth in range(60)), f"leaf{n}", str(chance.random())) for n in range(50_000)
    ]
    boxes = Stacks(stacks, [1] * len(stacks)).boxes()
    assert 0 < len(boxes) <= MOST_BOXES
    assert sum(box.width for box in boxes if box.row == 0) <= 1 + 1e-9


def test_nothing_makes_no_box() -> None:
    assert Stacks([], []).boxes() == []
    assert Stacks([()], [5]).boxes() == []
