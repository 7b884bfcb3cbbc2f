"""Is a change told from the noise of sampling?"""

import random
from collections import Counter

import pytest

from advisor.profiling.difference import change_of, difference
from advisor.profiling.stored import StoredProfile
from tests.agent.profiling.examples import ENCODE, MATRIX, ROOT, digest, sample, stored, two_stacks


def drawn(chance: random.Random, weights: dict[str, float], samples: int) -> StoredProfile:
    """A profile of functions that are seen as often as `weights` say."""
    found = Counter(chance.choices(list(weights), list(weights.values()), k=samples))
    return stored([sample((*ROOT, name), count) for name, count in found.items()])


def test_shares_are_of_each_windows_own_samples() -> None:
    base = two_stacks()
    other = stored([sample(MATRIX, 140), sample(ENCODE, 40), sample(ENCODE, 20, thread="other")], id="p2")
    found = difference(base, other)
    assert (found.base_samples, found.other_samples, found.side) == (1000, 200, "cpu")
    assert {one.frames: (one.share.before, one.share.after) for one in found.stacks} == {
        MATRIX: (0.7, 0.7), ENCODE: (0.3, 0.3),
    }  # fmt: skip
    assert not any(one.share.sure for one in found.stacks)


def test_a_function_has_its_own_samples_and_those_of_what_it_called() -> None:
    base = stored([sample(("a", "b", "a"), 60), sample(("a", "c"), 40)])
    other = stored([sample(("a", "b", "a"), 20), sample(("a", "c"), 80)])
    functions = {one.where: one for one in difference(base, other).functions}
    assert (functions["a"].inclusive.before, functions["a"].inclusive.after) == (1.0, 1.0)
    assert (functions["a"].self_share.before, functions["a"].self_share.after) == (0.6, 0.2)
    assert functions["b"].self_share.before == 0.0
    assert functions["b"].inclusive.delta == pytest.approx(-0.4)
    assert functions["b"].inclusive.sure
    assert functions["c"].self_share.delta == pytest.approx(0.4)
    assert not functions["a"].inclusive.sure


def test_cores_are_of_measured_cpu_time() -> None:
    base = two_stacks(digest=digest(cores=2.5, pool_cores=0.5))
    functions = {one.where: one for one in difference(base, two_stacks()).functions}
    assert functions[MATRIX[-1]].cores_before == pytest.approx(0.7 * 2.0)
    assert functions[MATRIX[-1]].cores_after is None


def test_two_draws_of_the_same_program_hold_no_sure_change() -> None:
    """Two hundred comparisons of 300 functions: about ten at most may hold a false alarm."""
    chance = random.Random(7)
    weights = {f"f{number}": 1 / (1 + number) for number in range(300)}
    alarms = 0
    for _ in range(200):
        found = difference(drawn(chance, weights, 500), drawn(chance, weights, 800))
        alarms += any(one.self_share.sure or one.inclusive.sure for one in found.functions)
    assert alarms <= 10


def test_a_real_change_is_sure_and_stands_first() -> None:
    chance = random.Random(7)
    weights = {f"f{number}": 1 / (1 + number) for number in range(300)}
    total = sum(weights.values())
    after = weights | {"f40": 0.08 * total}
    found = difference(drawn(chance, weights, 2000), drawn(chance, after, 2000))
    first = found.functions[0]
    assert (first.where, first.self_share.sure) == ("f40", True)
    assert first.self_share.delta == pytest.approx(0.075 - 0.003, abs=0.02)
    assert [one.where for one in found.functions if one.self_share.sure] == ["f40"]


def test_the_error_is_that_of_two_binomials() -> None:
    change = change_of(500, 1000, 400, 1000, 1)
    assert change.error == pytest.approx((0.25 / 1000 + 0.24 / 1000) ** 0.5, rel=0.01)
    assert change.sure
    assert not change_of(50, 100, 40, 100, 1).sure
    assert change_of(0, 1000, 0, 1000, 1).error > 0


def test_a_window_without_samples_is_no_change() -> None:
    found = difference(two_stacks(), stored(id="empty"))
    assert found.other_samples == 0
    assert not any(one.share.sure for one in found.stacks)
    assert difference(stored(), stored()).functions == ()


def test_the_side_is_the_first_that_either_window_has() -> None:
    waits = stored([sample(ENCODE, 5, side="wait")])
    assert difference(stored(), waits).side == "wait"
    assert difference(waits, two_stacks(), "cpu").base_samples == 0
