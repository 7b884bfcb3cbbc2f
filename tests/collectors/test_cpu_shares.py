"""Which shares make which weight, by the formula of each generation of runtimes."""

from math import ceil, log2

import pytest

from collectors.cpu_shares import linear_shares_of_weight, shares_of, shares_of_weight
from collectors.levers import Place


def weight_by_curve(shares: int) -> int:
    return ceil(round(10 ** ((log2(shares) ** 2 + 125 * log2(shares)) / 612 - 7 / 34), 9))


def place(kind: str, key: str, value: object) -> Place:
    return Place(kind=kind, target="t", key=key, value=str(value), effective=True, because=None)


@pytest.mark.parametrize(
    ("weight", "curve", "linear"),
    [(1, 2, 2), (100, 1024, 2597), (39, 305, 998), (390, 5608, 10_200), (10_000, 262_144, 262_144)],
)
def test_a_weight_is_made_of_these_shares(weight: int, curve: int, linear: int) -> None:
    assert (shares_of_weight(weight), linear_shares_of_weight(weight)) == (curve, linear)


@pytest.mark.parametrize("weight", [1, 2, 17, 39, 79, 100, 157, 390, 1000, 2500, 9999, 10_000])
def test_the_shares_give_the_weight_back(weight: int) -> None:
    shares = shares_of_weight(weight)
    assert weight_by_curve(max(2, shares - max(1, shares // 50))) <= weight <= weight_by_curve(shares) <= weight + 1
    assert abs(1 + (linear_shares_of_weight(weight) - 2) * 9999 / 262_142 - weight) < 0.02


def test_values_out_of_range_are_held_to_it() -> None:
    assert (shares_of_weight(0), shares_of_weight(20_000)) == (2, 262_144)
    assert (linear_shares_of_weight(0), linear_shares_of_weight(20_000)) == (2, 262_144)


def test_only_a_weight_has_shares() -> None:
    assert shares_of(place("cgroup", "cpu.weight", 100)) == (1024, 2597)
    assert shares_of(place("cgroup", "cpu.shares", 2048)) == (2048, 2048)
    assert shares_of(place("cgroup", "cpu.max", "max")) is None
    assert shares_of(place("env", "cpu.weight", 100)) is None
