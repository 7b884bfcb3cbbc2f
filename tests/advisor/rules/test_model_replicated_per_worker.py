"""R25 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.model_replicated_per_worker import ModelReplicatedPerWorker
from advisor.view import View
from collectors.entities import Role
from collectors.levers import Lever, Setting
from tests.advisor.built import concluded, facts, gains, healthy, numbers, thread, verdict, worker
from tests.advisor.memory_built import GIB, MIB, memory_limit, remembered, sized, sizes, with_model

RULE = ModelReplicatedPerWorker()


def front(resident: int = 40 * MIB, private: int | None = 20 * MIB) -> dict[str, int | None]:
    return {"resident_bytes": resident, "proportional_bytes": private, "private_dirty_bytes": private}


def host(
    private: tuple[int | None, ...] = (600 * MIB,) * 4,
    front_end: dict[str, int | None] | None = None,
    framework: str = "gunicorn",
) -> View:
    """A front-end and workers of 650 MiB, of which `private` is each one's own."""
    master = replace(worker(100, [thread(100, 0.0)], role=Role.FRONT_END), **(front_end or front()))
    workers = [
        sized(
            101 + k,
            resident_bytes=650 * MIB,
            private_dirty_bytes=own,
            proportional_bytes=None if own is None else own + 10 * MIB,
        )
        for k, own in enumerate(private)
    ]
    seen = sizes([master, *workers])
    return replace(seen, service=replace(seen.service, framework=framework))


def preload(seen: View, value: bool | None) -> ServiceFacts:
    origin = "default" if value is False else "argument --preload" if value else "gunicorn.conf.py may set it"
    return replace(facts(seen, environ={}), settings=(Setting(lever=Lever.PRELOAD, value=value, origin=origin),))


def test_four_copies_of_a_known_model_become_one_by_loading_first():
    seen = with_model(host(), 500 * MIB, "joblib")
    found = concluded(RULE, seen, preload(seen, False))
    assert numbers(found)["replicated_memory"] == 3 * 500 * MIB
    assert numbers(found)["private_dirty_per_model_size"] == pytest.approx(1.2)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [(Lever.PRELOAD, False, True)]
    before = 4 * 610 + 20
    ratio = gains(found)["memory_ratio"]
    assert ratio[0] == pytest.approx(1 - 1500 / before, abs=0.001)
    assert ratio[1] == pytest.approx(1 - 0.85 * 1500 / before, abs=0.001)
    assert ratio[2] == pytest.approx(1 - 0.5 * 1500 / before, abs=0.001)


def test_equal_workers_of_a_server_that_does_not_preload_are_told_less_surely():
    seen = host()
    found = concluded(RULE, seen, preload(seen, False))
    assert found.confidence < 0.5
    assert "was not seen" in found.summary
    assert gains(found)["memory_ratio"][1] == pytest.approx(1 - 0.7 * 1800 / (4 * 610 + 20), abs=0.001)


def test_a_setting_that_is_not_readable_is_told_by_what_the_front_end_holds():
    seen = host()
    assert concluded(RULE, seen, preload(seen, None)).changes[0].lever is Lever.PRELOAD
    loaded = host(front_end=front(resident=640 * MIB))
    assert verdict(RULE, loaded, preload(loaded, None)) is None


def test_pages_that_are_shared_do_not_count():
    """650 MiB resident each, 30 MiB of it their own: loaded before the fork, or mapped."""
    seen = with_model(host(private=(30 * MIB,) * 4), 500 * MIB)
    assert verdict(RULE, seen, preload(seen, False)) is None


def test_workers_of_different_size_have_not_loaded_the_same():
    seen = host(private=(600 * MIB, 600 * MIB, 300 * MIB, 600 * MIB))
    assert verdict(RULE, seen, preload(seen, False)) is None


def test_a_shard_of_a_model_is_no_copy():
    seen = with_model(host(), 2 * GIB)
    assert verdict(RULE, seen, preload(seen, False)) is None


def test_small_copies_just_miss_and_stay_while_it_stands():
    seen = with_model(host(private=(80 * MIB,) * 4), 80 * MIB, "joblib")
    assert verdict(RULE, seen, preload(seen, False)) is None
    assert verdict(RULE, seen, preload(seen, False), standing=True) is not None


def test_many_interpreters_are_no_model():
    seen = host(private=(40 * MIB,) * 16)
    assert verdict(RULE, seen, preload(seen, False)) is None


def test_with_cuda_loading_first_is_not_proposed():
    seen = host()
    cuda = tuple(replace(w, drivers=("cuda",)) for w in seen.service.workers)
    seen = replace(seen, service=replace(seen.service, workers=cuda))
    assert verdict(RULE, seen, preload(seen, False)) is None


def test_of_mlserver_the_idle_copy_counts_and_how_many_workers_are_enough_is_left_to_others():
    seen = with_model(host(front_end=front(700 * MIB, 600 * MIB), framework="mlserver"), 500 * MIB, "joblib")
    never_busy = remembered(seen, lambda at: 3.0 * GIB, 1200, demand_peak=1.6)
    for each in (seen, never_busy):
        found = concluded(RULE, each, facts(each, environ={}))
        assert numbers(found)["replicated_memory"] == 4 * 500 * MIB
        assert "front-end holds a copy" in found.summary
        assert (found.changes, found.gains) == ((), ())


def test_copies_are_worth_knowing_while_memory_is_plentiful_and_more_where_it_is_short():
    plenty = with_model(host(), 500 * MIB, "joblib")
    short = replace(plenty, memory_available_bytes=4 * GIB)
    limited = replace(plenty, cgroup=memory_limit(3 * GIB, 3 * GIB))
    for seen, level in ((plenty, "info"), (short, "medium"), (limited, "medium")):
        (found,) = Engine([RULE]).judge(seen, preload(seen, False)).judged
        assert (found.severity, found.conclusion.spares) == (level, level == "info")
    costly = replace(preload(plenty, False), objective="cost")
    assert [j.severity for j in Engine([RULE]).judge(plenty, costly).judged] != ["info"]


def test_without_a_look_inside_it_asks_for_one():
    seen = host(private=(None,) * 4)
    need = verdict(RULE, seen, preload(seen, False))
    assert isinstance(need, Need)
    assert need.kind == "privilege"
    some = host(private=(600 * MIB, None, None, None))
    need = verdict(RULE, some, preload(some, False))
    assert isinstance(need, Need)
    assert need.kind == "time"


def test_it_does_not_ask_where_copies_would_not_matter():
    seen = host(private=(None,) * 4)
    small = replace(seen, workers=tuple(replace(w, resident_bytes=50 * MIB) for w in seen.workers))
    assert verdict(RULE, small, preload(small, False)) is None
    assert verdict(RULE, seen, preload(seen, True)) is None
    assert verdict(RULE, healthy()) is None
