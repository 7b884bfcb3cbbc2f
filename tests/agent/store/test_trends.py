"""Minutes and hours of services outlive a restart, for as long as they are worth."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from advisor.trend import FIELDS, Trend
from agent.store.reader import StoreReader
from agent.store.retention import Retention
from agent.store.trends import HOUR_SECONDS, MINUTE_SECONDS, TrendRow
from agent.store.writer import MOST_TRENDS, Writer
from agent.trend_history import TrendLog, last_days
from tests.advisor.built import healthy
from tests.agent.store.builders import DAY_SECONDS, NOON, FakeClock
from tests.agent.store.conftest import OpenStore

SERVICE = healthy().service


def row(ended: float, demand: float, *, seconds: int = MINUTE_SECONDS, service: str = SERVICE.id) -> TrendRow:
    known = {"seconds": 60.0, "demand": demand, "workers": 2.0}
    return TrendRow(service, seconds, ended, tuple(known.get(name) for name in FIELDS))


def stored(writer: Writer, *rows: TrendRow) -> bool:
    writer.add_trends(rows)
    return writer.write((), {})


def demands(state: Path, seconds: int, since: float, service: str = SERVICE.id) -> list[tuple[float, float | None]]:
    position = FIELDS.index("demand")
    return [(end, values[position]) for end, values in StoreReader(state).trend(service, seconds, since)]


def test_what_a_service_did_comes_back_after_a_restart(state: Path, open_store: OpenStore) -> None:
    store, trend, wanted = open_store(), Trend(), []
    log = TrendLog(store.put_trend)
    for end in range(NOON - 3600, NOON + 120, 5):
        values = {"seconds": 5.0, "demand": 1 / 3, "requests_per_second": 12345.678, "generation": 2.0}
        if trend.add(float(end), tuple(values.get(name) for name in FIELDS)):
            log.minute_ended(SERVICE, trend)
            wanted.append(trend.minutes.newest())
    assert store.close(10)
    minutes, hours = last_days(StoreReader(state), SERVICE.id, NOON + 200.0)
    assert [end for end, _ in minutes] == [end for end, _ in wanted]
    assert minutes[-1][1] == pytest.approx(wanted[-1][1], rel=1e-5, nan_ok=True)
    assert [end for end, _ in hours] == [NOON - 5]
    again = Trend()
    again.restore(minutes, hours)
    assert (len(again.minutes), len(again.hourly)) == (61, 1)
    assert set(again.minutes.values("generation")) == {-1.0}


def test_each_service_has_its_own_and_nothing_is_there_without_a_store(writer: Writer, state: Path) -> None:
    assert last_days(StoreReader(state), SERVICE.id, NOON) == ([], [])
    assert stored(writer, row(NOON, 0.5), row(NOON, 0.7, service="other"), row(NOON + 60, 0.6))
    assert demands(state, MINUTE_SECONDS, NOON) == [(NOON, 0.5), (NOON + 60, 0.6)]
    assert demands(state, MINUTE_SECONDS, NOON, "other") == [(NOON, 0.7)]
    assert demands(state, MINUTE_SECONDS, NOON + 1) == [(NOON + 60, 0.6)]


def test_a_minute_that_is_kept_twice_counts_once(writer: Writer, state: Path) -> None:
    assert stored(writer, row(NOON, 0.5))
    assert stored(writer, row(NOON + 0.7, 0.9))
    assert demands(state, MINUTE_SECONDS, 0) == [(NOON, 0.9)]


def test_minutes_are_kept_for_two_days_and_hours_as_long_as_minute_rows(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(minute_days=30), clock, {}, 100)
    ages = [0, DAY_SECONDS, 3 * DAY_SECONDS, 29 * DAY_SECONDS, 31 * DAY_SECONDS]
    rows = [row(NOON - age, age, seconds=seconds) for age in ages for seconds in (MINUTE_SECONDS, HOUR_SECONDS)]
    assert stored(writer, *rows)
    clock.unix_seconds += 60
    assert writer.write((), {})
    assert [NOON - end for end, _ in demands(state, MINUTE_SECONDS, 0)] == [DAY_SECONDS, 0]
    assert [NOON - end for end, _ in demands(state, HOUR_SECONDS, 0)] == [
        29 * DAY_SECONDS,
        3 * DAY_SECONDS,
        DAY_SECONDS,
        0,
    ]
    writer.close()


def test_rows_with_the_fields_of_another_version_give_what_is_known_of_them(writer: Writer, state: Path) -> None:
    assert stored(writer, row(NOON, 0.5))
    with closing(sqlite3.connect(state)) as connection:
        connection.execute('INSERT INTO trend_fields VALUES (7, \'["gone", "workers", "demand"]\')')
        connection.execute("INSERT INTO trend VALUES (60, ?, ?, 7, '[9, 3, null]')", (NOON + 60, SERVICE.id))
        connection.execute("INSERT INTO trend VALUES (60, ?, ?, 7, '[broken')", (NOON + 120, SERVICE.id))
        connection.execute("INSERT INTO trend VALUES (60, ?, ?, 7, '[1, 2]')", (NOON + 180, SERVICE.id))
        connection.commit()
    (_, first), (_, other) = StoreReader(state).trend(SERVICE.id, MINUTE_SECONDS, 0)
    assert dict(zip(FIELDS, first, strict=True))["demand"] == 0.5
    assert {name: value for name, value in zip(FIELDS, other, strict=True) if value is not None} == {"workers": 3.0}


def test_while_the_disk_takes_nothing_the_newest_wait(state: Path, clock: FakeClock) -> None:
    state.mkdir()  # no file can be made there
    writer = Writer(state, Retention(), clock, {}, 100)
    rows = [row(NOON + 60 * n, n) for n in range(MOST_TRENDS + 10)]
    assert not stored(writer, *rows)
    state.rmdir()
    clock.unix_seconds += 31
    assert writer.write((), {})
    kept = demands(state, MINUTE_SECONDS, 0)
    assert (len(kept), kept[0][1]) == (MOST_TRENDS, 10)
    writer.close()
