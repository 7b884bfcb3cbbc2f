"""What stretches before and after a change say of it."""

import pytest

from advisor.ledger.measure import compared, is_stable
from advisor.ledger.outcome import Measured
from advisor.ledger.side import side_of
from advisor.trend import FIELDS, Trend
from tests.advisor.ledger.built_trends import MINUTE_START, add

FOREVER = 1e12


def measured(before: dict[str, float | None], after: dict[str, float | None], count: int = 12) -> dict[str, Measured]:
    sides = []
    for fields in (before, after):
        trend = Trend()
        add(trend, count, start=MINUTE_START, **fields)
        sides.append(side_of(trend.slices, 0, FOREVER, 24))
    return {one.metric: one for one in compared(*sides)}


def test_ratio_and_interval_of_the_servers_own_numbers():
    found = measured(
        {"requests_per_second": 20.0, "latency_p50_seconds": 0.3, "latency_p99_seconds": 1.0},
        {"requests_per_second": 60.0, "latency_p50_seconds": 0.1, "latency_p99_seconds": 0.2},
    )
    throughput = found["throughput_ratio"]
    assert throughput.ratio == pytest.approx(3.0, rel=0.001)
    assert 2.9 < throughput.low < 3.0 < throughput.high < 3.1
    assert throughput.what == "requests that the server counted"
    assert found["latency_p50_ratio"].ratio == pytest.approx(1 / 3, rel=0.001)
    assert found["latency_p99_ratio"].ratio == pytest.approx(0.2, rel=0.001)
    assert all(one.matched for one in found.values())


def test_without_a_metrics_page_connections_stand_in_and_latency_comes_from_littles_law():
    found = measured({"opened_per_second": 40.0}, {"opened_per_second": 160.0})
    assert found["throughput_ratio"].ratio == pytest.approx(4.0, rel=0.001)
    assert found["throughput_ratio"].what == "connections accepted, one a request"
    assert found["latency_p50_ratio"].ratio == pytest.approx(0.25, rel=0.001)
    assert found["latency_p50_ratio"].before == pytest.approx(8 / 40, rel=0.01)
    assert "latency_p99_ratio" not in found


def test_a_server_that_begins_to_keep_connections_is_compared_by_what_a_request_came_in():
    found = measured(
        {"opened_per_second": 10.0, "segments_each": 2.0},
        {"opened_per_second": 0.1, "received_segments_per_second": 150.0, "segments_each": None},
    )
    ratio = found["throughput_ratio"]
    assert ratio.ratio == pytest.approx(7.5, rel=0.001)
    assert (ratio.before, ratio.after) == pytest.approx((10, 75), rel=0.01)
    assert ratio.what == "connections accepted, one a request; then segments of requests received"
    assert found["latency_p50_ratio"].ratio == pytest.approx(1 / 7.5, rel=0.001)


def test_a_rate_of_which_one_side_alone_is_known_is_not_compared():
    found = measured({"opened_per_second": 40.0}, {"requests_per_second": 160.0})
    assert list(found) == ["memory_ratio"]


def test_clients_that_ask_for_no_more_say_nothing_of_the_throughput():
    idle = {"demand": 0.4, "demand_peak": 1.0}
    found = measured(
        {"requests_per_second": 20.0, "latency_p50_seconds": 0.3, **idle},
        {"requests_per_second": 20.0, "latency_p50_seconds": 0.1, **idle},
    )
    assert not found["throughput_ratio"].matched
    assert "as much as before" in (found["throughput_ratio"].because or "")
    assert found["latency_p50_ratio"].matched


def test_latencies_at_a_much_lower_load_are_not_matched():
    found = measured(
        {"requests_per_second": 50.0, "latency_p99_seconds": 0.3},
        {"requests_per_second": 20.0, "latency_p99_seconds": 0.1},
    )
    assert not found["latency_p99_ratio"].matched
    assert "0.40 of the rate before" in (found["latency_p99_ratio"].because or "")


