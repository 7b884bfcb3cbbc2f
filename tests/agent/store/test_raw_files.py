"""Can a person open the files with plain SQLite and understand them?"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from agent.store.columns import known_kinds, table_name
from agent.store.files import open_writable
from agent.store.raw import RawFile, open_shard
from agent.store.reader import StoreReader
from agent.store.recording import RecordingMeta, record
from agent.store.replay import Replay
from agent.store.writer import Writer
from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample, Tier, fields_of, metric
from collectors.sources.serving import ServingSample
from tests.agent.store.builders import DAY_SECONDS, NOON, core, reading, thread

SHARD = "raw-20261031.db"


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def store(writer: Writer, *samples_by_second: Sequence[Sample]) -> None:
    assert writer.write([reading(NOON + second, samples) for second, samples in enumerate(samples_by_second)], {})


def test_each_day_has_its_own_shard(writer: Writer, tmp_path: Path) -> None:
    assert writer.write([reading(NOON + DAY_SECONDS / 2 + offset, [core(5)]) for offset in (-1, 0, 1)], {})
    assert ask(tmp_path / SHARD, "SELECT count(*) FROM core") == [(1,)]
    assert ask(tmp_path / "raw-20261101.db", "SELECT time FROM core ORDER BY time") == [(0,), (1000,)]


def test_a_row_holds_the_values_as_read_by_milliseconds_of_the_day(writer: Writer, tmp_path: Path) -> None:
    store(writer, [core(4711, cpu=3, idle_ticks=9)])
    rows = ask(
        tmp_path / SHARD,
        "SELECT c.time, e.kind, e.key, user_ticks, idle_ticks FROM core c JOIN entity e ON e.id = c.entity",
    )
    assert rows == [(43_200_000, "core", "core:3", 4711, 9)]


def test_tables_have_no_rowid_and_explain_their_columns(writer: Writer, tmp_path: Path) -> None:
    store(writer, [core(1)], [thread(1, busy=True)])
    for kind in ("core", "thread"):
        ((sql,),) = ask(tmp_path / SHARD, f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{kind}'")
        assert sql.endswith("WITHOUT ROWID")
        assert "PRIMARY KEY (time, entity)" in sql
    assert '"run_ns" INTEGER, -- seconds, x 1e-09, counter' in sql
    assert '"name" TEXT, -- text' in sql


def test_every_declared_kind_can_be_stored(tmp_path: Path) -> None:
    shard = open_shard(tmp_path / SHARD, NOON, {})
    kinds = known_kinds()
    for kind in kinds.values():
        values = {spec.name: "x" if spec.text else 1 for spec in fields_of(kind)}
        at = Instant(0, NOON * 10**9)
        sample = kind(entity="e", **values)
        assert shard.insert(
            [Reading(collector="c", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok([sample]))]
        ) == (0 if kind.tier == "memory" else 1)
    shard.connection.close()
    for name, kind in kinds.items():
        if kind.tier != "memory":
            assert len(ask(tmp_path / SHARD, f"SELECT * FROM {name}_rates")) == 1


def test_the_field_table_documents_each_column(writer: Writer, tmp_path: Path) -> None:
    store(writer, [core(1)])
    rows = ask(tmp_path / SHARD, "SELECT unit, scale, counter, text, help FROM field WHERE name = 'steal_ticks'")
    assert rows == [("seconds", 0.01, 1, 0, "Taken by the hypervisor for others.")]


def test_the_view_gives_counters_per_second_in_base_units(writer: Writer, tmp_path: Path) -> None:
    readings = [reading(NOON, [core(1000)]), reading(NOON + 1, [core(1095)]), reading(NOON + 3, [core(1115)])]
    assert writer.write(readings, {})
    rows = ask(tmp_path / SHARD, "SELECT unix_seconds, entity, user_seconds_per_second FROM core_rates ORDER BY 1")
    assert rows == [
        (NOON, "core:0", None),
        (NOON + 1, "core:0", pytest.approx(0.95)),
        (NOON + 3, "core:0", pytest.approx(0.1)),
    ]


def test_a_reset_counter_is_null_in_the_view_and_other_entities_do_not_mix(writer: Writer, tmp_path: Path) -> None:
    store(writer, [core(100), core(7000, cpu=1)], [core(5), core(7100, cpu=1)], [core(15), core(7150, cpu=1)])
    query = "SELECT user_seconds_per_second FROM core_rates WHERE entity = '{}' ORDER BY unix_seconds"
    assert ask(tmp_path / SHARD, query.format("core:0")) == [(None,), (None,), (pytest.approx(0.1),)]
    assert ask(tmp_path / SHARD, query.format("core:1")) == [(None,), (pytest.approx(1.0),), (pytest.approx(0.5),)]


def test_threads_are_stored_while_they_are_notable(writer: Writer, tmp_path: Path) -> None:
    store(writer, [thread(1, busy=False), thread(2, busy=True, tid=901)])
    rows = ask(tmp_path / SHARD, "SELECT e.key, run_ns FROM thread t JOIN entity e ON e.id = t.entity")
    assert rows == [("thread:812:40211:901", 2)]


class MemoryOnlySample(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "memory_only"
    doc: ClassVar[str] = "Never stored."
    tier: ClassVar[Tier] = "memory"
    depth: Annotated[int, metric("items", "Depth.")]


def test_what_is_meant_for_memory_alone_is_not_stored(writer: Writer, tmp_path: Path) -> None:
    store(writer, [core(1), MemoryOnlySample(entity="x", depth=1)])
    assert ask(tmp_path / SHARD, "SELECT name FROM kind") == [("core",)]


def test_a_name_that_is_not_utf8_and_a_number_beyond_64_bits_do_no_harm(writer: Writer, tmp_path: Path) -> None:
    store(writer, [thread(2**64 - 5, busy=True, name="caf\udce9"), thread(7, busy=True, tid=901)])
    assert ask(tmp_path / SHARD, "SELECT name, run_ns FROM thread ORDER BY entity") == [
        ("caf\\xe9", None),
        ("python3", 7),
    ]


def test_an_entity_that_is_not_utf8_keeps_one_number(writer: Writer, tmp_path: Path) -> None:
    bad = core(1).__class__(**{**dict.fromkeys(core(1).__struct_fields__, 1), "entity": "core:\udcff"})
    store(writer, [bad], [bad])
    assert ask(tmp_path / SHARD, "SELECT key, count(*) FROM core JOIN entity ON id = entity") == [("core:\\xff", 2)]


class NarrowSample(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "probe"
    doc: ClassVar[str] = "As an older version declared it."
    depth: Annotated[int, metric("items", "Depth.")]


class WideSample(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "probe"
    doc: ClassVar[str] = "As the next version declares it."
    width: Annotated[int, metric("items", "Width.")]
    depth: Annotated[int, metric("items", "Depth.")]


def test_an_upgrade_in_the_middle_of_a_day_adds_its_columns(tmp_path: Path) -> None:
    for offset, sample in enumerate((NarrowSample(entity="p", depth=3), WideSample(entity="p", width=8, depth=4))):
        shard = open_shard(tmp_path / SHARD, NOON, {})
        shard.insert([reading(NOON + offset, [sample])])
        shard.connection.close()
    assert ask(tmp_path / SHARD, "SELECT width, depth FROM probe_rates") == [(None, 3), (8, 4)]


class OldServingSample(Sample, frozen=True, kw_only=True, gc=False):
    """The columns of version 0.1.0."""

    kind: ClassVar[str] = "serving"
    doc: ClassVar[str] = "As version 0.1.0 declared it."
    requests: Annotated[int | None, metric("requests", "Answered.", counter=True)]
    errors: Annotated[int | None, metric("requests", "Failed.", counter=True)]
    latency_sum_us: Annotated[int | None, metric("seconds", "Time.", counter=True, scale=1e-6)]
    latency_count: Annotated[int | None, metric("requests", "Counted.", counter=True)]
    queue_sum: Annotated[int | None, metric("requests", "Lengths.", counter=True)]
    queue_count: Annotated[int | None, metric("observations", "Looks.", counter=True)]
    batch_sum: Annotated[int | None, metric("requests", "Sizes.", counter=True)]
    batch_count: Annotated[int | None, metric("batches", "Batches.", counter=True)]
    in_flight: Annotated[int | None, metric("requests", "Now.")]


OLD_SERVING = OldServingSample(
    entity="service:a", requests=50, errors=1, latency_sum_us=2_000_000, latency_count=51, queue_sum=7, queue_count=3,
    batch_sum=9, batch_count=4, in_flight=2,
)  # fmt: skip


def new_serving(**values: int) -> ServingSample:
    fields = dict.fromkeys(ServingSample.__struct_fields__[1:], None)
    return ServingSample(entity="service:a", **fields | values)


def test_a_shard_with_the_old_columns_of_servers_is_opened_written_and_read(tmp_path: Path) -> None:
    newer = new_serving(requests=150, latency_sum_us=4_000_000, latency_p99_us=90_000, queue=5, in_flight=1)
    for offset, sample in ((0, OLD_SERVING), (10, newer)):
        shard = open_shard(tmp_path / SHARD, NOON, {})
        assert shard.insert([reading(NOON + offset, [sample], "serving")]) == 1
        shard.connection.close()
    assert ask(tmp_path / SHARD, "SELECT requests, queue_sum, queue, latency_p99_us FROM serving ORDER BY time") == [
        (50, 7, None, None),
        (150, None, 5, 90_000),
    ]
    query = "SELECT requests_per_second, latency_p99_seconds, queue FROM serving_rates ORDER BY unix_seconds"
    assert ask(tmp_path / SHARD, query) == [(None, None, None), (10.0, pytest.approx(0.09), 5)]
    store_reader = StoreReader(tmp_path / SHARD)
    series = store_reader.series("serving", "service:a", "in_flight", NOON - 1, NOON + 20, 1.0)
    assert [value for _, value in series.points if value is not None] == [2, 1]


def test_a_recording_with_the_old_columns_of_servers_is_replayed(tmp_path: Path) -> None:
    output = tmp_path / "old.db"
    record(
        output, [reading(NOON, [OLD_SERVING], "serving")], RecordingMeta(node="n", version="0.1.0", start=NOON * 10**9)
    )
    with Replay(output) as replay:
        (again,) = replay.readings()
    assert list(again.samples) == [
        new_serving(requests=50, errors=1, latency_sum_us=2_000_000, latency_count=51, in_flight=2)
    ]


class TakenSample(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "minute"
    doc: ClassVar[str] = "Named as a table of ours."
    depth: Annotated[int, metric("items", "Depth.")]


def test_a_kind_may_not_be_named_as_a_table_of_the_store() -> None:
    with pytest.raises(ValueError, match="'minute' cannot name a table"):
        table_name(TakenSample)


def test_the_files_are_migrated_by_sqlite_utils_in_wal_mode_with_incremental_vacuum(
    writer: Writer, tmp_path: Path
) -> None:
    store(writer, [core(1)])
    for path, name in ((tmp_path / SHARD, "shard"), (tmp_path / "state.db", "state")):
        assert ask(path, "SELECT DISTINCT migration_set FROM _sqlite_migrations") == [(name,)]
        assert ask(path, "PRAGMA journal_mode") == [("wal",)]
        assert ask(path, "PRAGMA auto_vacuum") == [(2,)]


def test_a_label_names_an_entity_for_people(tmp_path: Path) -> None:
    labels = {"core:0": "first core"}
    shard = open_shard(tmp_path / SHARD, NOON, labels)
    shard.insert([reading(NOON, [core(1), core(1, cpu=1)])])
    shard.connection.close()
    assert ask(tmp_path / SHARD, "SELECT entity, label FROM core_rates") == [("core:0", "first core"), ("core:1", None)]


def test_a_thread_that_begins_to_run_is_stored_as_it_was_before(writer: Writer, tmp_path: Path) -> None:
    """Its counters grew from there."""
    runs = [(1, False), (2, False), (900, True), (1900, True), (1901, False), (1902, False), (2900, True)]
    readings = [
        reading(NOON + second, [thread(run, busy=busy), thread(7, busy=False, tid=901)], "threads")
        for second, (run, busy) in enumerate(runs)
    ]
    for one in readings:
        assert writer.write([one], {})
    rows = ask(tmp_path / SHARD, "SELECT time / 1000 - 43200, run_ns, busy FROM thread ORDER BY time")
    assert rows == [(1, 2, 0), (2, 900, 1), (3, 1900, 1), (5, 1902, 0), (6, 2900, 1)]


def test_a_shard_of_a_version_that_kept_no_ticks_is_gone_on_with(tmp_path: Path) -> None:
    with closing(open_writable(tmp_path / SHARD, 2048)) as connection:
        RawFile(connection, NOON - NOON % DAY_SECONDS, {}, everything=True).insert([reading(NOON, [core(4)])])
    shard = open_shard(tmp_path / SHARD, NOON - NOON % DAY_SECONDS, {})
    shard.insert([reading(NOON + 1, [core(5)])])
    shard.connection.close()
    assert ask(tmp_path / SHARD, "SELECT user_ticks FROM core ORDER BY time") == [(4,), (5,)]
    assert ask(tmp_path / SHARD, "SELECT count(*) FROM kept_tick") == [(0,)]
