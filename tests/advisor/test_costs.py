"""What a thousand requests cost: the part of the node that is used for them, now and at capacity."""

import pytest

from advisor.capacity import capacity_of
from advisor.costs import cost_of, share_of
from advisor.prices import CostOf, NodePrice
from advisor.view import View
from tests.advisor.built import facts, healthy, thread, view, worker
from tests.advisor.trends_built import past, steady

PRICE = NodePrice(currency="EUR", hourly=0.36, as_of="2026-11-01")


def cost(seen: View, price: NodePrice | None = PRICE) -> CostOf | None:
    return cost_of(seen, price, capacity_of(seen, facts(seen)))


def test_a_service_alone_on_its_node_pays_for_all_of_it():
    found = cost(past(healthy(), [steady(0.8, per_second=10.0)] * 20))
    assert found is not None
    assert (found.currency, found.share) == ("EUR", 1.0)
    assert found.per_1000_requests == pytest.approx(0.01)  # 36,000 requests an hour for 0.36
    assert found.per_million_tokens is None


def test_two_services_pay_in_proportion_to_the_cores_that_they_use():
    found = cost(past(healthy(), [steady(0.5, per_second=10.0, others=1.5)] * 20))
    assert found is not None
    assert found.share == pytest.approx(0.25)
    assert found.per_1000_requests == pytest.approx(0.0025)


def test_at_capacity_the_same_node_is_paid_by_more_requests():
    """One busy worker answers 12.5/s, two of them 20.5/s; a service is run at 85 % of that."""
    alone = view([worker(k, [thread(k, 0.4)]) for k in (101, 102)])
    found = cost(past(alone, [steady(0.8, per_second=10.0, latency=0.08)] * 20))
    assert found is not None
    assert found.per_1000_requests_at_capacity == pytest.approx(0.36 / (3.6 * 0.85 * 20.5))


def test_tokens_have_a_price_of_their_own():
    slices = [{**steady(0.8, per_second=1.0), "tokens_out_per_second": 100.0}] * 20
    found = cost(past(healthy(), slices))
    assert found is not None
    assert found.per_million_tokens == pytest.approx(1.0)  # 360,000 tokens an hour


def test_no_price_no_work_or_no_past_is_no_cost():
    assert cost(past(healthy(), [steady(0.8, per_second=10.0)] * 20), None) is None
    assert cost(past(healthy(), [steady(0.0, per_second=0.0)] * 20)) is None
    assert cost(healthy()) is None
    assert share_of(0.5, None) is None


def test_a_service_that_does_not_count_its_requests_has_a_share_and_no_cost_of_one():
    found = cost(past(healthy(), [steady(0.8)] * 20))
    assert found is not None
    assert (found.share, found.per_1000_requests, found.per_1000_requests_at_capacity) == (1.0, None, None)
