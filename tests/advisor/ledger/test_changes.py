"""Which changes of a service's levers are noticed, in place, over a restart, and under another port."""

from msgspec.structs import replace

from advisor.ledger.changes import RESTLESS_SECONDS, RESTLESS_TIMES, ChangeWatch
from advisor.ledger.configuration import DEFAULT, MOST_LEVERS, LeverChange, configuration_of
from advisor.view import View
from collectors.entities import Container, Model
from collectors.levers import Lever, Setting
from collectors.reading import Instant
from tests.advisor.built import facts, fighting_pools, narrow_mask, quota, thread, threads_set, view, worker

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
    assert "workers counted" not in found
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


def told(*steps: dict[str, object]) -> list[tuple[object, ...]]:
    """What is told where each configuration holds for ten seconds."""
    watch, found = ChangeWatch(), []
    for position, step in enumerate(steps):
        for second in (0, 5):
            if (changed := watch.look(SERVICE, step, at(position * 10 + second))) is not None:
                found += [(c.lever, c.old, c.new) for c in changed.changes]
    return found


def test_workers_that_are_counted_while_their_number_cannot_be_read_are_no_change():
    set_, unread = (
        Setting(lever=Lever.WORKERS, value=value, origin=origin)
        for value, origin in ((0, "file settings.json"), (None, "settings.json is not readable"))
    )
    known, counted = (levers(fighting_pools(), setting) for setting in (set_, unread))
    assert (known["workers"], counted["workers counted"], counted.get("workers")) == (0, 2, None)
    assert told(known, counted, known, {**known, "workers": 1}) == [("workers", 0, 1)]
    assert told(counted, {**counted, "workers counted": 3}) == [("workers", 2, 3)]
    assert told(counted, {**known, "workers": 3}, {**counted, "workers counted": 3}) == []


def test_the_mask_of_workers_of_which_one_waits_is_not_known_where_its_own_is_another():
    def worker_on(pid: int, cpu: int, cores: float):
        return worker(pid, [thread(pid, cores, allowed=(cpu,))])

    assert levers(view([worker_on(101, 0, 0.9), worker_on(102, 1, 0.4)]))["affinity"] == "0-1"
    assert levers(view([worker_on(101, 0, 0.9), worker_on(102, 1, 0.0)]))["affinity"] is None
    assert levers(view([worker_on(101, 0, 0.9), worker_on(102, 0, 0.0)]))["affinity"] == "0"


def test_a_limit_of_a_container_into_which_nobody_can_look_is_not_known():
    seen = replace(
        fighting_pools(), cgroup=quota(None), service=replace(SERVICE, container=Container(runtime="docker", id="c"))
    )
    assert levers(seen)["cpu_quota"] is None
    assert levers(seen)["memory_limit"] is None
    assert levers(replace(seen, service=SERVICE))["cpu_quota"] == "none"


def test_files_of_a_model_that_become_known_one_by_one_are_no_other_version():
    one, two, other = "v1/a.bin (1 bytes)", "v1/a.bin (1 bytes); v1/b.bin (2 bytes)", "v2/a.bin (1 bytes)"
    assert told(*({"model m": each} for each in (one, two, one))) == []
    assert told({"model m": two}, {"model m": other}) == [("model m", two, other)]


def test_models_that_come_and_go_are_not_all_remembered():
    many = tuple(Model(name=f"{number:05}", version="1") for number in range(5000))
    assert (
        sum(
            lever.startswith("model ")
            for lever in levers(replace(fighting_pools(), service=replace(SERVICE, models=many)))
        )
        == 100
    )
    watch = ChangeWatch()
    for number in range(2000):
        watch.look(SERVICE, {"workers": 2, f"model {number}": "1"}, at(number))
    (known,) = watch.remember()
    assert len(known.levers) <= MOST_LEVERS + 1
    assert known.levers["workers"] == 2


def test_a_lever_that_a_program_turns_every_minute_is_no_news_until_it_rests():
    watch, told_at = ChangeWatch(), []
    for second in range(0, 3600, 5):
        if watch.look(SERVICE, {"workers": 2 + second // 60 % 2, "compute_threads": 1}, at(second)) is not None:
            told_at.append(second)
    assert len(told_at) == RESTLESS_TIMES
    for second in (3600, 3605):
        other = watch.look(SERVICE, {"workers": 2 + second // 60 % 2, "compute_threads": 2}, at(second))
    assert other is not None
    assert [change.lever for change in other.changes] == ["compute_threads"]
    rested = 3605 + int(RESTLESS_SECONDS)
    watch.look(SERVICE, {"workers": 8, "compute_threads": 2}, at(rested))
    assert watch.look(SERVICE, {"workers": 8, "compute_threads": 2}, at(rested + 5)) is not None


def test_workers_that_outlive_their_front_end_do_not_keep_its_place():
    watch, moved = ChangeWatch(), replace(SERVICE, id="other", port=9000)
    watch.look(SERVICE, {"affinity": "0", "orphaned": False}, at(0))
    for second in (10, 15):
        watch.look(SERVICE, {"affinity": "0", "orphaned": True}, at(second))
    watch.keep_only([SERVICE], at(16))
    watch.look(moved, {"affinity": "0-1", "orphaned": False}, at(20))
    assert watch.known_before_as(moved) == SERVICE.id
    found = watch.look(moved, {"affinity": "0-1", "orphaned": False}, at(25))
    assert found is not None
    assert LeverChange(lever="affinity", old="0", new="0-1") in found.changes
