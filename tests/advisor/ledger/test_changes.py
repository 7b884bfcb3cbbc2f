"""Which changes of a service's levers are noticed, in place, over a restart, and under another port."""

from msgspec.structs import replace

from advisor.ledger.changes import ChangeWatch
from advisor.ledger.configuration import DEFAULT, LeverChange, configuration_of
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever, Setting
from collectors.reading import Instant
from tests.advisor.built import facts, fighting_pools, narrow_mask, quota, threads_set, view

SECOND = 1_000_000_000
SERVICE = fighting_pools().service


def at(seconds: float) -> Instant:
    return Instant(int(seconds * SECOND), 1_700_000_000 * SECOND + int(seconds * SECOND))


def levers(seen: View, *settings: Setting, threads: int | None = None) -> dict[str, object]:
    known = facts(seen, threads_set(threads) if threads else facts(seen).threads, environ={})
    return configuration_of(seen, replace(known, settings=settings))


def test_a_configuration_names_threads_mask_workers_quota_limits_and_models():
    seen = replace(
        fighting_pools(),
        cgroup=replace(quota(1.5), memory_limit_bytes=1 << 30),
        service=replace(SERVICE, models=(Model(name="m", version="3"),)),
    )
    found = levers(seen, Setting(lever=Lever.MAX_BATCH_SIZE, value=8, origin="file settings.json"), threads=4)
    assert found["compute_threads"] == 4
    assert found["affinity"] == "0-1"
    assert found["workers"] == 2
    assert found["cpu_quota"] == 1.5
    assert found["memory_limit"] == 1 << 30
    assert found["max_batch_size"] == 8
    assert found["model m"] == "3"


def test_what_nobody_set_is_a_default_and_what_nobody_could_read_is_unknown():
    settings = (
        Setting(lever=Lever.WORKERS, value=None, origin="default: one a core"),
        Setting(lever=Lever.MAX_QUEUE, value=None, origin="settings.json is not readable"),
    )
    found = levers(fighting_pools(), *settings)
    assert found["compute_threads"] == DEFAULT
    assert found["max_queue"] is None
    assert levers(narrow_mask())["affinity"] == "0"
    assert configuration_of(view([]), facts(view([]), None))["affinity"] is None


def test_a_change_counts_once_it_has_held_and_a_recycled_worker_is_none():
    watch = ChangeWatch()
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": DEFAULT}, at(0)) is None
    assert watch.look(SERVICE, {"workers": 1, "compute_threads": DEFAULT}, at(3)) is None
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": DEFAULT}, at(5)) is None
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": 1}, at(6)) is None
    found = watch.look(SERVICE, {"workers": 2, "compute_threads": 1}, at(11))
    assert found is not None
    assert found.changes == (LeverChange(lever="compute_threads", old=DEFAULT, new=1),)
    assert found.since == at(5)
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": 1}, at(12)) is None


def test_a_lever_that_becomes_known_has_not_changed():
    watch = ChangeWatch()
    for second, threads in ((0, None), (6, 1), (12, None), (20, 1)):
        assert watch.look(SERVICE, {"workers": 2, "compute_threads": threads}, at(second)) is None
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": 2}, at(30)) is None
    assert watch.look(SERVICE, {"workers": 2, "compute_threads": 2}, at(35)) is not None


def test_a_service_that_comes_back_with_another_setting_was_changed():
    watch = ChangeWatch()
    watch.look(SERVICE, {"workers": 2, "compute_threads": DEFAULT}, at(0))
    watch.keep_only([], at(10))
    watch.look(SERVICE, {"workers": 2, "compute_threads": None}, at(60))
    watch.look(SERVICE, {"workers": 2, "compute_threads": 1}, at(62))
    found = watch.look(SERVICE, {"workers": 2, "compute_threads": 1}, at(66))
    assert found is not None
    assert found.changes == (LeverChange(lever="compute_threads", old=DEFAULT, new=1),)


def test_at_another_port_it_is_the_same_service_where_the_old_one_has_left():
    moved = replace(SERVICE, id="other", port=9000)
    watch = ChangeWatch()
    watch.look(SERVICE, {"workers": 2, "compute_threads": 4}, at(0))
    watch.keep_only([], at(10))
    watch.look(moved, {"workers": 2, "compute_threads": 1}, at(20))
    assert watch.known_before_as(moved) == SERVICE.id
    found = watch.look(moved, {"workers": 2, "compute_threads": 1}, at(25))
    assert found is not None
    assert found.changes[0].old == 4


def test_beside_the_old_one_or_of_another_application_it_is_a_service_of_its_own():
    moved, other = replace(SERVICE, id="other", port=9000), replace(SERVICE, id="third", application="else")
    watch = ChangeWatch()
    watch.look(SERVICE, {"compute_threads": 4}, at(0))
    watch.keep_only([SERVICE], at(10))
    for second in (20, 25):
        assert watch.look(moved, {"compute_threads": 1}, at(second)) is None
    watch.keep_only([moved], at(30))
    for second in (40, 45):
        assert watch.look(other, {"compute_threads": 1}, at(second)) is None


def test_configurations_outlive_a_restart_of_the_agent():
    before = ChangeWatch()
    before.look(SERVICE, {"compute_threads": 4}, at(0))
    after = ChangeWatch()
    after.recall(before.remember())
    after.look(SERVICE, {"compute_threads": 1}, at(100))
    found = after.look(SERVICE, {"compute_threads": 1}, at(105))
    assert found is not None
    assert found.since.wall_ns == at(0).wall_ns