def test_memory_of_fewer_copies():
    found = measured({"resident_bytes": 900e6}, {"resident_bytes": 300e6})
    assert found["memory_ratio"].ratio == pytest.approx(1 / 3, rel=0.001)
    assert found["memory_ratio"].low < 1 / 3 < found["memory_ratio"].high


def test_memory_is_what_it_has_come_to_not_what_it_was_while_workers_loaded_one_after_the_other():
    sides = []
    for sizes in ((400e6, 600e6, 900e6, 1200e6, 1200e6, 1200e6), (300e6,) * 6):
        trend, end = Trend(), MINUTE_START
        for size in sizes:
            end = add(trend, 1, start=end, requests_per_second=20.0, resident_bytes=size)
        sides.append(side_of(trend.slices, 0, FOREVER, 24))
    found = {one.metric: one for one in compared(*sides)}["memory_ratio"]
    assert found.ratio == pytest.approx(0.25, rel=0.001)
    assert 0.24 < found.low < found.high < 0.26


def test_idle_stretches_and_the_loading_of_a_model_do_not_count():
    trend = Trend()
    end = add(trend, 4, start=MINUTE_START, requests_per_second=20.0)
    end = add(trend, 3, start=end, requests_per_second=0.0)
    add(trend, 3, start=end, requests_per_second=20.0, loaded_seconds=1.0)
    assert side_of(trend.slices, 0, FOREVER, 24).count == 4


def test_a_number_from_one_page_counts_once():
    trend = Trend()
    for rate in (20.0, 30.0):
        for end in (1.0, 2.0):
            trend.add(rate * 100 + end * 5, [{"seconds": 5.0, "loaded_seconds": 5.0, "requests_per_second": rate}.get(name)
                                             for name in FIELDS])  # fmt: skip
    assert side_of(trend.slices, 0, FOREVER, 24).values("requests_per_second") == (20.0, 30.0)


def test_three_stretches_within_a_tenth_are_stable():
    trend = Trend()
    end = add(trend, 6, start=MINUTE_START, opened_per_second=20.0)
    assert is_stable(side_of(trend.slices, 0, FOREVER, 24))
    add(trend, 1, start=end, opened_per_second=30.0)
    assert not is_stable(side_of(trend.slices, 0, FOREVER, 24))


IDLE = {"demand": 0.6, "demand_peak": 1.0}


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        pytest.param(
            {"requests_per_second": 20.0, "latency_seconds": 0.05, "established": 4.0, **IDLE},
            {"requests_per_second": 40.0, "latency_seconds": 0.05, "established": 8.0, "demand": 1.2},
            "ask for more than before, when the workers were busy 30% of the time",
            id="twice the clients of a server with a page",
        ),
        pytest.param(
            {"opened_per_second": 20.0, "established": 2.0, **IDLE},
            {"opened_per_second": 40.0, "established": 4.0, "demand": 1.2},
            "ask for more than before",
            id="twice the clients of a server without one",
        ),
        pytest.param(
            {"opened_per_second": 20.0, "established": 8.0},
            {"opened_per_second": 60.0, "established": 16.0},
            "2.00 times as many connections",
            id="twice the clients of a busy server, which may batch them",
        ),
        pytest.param(
            {"opened_per_second": 40.0, "established": 4.0, "demand": 1.2},
            {"opened_per_second": 20.0, "established": 2.0, **IDLE},
            "ask for less than before: the workers are busy 30% of the time",
            id="half of the clients have left",
        ),
        pytest.param(
            {"received_segments_per_second": 40.0, "sent_bytes_per_second": 40e3, "established": 20.0, **IDLE},
            {"received_segments_per_second": 80.0, "sent_bytes_per_second": 80e3, "established": 20.0, "demand": 1.2},
            "ask for more than before",
            id="a pool of kept connections over which more is sent",
        ),
    ],
)
def test_a_load_that_has_changed_is_taken_for_no_gain_and_no_loss(before, after, why):
    found = measured(before, after)["throughput_ratio"]
    assert not found.matched
    assert why in (found.because or "")


