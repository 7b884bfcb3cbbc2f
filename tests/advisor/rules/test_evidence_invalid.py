"""R53 on built hosts: clients in a closed loop, and work that changes, make lower bounds of capacity figures."""

from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.rules.evidence_invalid import EvidenceInvalid
from advisor.view import Load, View
from tests.advisor.built import concluded, judged, numbers, thread, verdict, view, worker
from tests.advisor.trends_built import past, steady

RULE = EvidenceInvalid()
BUSY = [worker(k, [thread(k, 0.97)]) for k in (101, 102)]


def by_pages(flying: Sequence[float], latencies: Sequence[float]) -> View:
    loads = tuple(Load(n, n / r) for n, r in zip(flying, latencies, strict=True))
    return msgspec.structs.replace(view(BUSY), loads=loads, requests_per_second=loads[-1].per_second)


def by_connections(established: Sequence[float], queue: float) -> View:
    seen = past(view(BUSY, queue=(queue,) * 15), [steady(1.94, established=each, queue=queue) for each in established])
    return msgspec.structs.replace(seen, established=established[-1])


def test_requests_in_flight_that_stay_the_same_while_latency_moves():
    found = concluded(RULE, by_pages([8.0, 7.9, 8.1, 8.0, 8.0, 7.9], [0.1, 0.1, 0.14, 0.2, 0.2, 0.19]))
    assert numbers(found)["requests_in_flight_spread"] < 0.01
    assert numbers(found)["in_flight"] == pytest.approx(8.0, abs=0.05)
    assert "factor of 2.00" in found.summary
    assert (found.changes, found.gains) == ((), ())


def test_an_open_load_has_more_in_flight_when_it_takes_longer():
    """20 requests a second, whatever the latency."""
    latencies = [0.1, 0.1, 0.14, 0.2, 0.2, 0.19]
    assert verdict(RULE, by_pages([20 * r for r in latencies], latencies)) is None


def test_a_latency_that_hardly_moves_tells_nothing():
    assert verdict(RULE, by_pages([8.0] * 6, [0.1, 0.1, 0.11, 0.12, 0.12, 0.11])) is None
    assert verdict(RULE, by_pages([8.0] * 5, [0.1, 0.1, 0.14, 0.2, 0.2])) is None


def test_connections_that_stand_still_with_a_request_on_each():
    """Eight clients of a server without a page: two requests are worked on, six wait to be accepted."""
    found = concluded(RULE, by_connections([8.0] * 12, 6.0))
    assert numbers(found)["connections_variance_ratio"] == 0.0
    assert numbers(found)["in_flight"] == pytest.approx(7.94)
    assert {r.cause for r in found.rejected} == {"a full accept queue"}


def test_connections_of_independent_clients_come_and_go():
    draw = Random(3)
    assert (
        verdict(RULE, by_connections([float(sum(draw.random() < 0.5 for _ in range(16))) for _ in range(12)], 6.0))
        is None
    )


def test_connections_that_are_kept_open_with_nothing_on_them_are_no_loop():
    assert verdict(RULE, by_connections([30.0] * 12, 6.0)) is None


def test_a_full_accept_queue_stands_still_as_well():
    """An open load beyond capacity at a server whose queue takes 128."""
    assert verdict(RULE, by_connections([130.0] * 12, 128.0)) is None


def test_less_than_a_minute_of_looks_and_workers_of_several_threads_tell_nothing_without_a_page():
    assert verdict(RULE, by_connections([8.0] * 11, 6.0)) is None
    seen = by_connections([8.0] * 12, 6.0)
    several = msgspec.structs.replace(seen, service=view(BUSY, request_threads=4).service)
    assert verdict(RULE, several) is None


def test_a_worker_that_answers_changing_rates_is_unstable():
    slices = [steady(1.0, per_second=rate) for rate in (50.0, 50.0, 35.0) for _ in range(6)]
    found = concluded(RULE, past(view(BUSY), slices))
    assert numbers(found)["one_worker_rate_deviation"] == pytest.approx(0.222, abs=0.001)
    assert "50, 50, 35 requests/s" in found.summary
    assert "capacity figures are lower bounds" in found.title


def test_a_load_that_moves_with_the_work_is_stable():
    slices = [steady(busy, per_second=50 * busy) for busy in (0.4, 1.0, 1.6) for _ in range(6)]
    assert verdict(RULE, past(view(BUSY), slices)) is None


def test_few_requests_scatter_by_themselves():
    slices = [steady(1.0, per_second=rate) for rate in (3.2, 3.2, 2.2) for _ in range(6)]
    assert verdict(RULE, past(view(BUSY), slices)) is None


def test_it_is_never_more_than_worth_knowing():
    found = judged(all_rules(), by_connections([8.0] * 12, 6.0))
    assert {j.rule: j.severity for j in found.judged}["evidence-invalid"] == "info"
    assert found.broken == ()
