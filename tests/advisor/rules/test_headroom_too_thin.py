"""R52 on built hosts: a service that is again and again near to all that it can do."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.measured import MeasuredCapacity
from advisor.queueing import wait_of_many, wait_of_one
from advisor.rules.headroom_too_thin import HeadroomTooThin
from advisor.view import View
from tests.advisor.built import concluded, facts, gains, numbers, thread, verdict, view, worker
from tests.advisor.trends_built import past, steady

RULE = HeadroomTooThin()
CALM = steady(1.2, per_second=48.0, latency=0.02)
BUSY = steady(1.9, per_second=76.0, latency=0.06, queue=3.0)


def host(*, cores: int = 2, workers: int = 2, used: float = 1.9, available: int | None = 8 << 30) -> View:
    each = used / workers
    busy = [worker(101 + n, [thread(101 + n, each, allowed=range(cores))]) for n in range(workers)]
    return view(busy, cores=cores, available=available)


def with_knee(seen: View, knee: float) -> ServiceFacts:
    known = MeasuredCapacity(
        at="2026-11-20T10:00:00Z", knee_per_second=knee, bound="measured", workers=len(seen.serving), generation=0
    )
    return msgspec.structs.replace(facts(seen, environ={}), measured=known)


def judged(seen: View) -> dict[str, str]:
    """Severity of all that is said, by rule."""
    found = Engine(all_rules()).judge(seen, facts(seen, environ={}))
    assert not found.broken
    return {one.rule: one.severity for one in found.judged if one.cause is None}


BURSTS = ([CALM] * 9 + [BUSY] * 2) * 5
FULL_NODE = past(host(), BURSTS)


def test_two_workers_on_two_cores_near_their_limit_want_a_second_node():
    found = concluded(RULE, FULL_NODE)
    assert numbers(found)["utilisation_p95"] == pytest.approx(0.95, abs=0.001)
    assert numbers(found)["near_limit_minutes"] == pytest.approx(45 * 5 / 60, abs=0.001)
    assert numbers(found)["replicas_for_peak"] == 2
    assert numbers(found)["waiting_requests_p95"] == pytest.approx(3.0)
    assert found.changes == ()
    assert "run 2 replicas" in found.title
    assert "no room for more workers on this node" in found.summary
    assert found.evidence[0].window_seconds == 275
    assert gains(found)["cost_ratio"] == (2, 2, 2)
    low, likely, high = gains(found)["latency_p99_ratio"]
    waits = 3.0 / 1.9  # service times: three wait, 1.9 are worked on
    assert low == pytest.approx(1 / (1 + waits), abs=0.001)
    assert likely == pytest.approx((1 + wait_of_many(2, 0.95)) / (1 + waits), abs=0.001)
    assert high == pytest.approx((1 + wait_of_one(0.475)) / (1 + waits), abs=0.001)


def test_cores_that_are_left_take_more_workers_instead():
    seen = past(host(cores=8), BURSTS)
    found = concluded(RULE, seen)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 2, 3)]
    assert "run 3" in found.title
    assert gains(found)["memory_ratio"][1] == pytest.approx(1.5)
    assert "cost_ratio" not in gains(found)
    without_memory = concluded(RULE, past(host(cores=8, available=100 << 20), BURSTS))
    assert without_memory.changes == ()


def test_the_peak_of_a_load_test_counts_and_makes_it_surer():
    seen = past(host(used=1.5), [steady(1.5, per_second=60.0, latency=0.06, queue=2.0)] * 60)
    assert verdict(RULE, seen) is None
    found = concluded(RULE, seen, with_knee(seen, 63.0))
    assert numbers(found)["utilisation_p95"] == pytest.approx(60 / 63, abs=0.001)
    guessed = past(host(), [steady(1.9, latency=0.06, queue=2.0)] * 60)
    assert found.confidence > concluded(RULE, guessed).confidence
    assert verdict(RULE, seen, with_knee(seen, 80.0)) is None


def test_just_below_nine_tenths_is_enough():
    assert verdict(RULE, past(host(), [steady(1.78, per_second=71.0, latency=0.03, queue=1.0)] * 60)) is None


def test_a_few_full_slices_are_no_habit():
    assert verdict(RULE, past(host(), [CALM] * 60 + [BUSY] * 2)) is None


def test_one_burst_is_no_habit_however_much_of_the_first_minutes_it_is():
    assert verdict(RULE, past(host(), [BUSY] * 12 + [CALM] * 30)) is None
    assert verdict(RULE, past(host(), [BUSY] * 36)) is None, "first and last are not yet three minutes apart"
    assert verdict(RULE, past(host(), [BUSY] * 37)) is not None


def test_cores_that_neighbours_use_are_not_its_own_limit():
    """0.5 of 2 workers busy, of 2 cores 1.4 used by others: what is left is in use, and the service is at a quarter."""
    used = [0.5 + 0.1 * (n % 3) for n in range(60)]
    shared = [steady(each, per_second=12.0, latency=0.1, others=1.4, pool=2.0, queue=1.0) for each in used]
    seen = past(view([worker(k, [thread(k, 0.25)]) for k in (101, 102)], others=1.4), shared)
    assert seen.effective_cores == pytest.approx(0.6)
    assert set(judged(seen).values()) <= {"info"}
    assert "headroom-too-thin" not in judged(seen)


@pytest.mark.parametrize(("used", "per_second", "latency"), [(0.76, 60.0, 0.0139), (0.28, 22.0, 0.0141)])
def test_two_workers_below_their_limit_beside_a_load_generator(used: float, per_second: float, latency: float):
    """As measured at 38 % and at 14 %, with now and then a request in the accept queue and all else taken by other jobs."""
    calm = steady(used, per_second=per_second, latency=latency, others=0.1, pool=2.0)
    crowded = steady(1.5 * used, used=used, waiting=0.5 * used, per_second=per_second, latency=2 * latency, queue=2.0,
                     others=1.95 - used, pool=2.0)  # fmt: skip
    seen = past(view([worker(k, [thread(k, used / 2)]) for k in (101, 102)], others=0.1), [calm, crowded] * 60)
    assert set(judged(seen).values()) <= {"info"}
    assert "headroom-too-thin" not in judged(seen)


def test_workers_that_wait_for_cpus_that_others_use_are_not_at_their_limit():
    waits = steady(1.9, used=1.0, waiting=0.9, per_second=40.0, latency=0.1, queue=3.0, others=1.0, pool=2.0)
    crowded = view([worker(k, [thread(k, 0.5, 0.45)]) for k in (101, 102)], others=1.0)
    assert verdict(RULE, past(crowded, [waits] * 60)) is None
    own = steady(1.9, used=1.9, per_second=76.0, latency=0.1, queue=3.0, others=0.1, pool=2.0)
    assert verdict(RULE, past(host(), [own] * 60)) is not None


def test_where_neighbours_take_the_room_for_another_worker_no_replica_is_asked_for():
    one = [steady(0.97, workers=1, per_second=40.0, latency=0.06, queue=3.0, others=1.0, pool=2.0)] * 60
    crowded = msgspec.structs.replace(past(host(workers=1, used=0.97), one), cores=view([], others=1.97).cores)
    assert verdict(RULE, crowded) is None
    assert concluded(RULE, past(host(workers=1, used=0.97), one)).changes != ()


def test_one_saturated_worker_is_for_the_rule_that_sees_its_cores_idle():
    """A worker of MLServer at 99 % of one core while the other idles: in a judgement without that rule's finding, as when a
    neighbour passes by, this one is worth knowing and no more."""
    alone = past(host(workers=1, used=0.99), [steady(0.99, workers=1, per_second=40.0, latency=0.06, queue=3.0)] * 60)
    assert judged(alone) == {"workers-below-cores-saturated": "medium"}
    found = concluded(RULE, alone)
    assert [(c.current, c.proposed) for c in found.changes] == [(1, 2)]
    assert [j.severity for j in Engine([RULE]).judge(alone, facts(alone, environ={})).judged] == ["info"]


def test_less_than_three_minutes_of_the_present_configuration_say_nothing():
    assert verdict(RULE, past(host(), [BUSY] * 35)) is None
    changed = [BUSY] * 60 + [{**BUSY, "generation": 1.0}] * 20
    assert verdict(RULE, past(host(), changed)) is None


def test_busy_workers_without_anybody_waiting_are_only_worth_knowing():
    calm = past(host(), [steady(1.9, per_second=76.0, latency=0.02)] * 60)
    assert concluded(RULE, calm).gains == ()
    ranked = Engine([RULE]).judge(calm, facts(calm, environ={})).judged
    assert [j.severity for j in ranked] == ["info"]
    queued = Engine([RULE]).judge(FULL_NODE, facts(FULL_NODE, environ={})).judged
    assert queued[0].severity.level > ranked[0].severity.level


def test_pools_that_count_as_busy_for_less_than_that_want_a_queue_as_well():
    pools = view([worker(k, [thread(k, 0.48), thread(k + 50, 0.47, kind="compute")]) for k in (101, 102)])
    assert verdict(RULE, past(pools, [steady(1.9, per_second=76.0, latency=0.02)] * 60)) is None
    assert concluded(RULE, past(pools, [BUSY] * 60)).title.startswith("at peak")


def test_nothing_is_told_of_requests_that_wait_elsewhere_or_of_a_service_without_a_past():
    hidden = view([worker(k, [thread(k, 0.05)]) for k in (101, 102)], request_threads=8)
    assert verdict(RULE, past(hidden, [steady(0.1, per_second=20.0, latency=0.5)] * 60)) is None
    assert verdict(RULE, host()) is None


def test_clients_in_a_closed_loop_leave_it_nothing_to_say():
    full = [steady(1.95, per_second=79.0, queue=6.0, established=8.0)] * 60
    seen = msgspec.structs.replace(past(host(), full), accept_queue=(6.0,) * 15, requests_per_second=None)
    assert numbers(concluded(RULE, seen))["utilisation_p95"] > 0.9
    assert [j.rule for j in Engine(all_rules()).judge(seen, facts(seen, environ={})).judged] == ["evidence-invalid"]


def test_what_can_be_mended_goes_first():
    alone = past(host(workers=1, used=0.99), [steady(0.99, workers=1, per_second=40.0, latency=0.06, queue=3.0)] * 60)
    found = Engine(all_rules()).judge(alone, facts(alone, environ={})).judged
    assert [j.rule for j in found if j.cause is None] == ["workers-below-cores-saturated"]
