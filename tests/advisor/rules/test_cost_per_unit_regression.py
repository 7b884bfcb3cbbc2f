"""R50 on built weeks: what made a request dearer."""

from collections.abc import Sequence
from math import prod

import msgspec
import pytest

from advisor.finding import Conclusion
from advisor.prices import NodePrice
from advisor.rules.cost_per_unit_regression import CostPerUnitRegression
from advisor.view import View
from tests.advisor.built import facts, gains, healthy, numbers, verdict
from tests.advisor.trends_built import Known, past, steady

RULE = CostPerUnitRegression()
PRICE = NodePrice(currency="EUR", hourly=0.36)


def hour(demand: float, per_second: float | None, others: float = 0.1, **known: float | None) -> Known:
    return {**steady(demand, per_second=per_second, others=others), "seconds": 3600.0, "price_per_hour": 0.36, **known}


USUAL = hour(1.0, 50.0)


def week(now: Sequence[Known], before: Sequence[Known] = (USUAL,) * 96) -> View:
    return past(healthy(), hours=[*before, *now])


def judged(seen: View, price: NodePrice | None = PRICE) -> Conclusion | None:
    found = verdict(RULE, seen, msgspec.structs.replace(facts(seen), price=price))
    assert found is None or isinstance(found, Conclusion)
    return found


def concluded(seen: View) -> Conclusion:
    found = judged(seen)
    assert found is not None
    return found


def factors(found: Conclusion) -> dict[str, float]:
    return {name: value for name, value in numbers(found).items() if name.endswith("_factor")}


def test_a_slower_model_makes_a_request_dearer():
    """As busy as before, and three quarters as many answers."""
    found = concluded(week([hour(1.0, 37.5)] * 24))
    shown = numbers(found)
    assert shown["unit_cost_growth"] == pytest.approx(4 / 3, abs=0.001)
    assert shown["unit_cost_before"] == pytest.approx(0.36 * (1 / 1.1) / (3.6 * 50), rel=1e-3)
    assert factors(found)["throughput_factor"] == pytest.approx(4 / 3, abs=0.001)
    assert factors(found)["load_factor"] == factors(found)["price_factor"] == pytest.approx(1.0)
    assert "mostly as a busy worker answers less" in found.title
    assert gains(found)["cost_ratio"] == (0.75, 0.75, 0.75)


def test_less_load_makes_a_request_dearer_and_is_no_fault_of_the_service():
    found = concluded(week([hour(0.5, 25.0, others=0.05)] * 24))
    assert factors(found)["load_factor"] == pytest.approx(2.0)
    assert factors(found)["throughput_factor"] == pytest.approx(1.0)
    assert "mostly as less is asked of it" in found.title
    assert found.gains == ()


def test_neighbours_that_leave_leave_their_part_of_the_node_to_it():
    found = concluded(week([hour(1.0, 50.0, others=0.0)] * 24, [hour(1.0, 50.0, others=1.0)] * 96))
    assert factors(found)["share_factor"] == pytest.approx(2.0)
    assert "as others use less" in found.title


def test_the_factors_multiply_to_the_growth():
    found = concluded(week([hour(0.7, 28.0, others=0.3, price_per_hour=0.4)] * 24))
    assert prod(factors(found).values()) == pytest.approx(numbers(found)["unit_cost_growth"], rel=1e-3)
    assert factors(found)["price_factor"] == pytest.approx(0.4 / 0.36, rel=1e-3)


def test_an_edit_of_the_price_is_no_regression():
    assert judged(week([hour(1.0, 50.0, price_per_hour=0.72)] * 24)) is None
    unknown = [hour(1.0, 50.0, price_per_hour=None)] * 96
    assert judged(week([USUAL] * 24, unknown), NodePrice(currency="EUR", hourly=0.72)) is None


def test_a_node_that_was_free_before_has_no_cost_to_compare_with():
    assert judged(week([USUAL] * 24, [hour(1.0, 50.0, price_per_hour=0.0)] * 96)) is None


def test_just_below_fifteen_percent_is_not_told():
    assert judged(week([hour(1.0, 50.0 / 1.14)] * 24)) is None
    assert judged(week([hour(1.0, 50.0 / 1.16)] * 24)) is not None


def test_one_bad_hour_is_no_day_and_a_rise_that_only_the_mean_shows_is_none():
    assert judged(week([USUAL] * 23 + [hour(1.0, 5.0)])) is None
    assert judged(week([USUAL] * 16 + [hour(1.0, 10.0)] * 8)) is None


def test_tokens_count_where_they_are_known():
    """Half as many requests, each with twice as many tokens."""
    before = [hour(1.0, 2.0, tokens_out_per_second=100.0)] * 96
    assert judged(week([hour(1.0, 1.0, tokens_out_per_second=100.0)] * 24, before)) is None
    found = concluded(week([hour(1.0, 1.0, tokens_out_per_second=50.0)] * 24, before))
    assert "a million tokens cost 100% more" in found.title
    assert found.evidence[1].unit == "EUR/million tokens"


def test_less_than_a_day_before_or_most_of_a_day_now_says_nothing():
    assert judged(week([hour(1.0, 25.0)] * 24, [USUAL] * 23)) is None
    assert judged(week([hour(1.0, 25.0)] * 17 + [hour(1.0, None)] * 7)) is None
    assert judged(past(healthy(), hours=[USUAL] * 24)) is None
    assert judged(healthy()) is None


def test_a_week_of_history_makes_it_surer():
    few, many = (concluded(week([hour(1.0, 25.0)] * 24, [USUAL] * hours)) for hours in (24, 160))
    assert few.confidence < many.confidence


def test_without_a_price_it_is_silent():
    seen = week([hour(1.0, 25.0)] * 24)
    assert judged(seen, None) is None
    assert judged(seen, NodePrice(currency="EUR", hourly=0.0)) is None


def test_a_changed_configuration_in_between_is_mentioned():
    found = concluded(week([hour(1.0, 25.0, generation=1.0)] * 24))
    assert "Its configuration was changed in between." in found.summary
