"""Is a stored moment what was said at that moment?"""

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advisor.documents import Snapshot
from agent.config import AdviceSettings, Config, RuleSettings
from agent.past import moment as past_moment
from agent.past.play import play
from agent.past.standing import SUMMARY
from agent.store.stored_moments import StoredMoments
from bench.judging import Crowd
from tests.agent.past.stores import SECOND, Live, Storing, crowd_ticks, run_at
from tests.agent.pieces import QUOTA

EVER = 2**62


def moments(db: Path, since_ns: int = 0, until_ns: int = EVER) -> dict[int, Snapshot]:
    found: dict[int, Snapshot] = {}
    for stretch in StoredMoments(db).stretches():
        play(db, stretch, since_ns, until_ns, lambda at, snapshot: found.update({at.wall_ns: snapshot}))
    return found


def comparable(snapshot: Snapshot) -> Any:
    """All that is said but for what is known not to be kept."""
    found = msgspec.to_builtins(snapshot)
    for part in ("self_status", "threads", "generation"):
        del found[part]
    del found["node"]["past"]
    for collector in found["node"]["collectors"]:
        del collector["runs"], collector["late_seconds"]
    for worker in found["workers"]:
        del worker["busiest"], worker["active_threads"], worker["state"]
    advice = found["advice"]
    advice["inconclusive"] = [one for one in advice["inconclusive"] if one["needs"]["kind"] != "profile"]
    for one in (*advice["services"], *advice["plans"], *found["services"]):
        if one["verdict"].startswith(
            ("cannot tell", "nothing holds it back")
        ):  # a profile that is wanted is told of no more
            del one["verdict"]
    return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    return Live(tmp_path_factory.mktemp("live"))


