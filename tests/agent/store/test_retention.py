"""Does the store let go of what is too old or too much, and of nothing else?"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from msgspec.json import encode
from msgspec.structs import replace

from agent.store.documents import StoredEvent
from agent.store.files import set_aside, shard_path, shards, size_bytes
from agent.store.retention import Retention
from agent.store.writer import Writer
from bench.synthetic import SyntheticNode
from tests.agent.store.builders import DAY_SECONDS, NOON, FakeClock, core, reading
from tests.snapshots import example_findings

TODAY = NOON // DAY_SECONDS
NOON_TEXT = "2026-10-31T12:00:00Z"
EVENT = encode(
    StoredEvent(finding="ended", event="opened", rule="r", subject="s", services=(), severity="low", title="t")
)


def run_at(writer: Writer, clock: FakeClock, unix_seconds: float) -> None:
    clock.unix_seconds = unix_seconds
    assert writer.write([reading(unix_seconds, [core(round(unix_seconds))])], {})


def count(path: Path, query: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(query).fetchone()[0])


def test_shards_older_than_the_limit_are_unlinked(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(raw_days=2), clock, {}, 100)
    for day in range(5):
        run_at(writer, clock, NOON + day * DAY_SECONDS)
    assert list(shards(state)) == [TODAY + 2, TODAY + 3, TODAY + 4]
    writer.close()
    assert sorted(name for name in os.listdir(state.parent) if name.startswith("raw-")) == [
        "raw-20261102.db", "raw-20261103.db", "raw-20261104.db"
    ]  # fmt: skip


def test_minute_rows_older_than_the_limit_are_deleted(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(minute_days=1), clock, {}, 100)
    for minute in range(1440 + 5):
        run_at(writer, clock, NOON + 60 * minute)
    writer.close()
    assert count(state, "SELECT min(time) FROM minute") == NOON // 60 + 4


def test_what_became_of_findings_goes_with_the_minute_rows_of_its_time(state: Path, clock: FakeClock) -> None:
    """A finding that stands is kept, however old."""
    writer = Writer(state, Retention(minute_days=1), clock, {}, 100)
    ended, open_one = (
        replace(example_findings()[0], id="ended", state="resolved", last_seen=NOON_TEXT),
        example_findings()[1],
    )
    assert writer.write(
        (),
        {
            ("finding", "ended"): encode(ended),
            ("finding", open_one.id): encode(replace(open_one, last_seen=NOON_TEXT)),
            **{("finding_event", str((NOON + at) * 1_000_000_000)): EVENT for at in (0, 240, 600)},
        },
    )
    for minute in (0, 1440, 1440 + 5):
        run_at(writer, clock, NOON + 60 * minute)
    writer.close()
    assert count(state, "SELECT min(at_ns) FROM finding_event") == (NOON + 600) * 1_000_000_000
    assert count(state, "SELECT group_concat(id) = '" + open_one.id + "' FROM finding") == 1


def store_hours(writer: Writer, clock: FakeClock, hours: int) -> None:
    """A node's readings each ten seconds."""
    node = SyntheticNode()
    for second in range(0, hours * 3600, 10):
        clock.unix_seconds = NOON + second
        assert writer.write(node.tick(second, clock.now()), {})


def test_over_the_cap_the_oldest_shards_go_first(state: Path, clock: FakeClock) -> None:
    for day in (1, 2, 3):
        shard_path(state, TODAY - day).write_bytes(b"x" * 1_000_000)
    writer = Writer(state, Retention(cap_bytes=2_600_000), clock, {}, 100)
    run_at(writer, clock, NOON)
    assert list(shards(state)) == [TODAY - 2, TODAY - 1, TODAY]
    writer.close()


def test_a_day_that_exceeds_the_cap_keeps_its_last_hour(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(cap_bytes=1_500_000), clock, {}, 100)
    store_hours(writer, clock, 3)
    writer.close()
    assert size_bytes(state) < 2_500_000
    shard = shard_path(state, TODAY)
    assert count(shard, "SELECT max(time) - min(time) FROM core") >= 3_500_000
    assert count(shard, "SELECT min(time) FROM core") > 43_200_000 + 3_600_000
    assert count(shard, "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1
    assert count(state, "SELECT count(*) FROM minute") > 0


def test_minute_rows_go_when_nothing_else_is_left(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(cap_bytes=1), clock, {}, 100)
    store_hours(writer, clock, 2)
    writer.close()
    assert count(state, "SELECT min(time) FROM minute") >= NOON // 60 + 58


def test_files_set_aside_and_files_of_others_are_left_alone(state: Path, clock: FakeClock) -> None:
    for name in ("raw-notes.db", "raw-20269999.db", "raw-20200101.db.damaged-1", "other.db"):
        (state.parent / name).write_bytes(b"x")
    writer = Writer(state, Retention(raw_days=1, cap_bytes=1), clock, {}, 100)
    run_at(writer, clock, NOON)
    writer.close()
    assert all((state.parent / n).exists() for n in ("raw-notes.db", "raw-20269999.db", "raw-20200101.db.damaged-1"))


def test_a_second_damaged_file_gets_the_next_number(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / "state.db").write_bytes(b"x")
        (tmp_path / "state.db-wal").write_bytes(b"y")
        set_aside(tmp_path / "state.db")
    assert sorted(os.listdir(tmp_path)) == [
        "state.db.damaged-1", "state.db.damaged-1-wal", "state.db.damaged-2", "state.db.damaged-2-wal"
    ]  # fmt: skip


def test_a_shard_that_somebody_removed_is_made_again(state: Path, clock: FakeClock) -> None:
    writer = Writer(state, Retention(), clock, {}, 100)
    run_at(writer, clock, NOON)
    shard_path(state, TODAY).unlink()
    run_at(writer, clock, NOON + 60)
    run_at(writer, clock, NOON + 61)
    writer.close()
    assert count(shard_path(state, TODAY), "SELECT count(*) FROM core") == 1


def test_a_folder_that_is_missing_has_no_size(state: Path) -> None:
    assert size_bytes(state.parent / "none" / "state.db") == 0
