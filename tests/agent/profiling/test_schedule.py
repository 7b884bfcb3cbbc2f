"""Who is looked into next, and why."""

from agent.profiling.schedule import next_orders, next_probe
from tests.agent.profiling.scenes import key, scene


def orders(*scenes, taken=None, tried=None, now=1000.0, renew=True):
    return [
        (order.scene.service.application, order.key.pid, order.why)
        for order in next_orders(scenes, taken or {}, tried or {}, now, lambda: renew)
    ]


def test_a_service_that_was_loaded_for_six_seconds_is_looked_into_once():
    assert orders(scene(loaded=5)) == []
    assert orders(scene(loaded=6)) == [("app", 101, "first"), ("app", 102, "first")]
    known = {key(101): 990.0, key(102): 990.0}
    assert orders(scene(loaded=6), taken=known, tried={"id-app": 990.0}) == []


def test_an_idle_service_is_left_alone_even_where_a_rule_asks():
    assert orders(scene(loaded=0, asking=("gil-bound-worker",))) == []


def test_a_rule_that_asks_gets_a_burst_before_any_first_look():
    asked = scene("asked", pids=(201,), asking=("event-loop-blocked",))
    assert orders(scene("new"), asked, taken={key(201): 900.0}, tried={"id-asked": 900.0}) == [("asked", 201, "asked")]


def test_no_service_is_looked_into_twice_within_a_minute():
    asked = scene(asking=("event-loop-blocked",))
    known = {key(101): 950.0, key(102): 950.0}
    assert orders(asked, taken=known, tried={"id-app": 941.0}) == []
    assert orders(asked, taken=known, tried={"id-app": 940.0}) == [("app", 101, "asked"), ("app", 102, "asked")]


def test_a_profile_that_gets_old_is_renewed_where_the_steady_state_has_room():
    old = {key(101): 755.0, key(102): 760.0}
    assert orders(scene(), taken=old, tried={"id-app": 755.0}) == [("app", 101, "renewed"), ("app", 102, "renewed")]
    assert orders(scene(), taken=old, tried={"id-app": 755.0}, renew=False) == []
    fresh = {key(101): 770.0, key(102): 770.0}
    assert orders(scene(), taken=fresh, tried={"id-app": 770.0}) == []


def test_a_failed_look_is_tried_again_a_minute_later():
    assert orders(scene(), tried={"id-app": 950.0}) == []
    assert len(orders(scene(), tried={"id-app": 940.0})) == 2


def test_workers_that_come_or_get_busy_later_are_looked_into_within_the_steady_state():
    later = scene(pids=(103, 104, 101))
    one = {key(101): 900.0}
    assert orders(later, taken=one, tried={"id-app": 900.0}) == [("app", 103, "renewed"), ("app", 104, "renewed")]
    assert orders(later, taken=one, tried={"id-app": 900.0}, renew=False) == []
    asking = scene(pids=(103, 104, 101), asking=("gil-convoy",))
    assert orders(asking, taken=one, tried={"id-app": 900.0}, renew=False)[0] == ("app", 103, "asked")


def test_probes_go_round_the_busy_workers():
    scenes = [scene(), scene("other", pids=(201,)), scene("idle", pids=(301,), loaded=0)]
    probed = {}
    seen = []
    for moment in range(6):
        _, chosen = next_probe(scenes, probed)
        probed[chosen] = 1.0 + moment
        seen.append(chosen.pid)
    assert seen == [101, 102, 201, 101, 102, 201]


def test_nothing_is_probed_where_nothing_is_busy():
    assert next_probe([scene(loaded=0)], {}) is None


def test_where_nobody_seems_to_ask_the_first_look_waits_longer():
    assert orders(scene(loaded=11, clients=False)) == []
    assert len(orders(scene(loaded=12, clients=False))) == 2
