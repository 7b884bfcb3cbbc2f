"""Of which moments does the store say that it has them?"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.store.retention import Retention
from agent.store.stored_moments import StoredMoments, within
from agent.store.stored_ticks import NotKept, StoredTicks
from collectors.reading import Instant
from tests.agent.past.stores import SECOND, Storing, crowd_ticks, run_at

NOON = 1_793_448_000
"""2026-10-31 12:00:00 UTC."""
MIDNIGHT = NOON + 43_200


def write(db: Path, *runs: tuple[int, Iterable[int]], retention: Retention | None = None) -> Storing:
    """Runs of the agent: when each began, and the second of each of its ticks (Unix time); every second one is judged."""
    storing = Storing(db, retention)
    mono_ns = 0
    for began, seconds in runs:
        storing.begin(run_at(began * SECOND))
        times = list(seconds)
        for tick in crowd_ticks(len(times), lambda number, times=times: times[number] * SECOND, mono_ns=mono_ns):
            storing.put(tick)
        mono_ns += (len(times) + 100) * SECOND
    return storing


def spans(moments: StoredMoments) -> list[tuple[int, int]]:
    return [(one.first_wall_ns // SECOND - NOON, one.last_wall_ns // SECOND - NOON) for one in moments.stretches()]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_what_follows_without_a_gap_is_one_stretch_and_grows(db: Path) -> None:
    storing, moments = write(db, (NOON, range(NOON, NOON + 30))), StoredMoments(db)
    assert spans(moments) == [(0, 29)]
    assert moments.counts() == (30, 15)
    for tick in crowd_ticks(5, lambda second: (NOON + 30 + second) * SECOND, mono_ns=30 * SECOND):
        storing.put(tick)
    assert spans(moments) == [(0, 34)]
    assert moments.counts() == (35, 17)
    storing.close()
    assert spans(moments) == [(0, 34)]


def test_a_restart_begins_another(db: Path) -> None:
    write(db, (NOON, range(NOON, NOON + 10)), (NOON + 40, range(NOON + 40, NOON + 50))).close()
    moments = StoredMoments(db)
    assert spans(moments) == [(0, 9), (40, 49)]
    assert [int(at) - NOON for at in moments.times(NOON + 7, NOON + 44, 99)] == [7, 9, 41, 43]
    assert [int(at) - NOON for at in moments.times(0, NOON + 40.9, 1)] == [9]


def test_where_the_clock_was_set_back_what_came_later_counts(db: Path) -> None:
    """At 20 s it shows 5 s again: what was seen from 5 s on is of a time that comes anew."""
    write(db, (NOON, [*range(NOON, NOON + 20), *range(NOON + 5, NOON + 15)])).close()
    moments = StoredMoments(db)
    assert spans(moments) == [(0, 4), (5, 14)]
    assert [int(at) - NOON for at in moments.times(0, 9e9, 99)] == [1, 3, 6, 8, 10, 12, 14]
    later = moments.stretches()[1]
    first, last = within(later, 0, 2**62) or (0, 0)
    with StoredTicks(db, later.started_ns) as stored:
        ticks = list(stored.ticks(first - 10 * SECOND, last))
    assert [tick.at.wall_ns // SECOND - NOON for tick in ticks] == [*range(10, 20), *range(5, 15)]
    assert all(tick.whole for tick in ticks)


def test_a_clock_that_jumps_on_leaves_a_gap(db: Path) -> None:
    write(db, (NOON, [*range(NOON, NOON + 5), *range(NOON + 3600, NOON + 3605)])).close()
    assert spans(StoredMoments(db)) == [(0, 4), (3600, 3604)]


def test_two_days_are_two_stretches_that_follow_each_other(db: Path) -> None:
    write(db, (MIDNIGHT - 5, range(MIDNIGHT - 5, MIDNIGHT + 5))).close()
    moments = StoredMoments(db)
    assert spans(moments) == [(43_195, 43_199), (43_200, 43_204)]
    assert moments.times(0, 9e9, 3) == [MIDNIGHT, MIDNIGHT + 2, MIDNIGHT + 4]


def test_what_is_let_go_of_is_gone_from_it(db: Path) -> None:
    storing, moments = write(db, (NOON, range(NOON, NOON + 30))), StoredMoments(db)
    assert spans(moments) == [(0, 29)]
    files = storing.writer._files
    assert files.on_shard(NOON // 86400, lambda shard: int(shard.forget_before(NOON + 10)), atomic=False)
    assert spans(moments) == [(10, 29)]
    assert moments.counts() == (20, 10)
    files.unlink_shard(NOON // 86400)
    assert spans(moments) == []
    storing.close()


def test_a_shard_that_is_unlinked_while_it_is_read_is_read_to_its_end(db: Path) -> None:
    storing, began = write(db, (NOON, range(NOON, NOON + 30))), NOON * SECOND
    with StoredTicks(db, began) as stored:
        ticks = stored.ticks(0, 29 * SECOND)
        first = next(ticks)
        storing.writer._files.unlink_shard(NOON // 86400)
        rest = list(ticks)
    assert first.at == Instant(0, NOON * SECOND)
    assert len(rest) == 29
    assert all(tick.whole for tick in rest)
    storing.close()
    with pytest.raises(NotKept, match="nothing is stored any more"):
        StoredTicks(db, began)


def test_shards_without_ticks_and_damaged_ones_hold_no_moments_and_are_named_once(
    db: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(db, (NOON, range(NOON, NOON + 4))).close()
    (db.parent / "raw-20261101.db").write_bytes(b"no database")
    with sqlite3.connect(db.parent / "raw-20261102.db") as connection:
        connection.execute("CREATE TABLE core (time INTEGER)")
    moments = StoredMoments(db)
    assert spans(moments) == spans(moments) == [(0, 3)]
    damaged = f"{db.parent / 'raw-20261101.db'} is left out of the past that can be shown: file is not a database"
    assert caplog.messages == [damaged]
    assert StoredMoments(db.parent / "elsewhere" / "state.db").stretches() == []


def test_a_tick_whose_readings_were_dropped_is_none(db: Path) -> None:
    storing = Storing(db)
    storing.begin(run_at(NOON * SECOND))
    for tick in crowd_ticks(6, lambda second: (NOON + second) * SECOND):
        storing.clock.instant = tick.at
        dropped = tick.at.mono_ns == 3 * SECOND
        assert storing.writer.write(tick.readings[1:] if dropped else tick.readings, {}, (), [tick])
    storing.close()
    assert StoredMoments(db).counts() == (5, 2)
