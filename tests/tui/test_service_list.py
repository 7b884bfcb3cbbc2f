"""Which numbers of a server stand in its line?"""

import msgspec
import pytest

from advisor.capacity import capacity_of
from advisor.costs import cost_of
from advisor.documents import ServiceStatus
from advisor.prices import NodePrice
from tests.advisor.built import facts, healthy
from tests.advisor.trends_built import past, steady
from tests.snapshots import example_snapshot
from tui.widgets.service_list import numbers

LOADED = example_snapshot().services[0]


def told(service: ServiceStatus, width: int = 200) -> str:
    return numbers(service, width).plain


def test_what_the_server_says_of_itself_stands_beside_what_the_host_sees() -> None:
    assert told(LOADED) == (
        "2 workers · 1.94 of 2 cores · 1.90 waiting · 41.5 /s · 7 queued · 5 queued inside · p50 180 ms · p99 620 ms"
    )


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (76, "2 workers · 1.94 of 2 cores · 1.90 waiting · 41.5 /s · 7 queued · p99 620 ms"),
        (75, "1.94 of 2 cores · 1.90 waiting · 41.5 /s · 7 queued · p99 620 ms"),
        (50, "1.94 of 2 cores · 1.90 waiting · 41.5 /s"),
        (30, "1.94 of 2 cores · 1.90 waiting"),
        (20, "1.94 of 2 cores"),
        (8, "41.5 /s"),
    ],
)
def test_where_there_is_no_room_whole_numbers_give_way_the_least_important_first(width: int, expected: str) -> None:
    assert told(LOADED, width) == expected


def test_the_mean_stands_in_where_there_are_no_quantiles_and_nothing_where_there_is_nothing() -> None:
    mean = msgspec.structs.replace(LOADED, latency_p50_seconds=None, latency_p99_seconds=None, server_queue=0.0)
    assert told(mean).endswith("41.5 /s · 7 queued · 210 ms")
    silent = msgspec.structs.replace(mean, latency_seconds=None, requests_per_second=None, accept_queue=None)
    assert told(silent) == "2 workers · 1.94 of 2 cores · 1.90 waiting"
    blind = msgspec.structs.replace(silent, cores_used=None, usable_cores=None, waiting_cores=None)
    assert told(blind) == "2 workers · – of – cores · – waiting"


def test_how_near_it_comes_to_all_that_it_can_do_and_what_requests_cost_stand_last() -> None:
    seen = past(healthy(), [steady(1.2, per_second=20.0)] * 20)
    capacity = capacity_of(seen, facts(seen))
    cost = cost_of(seen, NodePrice(currency="EUR", hourly=0.36), capacity)
    known = msgspec.structs.replace(LOADED, capacity=capacity, cost=cost)
    assert told(known) == told(LOADED) + " · peak at 60 % · 0.005 EUR/1000"


def test_the_cores_that_it_may_use_are_told_to_the_same_hundredth_as_those_that_it_uses() -> None:
    squeezed = msgspec.structs.replace(LOADED, cores_used=0.6674, usable_cores=0.6674)
    assert told(squeezed).startswith("2 workers · 0.67 of 0.67 cores")
    assert told(msgspec.structs.replace(squeezed, usable_cores=15.8125)).startswith("2 workers · 0.67 of 15.81 cores")
