"""R04 on built hosts: more workers than are ever needed at once."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion
from advisor.queueing import wait_of_many
from advisor.rules.workers_idle_rightsizing import WorkersIdleRightsizing
from advisor.view import View
from collectors.levers import Lever, Setting
from tests.advisor.built import concluded, facts, far_below, gains, numbers, thread, verdict, view, worker
from tests.advisor.trends_built import Known, past, steady

RULE = WorkersIdleRightsizing()
DAY = 1440


def host(workers: int = 8) -> View:
    """Idle at this moment: it judges what was."""
    idle = view([worker(101 + n, [thread(101 + n, 0.0)]) for n in range(workers)], cores=8, samples=0, demand=())
    return msgspec.structs.replace(idle, loaded_now=False)


def minute(demand: float = 0.5, peak: float = 1.4, **known: float | None) -> Known:
    row = steady(demand, workers=8, peak=peak, established=1.0)
    return {**row, "loaded_seconds": 60.0 if demand else 0.0, **known}


def judged(seen: View) -> Conclusion | None:
    found = verdict(RULE, seen)
    assert found is None or isinstance(found, Conclusion)
    return found


def test_eight_workers_of_which_at_most_one_and_a_half_are_needed():
    seen = past(host(), minutes=[minute()] * (DAY - 20) + [minute(1.2, 1.8)] * 20)
    found = concluded(RULE, seen)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 8, 3)]
    assert numbers(found)["needed_workers_p99"] == pytest.approx(1.8)
    assert numbers(found)["utilisation_p95"] == pytest.approx(0.5 / 8)
    assert gains(found)["memory_ratio"][1] == pytest.approx(3 / 8)
    assert found.evidence[0].window_seconds == DAY * 60
    assert found.confidence == pytest.approx(0.2)
    assert "Provisional: seen for 24 h" in found.summary


def test_the_longer_wait_for_a_free_worker_is_told_as_well():
    found = concluded(RULE, past(host(), minutes=[minute(1.5, 3.0)] * DAY))
    assert [c.proposed for c in found.changes] == [4]
    low, likely, high = gains(found)["latency_p99_ratio"]
    assert low == 1.0
    assert likely == pytest.approx((1 + wait_of_many(4, 1.5)) / (1 + wait_of_many(8, 1.5)), abs=0.001)
    assert high == pytest.approx((1 + wait_of_many(4, 3.0)) / (1 + wait_of_many(8, 3.0)), abs=0.001)
    assert high > 1.4


def test_a_peak_that_comes_once_a_day_keeps_a_fifth_more_than_it_needs():
    rows = [minute()] * (DAY - 1) + [minute(2.0, 4.2)]
    assert [c.proposed for c in concluded(RULE, past(host(), minutes=rows)).changes] == [6]
    assert judged(past(host(), minutes=[minute()] * (DAY - 1) + [minute(2.0, 6.5)])) is None


def test_a_peak_of_last_week_counts_too():
    hours = [minute()] * 150 + [minute(2.0, 4.2)] + [minute()] * 40
    found = concluded(RULE, past(host(), minutes=[minute()] * DAY, hours=[{**h, "seconds": 3600.0} for h in hours]))
    assert [c.proposed for c in found.changes] == [6]
    assert found.confidence > 0.6


def test_it_speaks_after_ten_minutes_and_grows_surer():
    few = past(host(), slices=[minute(seconds=5.0)] * 110)
    assert judged(few) is None
    first = concluded(RULE, past(host(), slices=[minute(seconds=5.0)] * 130))
    later = concluded(RULE, past(host(), minutes=[minute()] * 720))
    week = concluded(RULE, past(host(), minutes=[minute()] * DAY, hours=[{**minute(), "seconds": 3600.0}] * 192))
    assert first.confidence < later.confidence < week.confidence
    assert (first.confidence, week.confidence) == (pytest.approx(0.1, abs=0.01), 0.7)
    assert "Provisional" not in week.summary


def test_nothing_is_wrong_where_workers_are_spare_unless_cost_is_the_objective():
    seen = past(host(16), minutes=[minute(workers=16.0)] * DAY, hours=[{**minute(), "seconds": 3600.0}] * 192)
    known = facts(seen, environ={})
    (found,) = Engine([RULE]).judge(seen, known).judged
    assert found.severity == "info"
    (found,) = Engine([RULE]).judge(seen, msgspec.structs.replace(known, objective="cost")).judged
    assert found.severity == "medium"


def test_two_workers_at_thirty_percent_have_none_to_take_away():
    seen = past(far_below(), minutes=[minute(0.3, 0.9, workers=2.0)] * DAY)
    assert judged(seen) is None
    assert [j.rule for j in Engine(all_rules()).judge(seen, facts(seen, environ={})).judged] == ["below-one-worker-max"]


def test_more_than_half_of_the_workers_needed_or_of_the_cores_used_is_no_waste():
    assert judged(past(host(), minutes=[minute(2.0, 4.1)] * DAY)) is None
    small = view([worker(101 + n, [thread(101 + n, 0.0)]) for n in range(8)], cores=2)
    assert judged(past(small, minutes=[minute(1.1, 1.4)] * DAY)) is None


def test_requests_that_wait_for_something_else_need_their_workers():
    """A tenth of a worker is busy, and five requests are in progress: as the page says, or as the connections do."""
    paged = [minute(0.1, 0.3, requests_per_second=50.0, latency_seconds=0.1)] * DAY
    assert judged(past(host(), minutes=paged)) is None
    assert judged(past(host(), minutes=[minute(0.1, 0.3, established=5.0)] * DAY)) is None
    assert judged(past(host(), minutes=[minute(0.1, 0.3, established=None)] * DAY)) is None
    short = [minute(0.1, 0.3, requests_per_second=50.0, latency_seconds=0.02, established=30.0)] * DAY
    found = concluded(RULE, past(host(), minutes=short))
    assert [c.proposed for c in found.changes] == [2]
    assert "as its page counts requests" in found.summary


def test_somebody_who_waits_to_be_accepted_cancels_it():
    assert judged(past(host(), minutes=[minute(accept_queue_peak=4.0)] * DAY)) is None


def test_a_service_that_never_worked_may_stand_by():
    assert judged(past(host(), minutes=[minute(0.0, 0.0)] * DAY)) is None


def test_what_was_before_a_change_says_nothing_of_now():
    rows = [minute(workers=4.0)] * 700 + [minute(generation=1.0)] * 8
    assert judged(past(host(), minutes=rows, slices=[minute(seconds=5.0, generation=1.0)] * 100)) is None
    earlier_run = [minute(generation=-1.0)] * 700 + [minute()] * 8
    assert judged(past(host(), minutes=earlier_run)) is not None
    other_workers = [minute(generation=-1.0, workers=4.0)] * 700 + [minute()] * 8
    assert judged(past(host(), minutes=other_workers)) is None


def test_what_nobody_else_has_mapped_is_what_a_worker_gives_back():
    seen = past(host(), minutes=[minute()] * DAY)
    forked = tuple(
        msgspec.structs.replace(w, resident_bytes=200, proportional_bytes=60, private_bytes=40) for w in seen.workers
    )
    low, likely, high = gains(concluded(RULE, msgspec.structs.replace(seen, workers=forked)))["memory_ratio"]
    assert low == likely == high == pytest.approx(1 - 5 * 40 / 480, abs=0.001)


def test_workers_are_counted_as_their_server_counts_them():
    seen = past(host(), minutes=[minute()] * DAY)
    pooled = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="mlserver"))
    known = ServiceFacts(service=pooled.service, settings=(Setting(lever=Lever.WORKERS, value=4, origin="file"),))
    found = verdict(RULE, pooled, known)
    assert isinstance(found, Conclusion)
    assert [(c.current, c.proposed) for c in found.changes] == [(4, 2)]


def test_in_kubernetes_it_names_the_cpu_request_that_would_hold():
    seen = past(host(), minutes=[minute()] * DAY)
    pod = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, manager="kubernetes"))
    assert "A CPU request of 0.57 cores" in concluded(RULE, pod).summary
    assert "CPU request" not in concluded(RULE, seen).summary
