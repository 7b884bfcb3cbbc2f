"""R24 on built hosts."""

from collections.abc import Callable
from math import exp
from random import Random

import pytest
from msgspec.structs import replace

from advisor.finding import Severity
from advisor.rules.memory_pressure import MemoryPressure
from advisor.rules.oom_eta import OomEta
from advisor.severity import severity
from advisor.trend import FIELDS
from advisor.view import ConnectionRates, View
from collectors.levers import Lever, Setting
from tests.advisor.built import concluded, facts, healthy, numbers, thread, verdict, view, worker
from tests.advisor.memory_built import GIB, MIB, memory_limit, remembered, wanting, with_model

RULE = OomEta()


def host(
    resident: int = 500 * MIB, limit: int | None = GIB, current: int | None = None, available: int = 20 * GIB
) -> View:
    """Two workers that hold `resident` together, of a limit of 1 GiB."""
    workers = [worker(k, [thread(k, 0.4)], resident=resident // 2) for k in (101, 102)]
    charged = None if limit is None else memory_limit(limit, current or resident)
    return replace(view(workers, available=available, cgroup=charged), memory_total_bytes=24 * GIB)


def leaking(per_second: float = 5 * MIB, seconds: int = 60, start: int = 200 * MIB, **given: int | None) -> View:
    """A leak that has gone on for so long, from `start` on."""
    end = start + per_second * seconds
    return remembered(host(round(end), **given), lambda at: start + per_second * at, seconds)  # type: ignore[arg-type]


def test_a_leak_of_5_mib_a_second_towards_1_gib_is_told_after_a_minute():
    found = concluded(RULE, leaking())
    seen = numbers(found)
    assert seen["memory_growth"] == pytest.approx(5 * MIB, rel=0.001)
    assert seen["full_in"] == pytest.approx((1024 - 500) / 5, rel=0.01)
    assert found.title == "memory grows by 300 MiB a minute: none is left in about 105 s"
    assert "provisional" in found.summary
    assert found.harm == "runs-out-of-memory"


def test_it_is_surer_the_less_it_is_drawn_out():
    early, late = concluded(RULE, leaking(2 * MIB, 60)), concluded(RULE, leaking(2 * MIB, 300))
    assert early.confidence < 0.5 < late.confidence
    known = facts(leaking(), environ={})
    assert severity(RULE, early, known, None) is Severity.LOW
    assert severity(RULE, late, known, None) is Severity.HIGH


def test_forty_seconds_are_not_enough():
    assert verdict(RULE, leaking(seconds=40)) is None


def test_it_is_not_drawn_out_more_than_ten_times_and_stays_up_to_twenty():
    far = leaking(per_second=0.5 * MIB, seconds=60)
    assert (1024 - 230) / 0.5 > 10 * 60
    assert verdict(RULE, far) is None
    assert verdict(RULE, leaking(per_second=0.9 * MIB, seconds=60), standing=True) is not None
    assert verdict(RULE, leaking(per_second=0.9 * MIB, seconds=60)) is None


def test_hours_of_minutes_are_judged_as_a_whole():
    found = concluded(RULE, leaking(per_second=0.05 * MIB, seconds=7200))
    assert numbers(found)["memory_growth"] == pytest.approx(0.05 * MIB, rel=0.01)
    assert found.evidence[0].window_seconds > 7000
    assert found.evidence[0].samples <= 60
    assert "steadily" in found.summary


SHAPES: dict[str, Callable[[float], float]] = {
    "a cache that warms up": lambda at: (200 + 300 * (1 - exp(-at / 60))) * MIB,
    "a step": lambda at: (200 if at < 100 else 500) * MIB,
    "two steps": lambda at: (200 if at < 60 else 350 if at < 120 else 500) * MIB,
    "up and down": lambda at: (300 + at % 60) * MIB,
    "flat with noise": lambda at: (500 + 3 * (at % 15)) * MIB,
    "a fall a moment ago": lambda at: (200 + at if at < 160 else at) * MIB,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_does_not_grow_without_end_is_no_leak(shape: str):
    assert verdict(RULE, remembered(host(), SHAPES[shape], 200)) is None


def told(shape: Callable[[float], float], seconds: int, seed: int, limit: int = GIB, noise: float = 2.0) -> list[int]:
    """Of a host whose memory (MiB) goes like this, with noise, the seconds at which there is a finding: it is looked at every
    15 s."""
    draw = Random(seed)
    seen = [max(1.0, shape(at) + draw.gauss(0, noise)) * MIB for at in range(0, seconds + 1, 5)]
    found = []
    for at in range(30, seconds + 1, 15):
        now = remembered(host(round(seen[at // 5]), limit), lambda then: seen[int(then) // 5], at)
        if verdict(RULE, now) is not None:
            found.append(at)
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_leak_that_begins_after_a_level_stretch_is_told_in_time(seed: int):
    level, fast = told(lambda at: 200 + 3 * max(0, at - 300), 480, seed), 10 * GIB
    assert 345 <= level[0] <= 405
    assert level == list(range(level[0], 481, 15)), "and stays"
    quick = told(lambda at: 200 + 60 * max(0, at - 60), 180, seed, fast)
    assert 105 <= quick[0] <= 120


@pytest.mark.parametrize("seed", range(10))
def test_a_leak_after_a_model_was_loaded_is_told_as_itself(seed: int):
    """Idle, 300 MiB in ten seconds, and then a leak of 3 MiB a second, at once or a minute later."""
    for pause in (0, 60):
        found = told(lambda at, p=pause: 100 + min(300, 30 * max(0, at - 60)) + 3 * max(0, at - 70 - p), 270, seed)
        assert 70 + pause + 45 <= found[0] <= 70 + pause + 90


LEVELS_OFF: dict[str, Callable[[float], float]] = {
    "warms up in a minute": lambda at: 200 + 400 * (1 - exp(-at / 60)),
    "warms up in five": lambda at: 200 + 400 * (1 - exp(-at / 300)),
    "warms up when load comes": lambda at: 200 + 400 * (1 - exp(-max(0, at - 240) / 60)),
    "warms up slowly when load comes": lambda at: 200 + 400 * (1 - exp(-max(0, at - 240) / 200)),
    "a step": lambda at: 200 if at < 240 else 500,
    "half a minute of loading": lambda at: 200 + min(300, 10 * max(0, at - 240)),
    "level": lambda at: 500,
}


@pytest.mark.parametrize("shape", LEVELS_OFF)
def test_what_levels_off_is_never_told(shape: str):
    assert [told(LEVELS_OFF[shape], 750, seed) for seed in range(10)] == [[]] * 10


def test_memory_that_goes_up_and_down_is_not_told_once_it_came_back():
    for seed in range(10):
        assert not [at for at in told(lambda at: 850 + 40 * (at % 90) / 90, 750, seed) if at > 90]


def test_what_it_is_drawn_out_from_is_the_growth_and_not_what_was_before():
    found = concluded(RULE, remembered(host(560 * MIB), lambda at: (200 + 3 * max(0, at - 180)) * MIB, 300))
    assert numbers(found)["memory_growth"] == pytest.approx(3 * MIB, rel=0.01)
    assert 90 <= found.evidence[0].window_seconds <= 120
    assert numbers(found)["full_in"] == pytest.approx((1024 - 560) / 3, rel=0.01)


def test_page_cache_is_not_its_memory():
    """The limit is full of page cache, which is given back; its processes do not grow."""
    assert verdict(RULE, remembered(host(current=GIB), lambda at: 500.0 * MIB, 200, cgroup_bytes=1.0 * GIB)) is None
    found = concluded(RULE, leaking(current=GIB - MIB))
    assert numbers(found)["full_in"] == pytest.approx((1024 - 500) / 5, rel=0.01)


def test_a_changed_configuration_begins_anew():
    seen = leaking(seconds=120)
    assert verdict(RULE, seen) is not None
    row = {"seconds": 5.0, "loaded_seconds": 5.0, "workers": 2.0, "generation": 1.0, "resident_bytes": 810.0 * MIB}
    seen.trend.add(1_800_000_125.0, tuple(row.get(name) for name in FIELDS))
    assert verdict(RULE, seen) is None


def test_memory_that_came_back_before_is_not_drawn_out():
    """Workers that are replaced: it grew as high before, and fell; only above that it is news."""
    sawtooth = remembered(host(), lambda at: (200 + 2 * (at % 300)) * MIB, 590)
    assert verdict(RULE, sawtooth) is None
    higher = remembered(host(), lambda at: (200 + 2 * (at if at < 100 else at - 100)) * MIB, 390)
    assert verdict(RULE, higher) is not None


def test_growth_without_load_has_to_go_on_for_longer():
    idle = replace(host(), loaded_now=False, samples=0)
    grown = remembered(idle, lambda at: (200 + at) * MIB, 300, loaded=False)
    assert verdict(RULE, grown) is None
    found = concluded(RULE, remembered(idle, lambda at: (200 + at / 2) * MIB, 700, loaded=False))
    assert "without any request" in found.summary


def test_a_model_that_is_loaded_before_the_first_request_is_no_leak():
    """It uses the CPU, and fills the memory as evenly as a leak; requests are counted and there are none."""
    still = {"opened_per_second": 0.0, "received_segments_per_second": 0.0, "established": 0.0}
    assert verdict(RULE, remembered(host(), lambda at: (200 + 5 * at) * MIB, 60, **still)) is None
    asked = remembered(host(), lambda at: (200 + 5 * at) * MIB, 60, loaded=False, **{**still, "opened_per_second": 2.0})
    assert verdict(RULE, asked) is not None


def test_a_mapped_model_that_is_touched_for_the_first_time_is_no_leak():
    assert verdict(RULE, with_model(leaking(), 2 * GIB, "gguf")) is None
    assert verdict(RULE, with_model(leaking(), 100 * MIB, "gguf")) is not None
    assert verdict(RULE, with_model(leaking(), 600 * MIB, "joblib")) is None
    assert verdict(RULE, with_model(leaking(), 400 * MIB, "joblib")) is not None


def test_the_node_is_what_is_left_where_no_limit_is_nearer():
    found = concluded(RULE, leaking(limit=None, available=GIB))
    assert numbers(found)["full_in"] == pytest.approx(1024 / 5, rel=0.01)
    assert "of the node" in found.summary
    assert verdict(RULE, replace(leaking(limit=None), memory_available_bytes=None)) is None


def test_workers_are_replaced_before_half_of_what_is_left_has_leaked():
    """524 MiB left, half of it at 5 MiB and 100 requests a second: 5240 requests, 2620 for each of two workers."""
    seen = replace(leaking(), requests_per_second=100.0)
    (change,) = concluded(RULE, seen).changes
    assert (change.lever, change.current, change.proposed) == (Lever.RECYCLE_AFTER, None, 2600)
    assert concluded(RULE, leaking()).changes == ()


def test_requests_are_counted_by_connections_where_the_server_counts_none():
    def by_connections(bytes_each: float) -> View:
        rates = ConnectionRates(
            opened_per_second=1.0, received_segments_per_second=200.0, received_bytes_per_second=200 * bytes_each
        )
        return replace(leaking(), connections=rates)

    (change,) = concluded(RULE, by_connections(300.0)).changes
    assert change.proposed == 2600
    assert concluded(RULE, by_connections(1400.0)).changes == (), "one request may be any number of segments"


def test_workers_that_are_replaced_in_time_are_left_alone():
    seen = replace(leaking(), requests_per_second=100.0)
    known = replace(
        facts(seen, environ={}),
        settings=(Setting(lever=Lever.RECYCLE_AFTER, value=1000, origin="argument --max-requests"),),
    )
    assert verdict(RULE, seen, known) is None
    late = replace(known, settings=(Setting(lever=Lever.RECYCLE_AFTER, value=50000, origin="argument --max-requests"),))
    (change,) = concluded(RULE, seen, late).changes
    assert (change.current, change.proposed) == (50000, 2600)


def test_processes_that_were_killed_are_a_finding_by_themselves():
    found = concluded(RULE, wanting(oom_kills=1))
    assert found.title == "1 process killed for memory at its limit of 128 MiB"
    assert numbers(found)["oom_kills"] == 1
    (change,) = found.changes
    assert (change.lever, change.current, change.proposed) == (Lever.MEMORY_LIMIT, 128 * MIB, 224 * MIB)
    assert verdict(RULE, wanting(oom_kills=1, limit=None)) is None


def test_after_a_kill_the_limit_is_what_memory_pressure_asks_for_where_that_is_known():
    seen = with_model(wanting(oom_kills=1), 256 * MIB)
    (asked,) = concluded(MemoryPressure(), seen).changes
    (change,) = concluded(RULE, seen).changes
    assert change == asked
    assert change.proposed == 304 * MIB


def test_arenas_are_named_only_with_many_threads_and_no_allocator_of_its_own():
    seen = leaking()
    threaded = replace(seen, workers=tuple(replace(w, thread_count=40) for w in seen.workers))
    assert "MALLOC_ARENA_MAX" in concluded(RULE, threaded).summary
    assert "MALLOC_ARENA_MAX" not in concluded(RULE, seen).summary
    own = facts(threaded, environ={"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"})
    assert "MALLOC_ARENA_MAX" not in concluded(RULE, threaded, own).summary


def test_a_healthy_service_does_not_grow():
    assert verdict(RULE, healthy()) is None
