"""Is every number that a picture shows the one that the agent's document holds?"""

import re
from collections import Counter

import pytest

from advisor.profiling.difference import change_of
from advisor.profiling.stored import StoredProfile
from advisor.profiling.view import sampling_error
from tests.flames import ENCODE, MATRIX, PREDICT, ROOT, busy, change, later, profile, sample
from tui.flame.change_graph import ChangeGraph
from tui.flame.graph import Graph, WorkGraph
from tui.flame.looks import MIXED, looks
from tui.flame.packed_profile import PackedProfile
from tui.flame.selection import Filters, why_missing
from tui.flame.tree import Node
from tui.lines import dotted
from tui.palette import FLAME
from tui.widgets.icicle import walk


def at(graph: Graph, *path: str) -> Node:
    node = walk(graph, list(path), whole=True)
    assert node is not None
    return node


def told(graph: Graph, node: Node) -> str:
    return dotted(graph.numbers(node)).plain


def test_shares_errors_and_samples_are_those_of_the_document() -> None:
    graph = WorkGraph(PackedProfile(busy()), Filters())
    assert graph.side == "cpu"
    assert told(graph, at(graph, *ENCODE)) == "total 30.0 % ± 1.4 · self 30.0 % ± 1.4 · 300 of 1000 samples"
    assert told(graph, at(graph, *PREDICT)) == "total 90.0 % ± 0.9 · self 0.0 % ± 0.0 · 900 of 1000 samples"
    classes = [one.plain.strip() for one in graph.more(at(graph, *PREDICT))]
    assert classes == ["k  kernel 48 %", "t  tokenise 33 %", "d  decode 13 %"]


def test_every_frame_has_the_share_that_the_stacks_give() -> None:
    document = busy()
    stacks = [one for one in document.stacks if one.side == "cpu"]
    total = sum(one.count for one in stacks)
    counted: Counter[tuple[str, ...]] = Counter()
    for one in stacks:
        for depth in range(1, len(one.frames) + 1):
            counted[one.frames[:depth]] += one.count
    graph = WorkGraph(PackedProfile(document), Filters())
    for path, count in counted.items():
        share = count / total
        expected = f"total {100 * share:.1f} % ± {100 * sampling_error(share, total):.1f} "
        assert told(graph, at(graph, *path)).startswith(expected)


def test_the_other_sides_are_counted_by_themselves() -> None:
    holders = WorkGraph(PackedProfile(busy()), Filters("gil"))
    assert told(holders, holders.flame.root) == "total 100.0 % ± 0.0 · self 0.0 % ± 0.0 · 250 of 250 samples"
    waiting = WorkGraph(PackedProfile(busy()), Filters("wait"))
    assert waiting.flame.total == 90
    assert waiting.legend()[0].plain.strip() == "R  inbound 100 %"
    assert waiting.more(waiting.flame.root) == ()
    assert PackedProfile(busy()).samples == {"cpu": 1000, "native": 0, "gil": 250, "wait": 90}


def test_threads_can_be_told_apart() -> None:
    graph = WorkGraph(PackedProfile(busy()), Filters(threads=True))
    below = {node.name: node.weight for node in graph.flame.below(graph.flame.root)}
    assert below == {"thread MainThread": 880, "thread AnyIO worker 1": 120}


def test_native_frames_can_be_left_out_of_python_stacks() -> None:
    assert PackedProfile(busy()).has_native
    graph = WorkGraph(PackedProfile(busy()), Filters(native=False))
    leaf = at(graph, *MATRIX[:-1])
    assert (len(graph.flame.below(leaf)), graph.flame.own(leaf)) == (0, 430)
    assert not PackedProfile(profile(sample(ENCODE, 1), sample(("f (libx.so)",), 1, side="native"))).has_native


def test_what_was_looked_for_is_a_share_with_its_error() -> None:
    graph = WorkGraph(PackedProfile(busy()), Filters())
    weight = graph.flame.search("preprocess")
    assert graph.found(weight) == "42.0 % ± 1.6 of CPU time of Python threads"
    assert "GIL was held" in WorkGraph(PackedProfile(busy()), Filters("gil")).found(250)