def test_as_many_requests_in_the_service_of_which_more_are_answered_are_a_gain_also_of_workers_that_only_wait():
    found = measured({"opened_per_second": 20.0, **IDLE}, {"opened_per_second": 40.0, **IDLE})
    assert found["throughput_ratio"].matched
    assert found["latency_p50_ratio"].ratio == pytest.approx(0.5, rel=0.01)


def test_fewer_clients_that_wait_for_each_other_are_no_better_latency():
    found = measured(
        {"requests_per_second": 40.0, "latency_p50_seconds": 0.2, "established": 8.0},
        {"requests_per_second": 40.0, "latency_p50_seconds": 0.1, "established": 4.0},
    )
    assert found["throughput_ratio"].matched
    assert "0.50 times as many connections" in (found["latency_p50_ratio"].because or "")


def test_a_worse_latency_under_more_load_is_not_held_against_the_change():
    found = measured(
        {"requests_per_second": 20.0, "latency_p99_seconds": 0.1, "established": 4.0, **IDLE},
        {"requests_per_second": 40.0, "latency_p99_seconds": 0.3, "established": 12.0},
    )
    assert "2.00 times the rate" in (found["latency_p99_ratio"].because or "")


def test_latencies_of_unknown_rates_are_not_matched():
    found = measured({"latency_p99_seconds": 0.3}, {"latency_p99_seconds": 0.1})
    assert not found["latency_p99_ratio"].matched


def test_what_was_counted_from_before_the_load_on_does_not_count():
    """Many connections are looked at rarely: the first look under load covers idle time, too."""
    trend = Trend()
    end = add(trend, 3, start=MINUTE_START, loaded_seconds=0.0, opened_per_second=1.0)
    end = add(trend, 2, start=end, opened_per_second=None)
    end = add(trend, 1, start=end, opened_per_second=5.0)
    add(trend, 3, start=end, opened_per_second=40.0)
    side = side_of(trend.slices, 0, FOREVER, 24)
    assert side.count == 6
    assert min(side.values("opened_per_second")) > 30


def test_a_look_that_could_not_count_is_the_first_look_all_the_same():
    trend = Trend()
    end = add(trend, 1, start=MINUTE_START, opened_per_second=None, segments_each=1.0)
    end = add(trend, 1, start=end, opened_per_second=40.0, segments_each=1.0)
    add(trend, 2, start=end, opened_per_second=None, segments_each=None)
    assert len(side_of(trend.slices, 0, FOREVER, 24).values("opened_per_second")) == 1


def test_a_rate_that_grew_far_more_than_the_connections_did_not_come_from_them():
    """As measured: eight clients of two saturated workers; with fewer fighting threads more of them are connected at a time."""
    found = measured(
        {"opened_per_second": 10.3, "established": 8.0}, {"opened_per_second": 111.7, "established": 11.0}
    )["throughput_ratio"]
    assert found.matched
    assert found.ratio == pytest.approx(111.7 / 10.3, rel=0.01)


def test_a_few_more_connections_widen_the_interval_by_all_that_they_can_explain():
    """As measured: a mask widened under the same clients, of whom more were connected at a time."""
    same = measured({"opened_per_second": 4.19, "established": 3.0}, {"opened_per_second": 7.91, "established": 3.0})
    more = measured({"opened_per_second": 4.19, "established": 3.0}, {"opened_per_second": 7.91, "established": 4.08})
    assert more["throughput_ratio"].matched
    assert more["throughput_ratio"].low == pytest.approx(same["throughput_ratio"].low / 1.36, rel=0.001)
    assert more["throughput_ratio"].high == same["throughput_ratio"].high