@pytest.fixture
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording of three minutes is long enough for this."""
    monkeypatch.setattr(past_moment.Window, "LOOK_BACK_SECONDS", 100)


def test_played_from_the_start_of_the_agent_every_moment_is_what_was_said_then(live: Live, tmp_path: Path) -> None:
    live.store(tmp_path / "state.db")
    found = moments(tmp_path / "state.db")
    assert found.keys() == live.snapshots.keys()
    assert len(found) == 107
    for at, snapshot in found.items():
        assert comparable(snapshot) == comparable(live.snapshots[at]), snapshot.node.at
    assert {snapshot.node.past.shorter for snapshot in found.values()} == {
        "the agent was started at 2026-11-26T14:51:49Z"
    }
    quota = [any(one.rule == QUOTA for one in snapshot.advice.findings) for snapshot in found.values()]
    assert 0 < sum(quota) < len(quota)


def test_what_slept_is_known_and_what_ran_is_what_it_was(live: Live, tmp_path: Path) -> None:
    live.store(tmp_path / "state.db")
    at, snapshot = list(moments(tmp_path / "state.db").items())[60]
    then = live.snapshots[at]
    assert sum(len(threads) for threads in then.threads.values()) > 5
    for pid, threads in then.threads.items():
        known = {one.tid: one for one in snapshot.threads[pid]}
        assert known.keys() >= {one.tid for one in threads}, pid
        for one in threads:
            assert known[one.tid].cores_used == pytest.approx(one.cores_used, abs=0.05), one
            assert known[one.tid].allowed == one.allowed
            if one.cores_used > 0.3:
                assert known[one.tid].cores_used == pytest.approx(one.cores_used, rel=0.02)


@pytest.mark.usefixtures("short_look")
def test_from_the_middle_of_a_run_the_numbers_are_those_of_then(live: Live, tmp_path: Path) -> None:
    live.store(tmp_path / "state.db", before_seconds=3600)
    since = sorted(live.snapshots)[75]
    found = moments(tmp_path / "state.db", since)
    assert list(found) == sorted(live.snapshots)[75:]
    for at, snapshot in found.items():
        then, past = live.snapshots[at], snapshot.node.past
        assert (past.shorter, past.seen_seconds >= 100) == (None, True)
        assert [one.name for one in snapshot.services] == [one.name for one in then.services]
        for now, before in zip(snapshot.services, then.services, strict=True):
            assert now.cores_used == pytest.approx(before.cores_used, rel=0.05, abs=0.02)
            assert now.waiting_cores == pytest.approx(before.waiting_cores, rel=0.05, abs=0.02)
            assert now.limits == before.limits or now.limits.cpu_quota_cores == before.limits.cpu_quota_cores
        assert snapshot.node.cores == then.node.cores
        assert [(one.id, one.first_seen) for one in snapshot.advice.findings if one.evidence] == [
            (one.id, one.first_seen) for one in then.advice.findings
        ]


@pytest.mark.usefixtures("short_look")
def test_a_finding_that_cannot_be_judged_again_is_told_by_its_history(live: Live, tmp_path: Path) -> None:
    """Its evidence is gone: the ticks before the last ten seconds were not kept."""
    db = tmp_path / "state.db"
    storing = Storing(db)
    storing.begin(live.run(3600))
    ticks = list(live.ticks())
    for tick in ticks[-10:]:
        storing.put(tick)
    storing.writer.write((), live.documents)
    storing.close()
    at, snapshot = max(moments(db).items())
    then = live.snapshots[at].advice.findings
    assert then
    events = [msgspec.json.decode(body) for (kind, _), body in live.documents.items() if kind == "finding_event"]
    titles = {event["finding"]: event["title"] for event in events if event["event"] == "opened"}
    told = {one.id: one for one in snapshot.advice.findings}
    assert told.keys() == {one.id for one in then}
    for before in then:
        one = told[before.id]
        assert (one.title, one.severity, one.state) == (titles[one.id], before.severity, before.state)
        assert (one.summary, one.evidence, one.gains, one.changes) == (SUMMARY, (), (), ())
        assert one.first_seen <= before.first_seen
    past = snapshot.node.past
    assert past.shorter == "nothing older is stored"
    assert any(f"what was measured of {len(then)} of its findings" in one for one in past.missing)


def test_a_day_border_changes_nothing(tmp_path: Path) -> None:
    """Ten seconds before midnight until half a minute after it, beside the same seconds at noon."""
    found = []
    for name, start in (("noon", 1_793_448_000), ("midnight", 1_793_491_190)):
        storing = Storing(tmp_path / name / "state.db") if (tmp_path / name).mkdir() is None else None
        assert storing is not None
        storing.begin(run_at(start * SECOND - SECOND // 2))
        for tick in crowd_ticks(40, lambda second, start=start: (start + second) * SECOND):
            storing.put(tick)
        storing.close()
        found.append([comparable(one) for one in moments(tmp_path / name / "state.db").values()])
    assert len(list((tmp_path / "midnight").glob("raw-*.db"))) == 2
    assert len(found[0]) == len(found[1]) == 20
    for noon, midnight in zip(*found, strict=True):
        assert [one["cores_used"] for one in noon["services"]] == [one["cores_used"] for one in midnight["services"]]
        assert [one["waiting_cores"] for one in noon["workers"]] == [
            one["waiting_cores"] for one in midnight["workers"]
        ]
        assert [one["threads"] for one in noon["workers"]] == [one["threads"] for one in midnight["workers"]]
        assert [one["rule"] for one in noon["advice"]["findings"]] == [
            one["rule"] for one in midnight["advice"]["findings"]
        ]


def test_after_a_restart_of_the_agent_a_moment_knows_no_more_than_the_agent_did(tmp_path: Path) -> None:
    db, start, crowd = tmp_path / "state.db", 1_793_448_000, Crowd(services=1, workers=2)
    storing = Storing(db)
    storing.begin(run_at(start * SECOND))
    for tick in crowd_ticks(60, lambda second: (start + second) * SECOND, crowd=crowd):
        storing.put(tick)
    storing.begin(run_at((start + 70) * SECOND, version="0.0.2"))
    for tick in crowd_ticks(10, lambda second: (start + 70 + second) * SECOND, mono_ns=70 * SECOND, crowd=crowd):
        storing.put(tick)
    storing.close()
    found = moments(db, (start + 58) * SECOND)
    assert [(at // SECOND - start) for at in found] == [59, 71, 73, 75, 77, 79]
    before, after = found[(start + 59) * SECOND], found[(start + 79) * SECOND]
    assert before.services[0].verdict != after.services[0].verdict
    assert after.services[0].verdict == "watching: 9 of 15 s of load seen"
    assert [one.self_status.version for one in (before, after)] == ["0.0.1", "0.0.2"]
    assert after.self_status.uptime_seconds == 9.0
    assert after.node.past.shorter == "the agent was started at 2026-10-31T12:01:10Z"


def test_a_tick_of_which_rows_are_gone_is_passed_over_and_told(tmp_path: Path) -> None:
    db, start = tmp_path / "state.db", 1_793_448_000
    storing = Storing(db)
    storing.begin(run_at(start * SECOND))
    for tick in crowd_ticks(60, lambda second: (start + second) * SECOND):
        storing.put(tick)
    storing.close()
    (shard,) = tmp_path.glob("raw-*.db")
    with sqlite3.connect(shard) as connection:
        connection.execute("DELETE FROM worker WHERE time BETWEEN ? AND ?", (43_210_000, 43_214_000))
    found = moments(db)
    assert [at // SECOND - start for at in found] == [*range(1, 10, 2), *range(15, 60, 2)]
    last = found[(start + 59) * SECOND].node.past
    assert "5 s of the time before it: they are not stored" in last.missing
    (tmp_path / "state.db").unlink()
    assert moments(db).keys() == found.keys()


def test_a_shard_that_is_broken_inside_spoils_no_other_day(tmp_path: Path) -> None:
    db, start, day = tmp_path / "state.db", 1_793_448_000, 86_400
    storing, crowd = Storing(db), Crowd(services=1, workers=2)
    storing.begin(run_at(start * SECOND))
    for first in (0, day):
        for tick in crowd_ticks(
            20, lambda second, first=first: (start + first + second) * SECOND, mono_ns=first * SECOND, crowd=crowd
        ):
            storing.put(tick)
    storing.close()
    with sqlite3.connect(min(tmp_path.glob("raw-*.db"))) as connection:
        connection.execute("DROP TABLE kept_change")
    assert len(moments(db, (start + day) * SECOND)) == 10
    with pytest.raises(sqlite3.OperationalError, match="no such table: kept_change"):
        moments(db)


def test_settings_are_those_of_then(tmp_path: Path) -> None:
    """A rule was switched off after half a minute, by a configuration that was re-read."""
    db, start = tmp_path / "state.db", 1_793_448_000
    rule = "cpu-noisy-neighbour"
    storing, crowd = Storing(db), Crowd(services=1, workers=2)
    storing.begin(run_at(start * SECOND))
    off = Config(rule={rule: RuleSettings(enabled=False)}, advice=AdviceSettings(hold_down_seconds=0))
    for first, config in ((0, Config(advice=AdviceSettings(hold_down_seconds=0))), (30, off)):
        for tick in crowd_ticks(
            30,
            lambda second, first=first: (start + first + second) * SECOND,
            mono_ns=first * SECOND,
            crowd=crowd,
            config=config,
        ):
            storing.put(tick)
    storing.close()
    spoke = {
        at // SECOND - start: rule in [one.rule for one in snapshot.advice.findings]
        for at, snapshot in moments(db).items()
    }
    assert [spoke[second] for second in (29, 59)] == [True, False]
