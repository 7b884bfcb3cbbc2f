"""Are frames found under their callers with the weight that the stacks have, also those that are looked for?"""

import random
from collections import Counter
from collections.abc import Sequence

from tui.flame.tree import Flame, Node


def names(nodes: Sequence[Node]) -> list[tuple[str, float]]:
    return [(node.name, node.weight) for node in nodes]


def test_frames_stand_under_their_callers_the_heaviest_first() -> None:
    flame = Flame([("a", "x"), ("a", "y"), ("a",), ("b",)], [10, 30, 20, 45])
    assert names(flame.below(flame.root)) == [("a", 60), ("b", 45)]
    first = flame.below(flame.root)[0]
    assert names(flame.below(first)) == [("y", 30), ("x", 10)]
    assert (flame.own(first), flame.own(flame.root)) == (20, 0)
    assert [node.name for node in flame.below(first)[1].path] == ["a", "x"]


def test_a_stack_without_frames_is_the_roots_own() -> None:
    flame = Flame([(), ("a",)], [3, 4])
    assert (flame.total, flame.own(flame.root)) == (7, 3)


def test_no_stacks_at_all_are_an_empty_root() -> None:
    flame = Flame([], [])
    assert (flame.total, len(flame.below(flame.root)), flame.search("a")) == (0, 0, 0)


def test_what_is_not_shown_is_one_node_that_can_be_entered() -> None:
    flame = Flame([("a",), ("b",), ("c",)], [5, 3, 1])
    rest = flame.rest(flame.root, 1)
    assert (rest.together, rest.weight, names(flame.below(rest))) == (2, 4, [("b", 3), ("c", 1)])
    assert flame.rest(flame.root, 1) is rest
    assert [node.name for node in flame.below(rest)[0].path] == ["b"]
    assert flame.below(rest)[0] is flame.below(flame.root)[1]
    assert names(flame.below(flame.rest(rest, 1))) == [("c", 1)]
    assert flame.own(rest) == 0


def test_a_search_counts_each_stack_once_in_any_case_of_letters() -> None:
    flame = Flame([("main", "Resize", "resize_row"), ("main", "dumps"), ("resize",)], [10, 5, 2])
    assert flame.search("RESIZE") == 12
    main = flame.below(flame.root)[0]
    assert (flame.matches(main), flame.matched(main)) == (False, 10)
    assert [flame.matches(node) for node in flame.below(main)] == [True, False]
    assert flame.search("nothing of it") == 0
    assert flame.matched(flame.root) == 0
    assert flame.search("") == 0


def test_weights_are_those_of_the_stacks_of_any_profile() -> None:
    chance = random.Random(3)
    stacks = [tuple(chance.choices("abcde", k=chance.randrange(0, 9))) for _ in range(2000)]
    weights = [chance.randrange(1, 9) for _ in stacks]
    flame = Flame(stacks, weights)
    counted: Counter[tuple[str, ...]] = Counter()
    ends: Counter[tuple[str, ...]] = Counter()
    for stack, weight in zip(stacks, weights, strict=True):
        ends[stack] += weight
        for depth in range(len(stack) + 1):
            counted[stack[:depth]] += weight
    waiting, seen = [flame.root], 0
    while waiting:
        node = waiting.pop()
        path = tuple(one.name for one in node.path)
        assert (node.weight, flame.own(node)) == (counted[path], ends[path])
        waiting += flame.below(node)
        seen += 1
    assert seen == len(counted)