def test_a_side_that_is_missing_says_why_and_what_helps() -> None:
    missing = why_missing(busy(), "native")
    assert missing is not None
    assert (missing.reason, missing.hint) == (
        "perf events are not allowed", "sysctl kernel.perf_event_paranoid=1",
    )  # fmt: skip
    assert why_missing(busy(), "gil") is None


def test_a_class_has_its_letter_and_colour_and_a_mixed_frame_neither() -> None:
    graph = WorkGraph(PackedProfile(busy()), Filters())
    assert graph.look(at(graph, *MATRIX)).mark == "k"
    assert graph.look(at(graph, *MATRIX)).colour == FLAME[0]
    assert graph.look(graph.flame.root) == MIXED
    legend = [re.sub(" +", " ", one.plain.strip()) for one in graph.legend()]
    assert legend == [
        "k kernel 43 %", "t tokenise 30 %", "d decode 12 %", "s serialise 9 %", "p python 5 %", "g glue 1 %",
        "~ mixed", "… narrow ones",
    ]  # fmt: skip


def test_letters_of_many_classes_are_all_different_and_unknown_is_said_to_be() -> None:
    works = [
        "kernel", "python", "serialise", "glue", "loop", "array", "tokenise", "decode", "ipc", "trees", "io", "gc",
        "allocation", "cuda-launch", "cuda-sync", "interpreter", "helper", "spin", "new-one", "unknown",
    ]  # fmt: skip
    found = looks(works)
    marks = [found[work].mark for work in works]
    assert len(set(marks)) == len(works)
    assert found["unknown"].mark == "?"
    assert len({found[work].colour for work in works[:8]}) == 8


@pytest.fixture
def changed() -> ChangeGraph:
    return ChangeGraph(PackedProfile(busy()), PackedProfile(later()), change(busy(), later()), Filters())


def test_a_change_is_told_with_its_error_here_and_everywhere(changed: ChangeGraph) -> None:
    node = at(changed, *MATRIX)
    assert told(changed, node) == "here 43.0 → 76.0 %: +33.0 ± 2.1"
    assert [one.plain for one in changed.more(node)] == [
        "everywhere 43.0 → 76.0 %: +33.0 ± 2.1", "self 43.0 → 76.0 %: +33.0 ± 2.1",
    ]  # fmt: skip
    document = next(one for one in change(busy(), later()).functions if one.where == MATRIX[-1])
    assert f"{100 * document.self_share.delta:+.1f} ± {100 * document.self_share.error:.1f}" in told(changed, node)


def test_more_and_less_have_marks_and_noise_has_its_own(changed: ChangeGraph) -> None:
    assert (changed.look(at(changed, *MATRIX)).mark, changed.ahead(at(changed, *MATRIX))) == ("+", "+33.0 ")
    assert (changed.look(at(changed, *ENCODE)).mark, changed.ahead(at(changed, *ENCODE))) == ("-", "-30.0 ")
    assert (changed.look(at(changed, *ROOT)).mark, changed.ahead(at(changed, *ROOT))) == ("=", "")
    assert told(changed, at(changed, *ROOT)).endswith(", noise")


def test_a_frame_is_as_wide_as_the_mean_of_both(changed: ChangeGraph) -> None:
    assert at(changed, *ENCODE).weight == pytest.approx(0.15)
    assert at(changed, *MATRIX).weight == pytest.approx((0.43 + 0.76) / 2)
    assert changed.flame.total == pytest.approx(1.0)


def test_a_profile_without_the_side_is_compared_as_none_of_it() -> None:
    empty: StoredProfile = profile(id="p9")
    graph = ChangeGraph(PackedProfile(empty), PackedProfile(busy()), change(empty, busy(), "cpu"), Filters())
    one = graph.change(at(graph, *MATRIX))
    expected = change_of(0, 0, 430, 1000, 1)
    assert (one.before, one.after, one.sure) == (expected.before, expected.after, False)
