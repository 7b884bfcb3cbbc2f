"""Are stored values read back in base units, at the wanted resolution, while the writer goes on?"""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.store.files import shard_path
from agent.store.reader import RAW_SPAN_SECONDS, StoreReader
from agent.store.retention import Retention
from agent.store.writer import Writer
from collectors.sources.memory import MemorySample
from collectors.sources.sockets import ListenSample
from tests.agent.store.builders import DAY_SECONDS, NOON, FakeClock, core, reading, thread
from tests.agent.store.conftest import OpenStore

approx = pytest.approx
MIDNIGHT = NOON + DAY_SECONDS // 2


@pytest.fixture
def reader(state: Path) -> StoreReader:
    return StoreReader(state)


def listen(queue: int | None) -> ListenSample:
    return ListenSample(entity="listen:8000", accept_queue=queue, established=4)


def test_a_store_that_is_not_there_holds_nothing(reader: StoreReader) -> None:
    assert (reader.kinds(), reader.entities("core"), reader.findings(), reader.acknowledgements()) == ((), (), (), {})
    with pytest.raises(LookupError, match=r"no numbers are stored of core\.user_ticks"):
        reader.series("core", "core:0", "user_ticks", NOON, NOON + 10, None)


def test_kinds_fields_and_entities_are_those_that_were_stored(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON, [core(1), core(1, cpu=10), core(1, cpu=2), thread(1, busy=True)])], {})
    assert reader.kinds() == ("core", "thread")
    assert reader.entities("core") == ("core:0", "core:10", "core:2")
    assert [spec.name for spec in reader.fields("core")][:2] == ["user_ticks", "system_ticks"]
    assert reader.fields("core")[0].scale == 0.01


def test_a_counter_is_read_as_a_rate_per_second(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON + second, [core(ticks)]) for second, ticks in enumerate((100, 195, 5, 55))], {})
    series = reader.series("core", "core:0", "user_ticks", NOON, NOON + 10, None)
    assert (series.unit, series.resolution) == ("seconds/s", "raw")
    assert series.points == [(NOON, None), (NOON + 1, approx(0.95)), (NOON + 2, None), (NOON + 3, approx(0.5))]


def test_several_entities_are_read_at_once_each_as_by_itself(writer: Writer, reader: StoreReader) -> None:
    for second, ticks in enumerate((100, 195, 5, 55, 80)):
        writer.write([reading(NOON + second, [core(ticks), core(2 * ticks, cpu=1), core(ticks, cpu=2)])], {})
    wanted = ("core:0", "core:1", "core:9")
    found = reader.several("core", wanted, "user_ticks", NOON, NOON + 6, 2)
    each = {one: reader.series("core", one, "user_ticks", NOON, NOON + 6, 2).points for one in wanted}
    assert found == {"core:0": each["core:0"], "core:1": each["core:1"]}
    assert [value for _, value in found["core:1"]] == [approx(1.9), approx(1.0), approx(0.5)]
    assert each["core:9"] == []
    with pytest.raises(LookupError):
        reader.several("core", wanted, "no_such", NOON, NOON + 6, 2)


def test_a_gauge_is_read_in_base_units_and_unreadable_is_none(writer: Writer, reader: StoreReader) -> None:
    memory = MemorySample(
        entity="node", total_kib=8, available_kib=None, free_kib=2, cached_kib=0, swap_total_kib=0, swap_free_kib=0
    )
    writer.write([reading(NOON, [memory])], {})
    assert reader.series("memory", "node", "total_kib", NOON, NOON + 1, None).points == [(NOON, 8192.0)]
    assert reader.series("memory", "node", "available_kib", NOON, NOON + 1, None).points == [(NOON, None)]
    assert reader.series("memory", "node", "total_kib", NOON, NOON + 1, None).unit == "bytes"


def test_a_step_gives_the_mean_over_it(writer: Writer, reader: StoreReader) -> None:
    ticks = (0, 100, 200, 210, 220, 230)
    writer.write([reading(NOON + second, [core(value), listen(second)]) for second, value in enumerate(ticks)], {})
    rates = reader.series("core", "core:0", "user_ticks", NOON, NOON + 6, 3).points
    assert rates == [(NOON, approx(1.0)), (NOON + 3, approx(0.1))]
    assert reader.series("listen", "listen:8000", "accept_queue", NOON, NOON + 6, 3).points == [
        (NOON, 1.0),
        (NOON + 3, 4.0),
    ]


def test_the_base_of_the_first_rate_lies_before_the_start(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON + second, [core(second * 50)]) for second in range(4)], {})
    points = reader.series("core", "core:0", "user_ticks", NOON + 2, NOON + 3, None).points
    assert points == [(NOON + 2, approx(0.5))]


def test_a_series_goes_on_over_midnight(state: Path, writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(MIDNIGHT + offset, [core(1000 + offset * 70)]) for offset in (-2, -1, 0, 1)], {})
    assert shard_path(state, MIDNIGHT // DAY_SECONDS).exists()
    points = reader.series("core", "core:0", "user_ticks", MIDNIGHT - 1, MIDNIGHT + 2, None).points
    assert points == [(MIDNIGHT + offset, approx(0.7)) for offset in (-1, 0, 1)]


def test_long_spans_and_long_steps_come_from_minute_rows(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON + second, [core(second * 30), listen(second % 2)]) for second in range(121)], {})
    long = reader.series("core", "core:0", "user_ticks", NOON, NOON + RAW_SPAN_SECONDS + 1, None)
    assert long.resolution == "minute"
    assert long.points == [(NOON, approx(0.3)), (NOON + 60, approx(0.3))]
    gauge = reader.series("listen", "listen:8000", "accept_queue", NOON, NOON + 120, 120)
    assert (gauge.resolution, gauge.points) == ("minute", [(NOON, approx(0.5))])


def test_where_raw_rows_are_gone_minute_rows_answer(state: Path, writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON + second, [core(second * 30)]) for second in range(61)], {})
    shard_path(state, NOON // DAY_SECONDS).unlink()
    series = reader.series("core", "core:0", "user_ticks", NOON, NOON + 60, 1)
    assert (series.resolution, series.points) == ("minute", [(NOON, approx(0.3))])


def test_one_damaged_shard_does_not_hide_the_other_days(state: Path, writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(MIDNIGHT + offset, [core(offset * 40 + 900)]) for offset in (1, 2)], {})
    shard_path(state, NOON // DAY_SECONDS).write_bytes(b"no database" * 1000)
    points = reader.series("core", "core:0", "user_ticks", MIDNIGHT - 60, MIDNIGHT + 3, None).points
    assert points == [(MIDNIGHT + 1, None), (MIDNIGHT + 2, approx(0.4))]


def test_what_has_no_minute_rows_is_read_raw_however_long(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON + second, [thread(second * 500_000_000, busy=True)]) for second in range(3)], {})
    series = reader.series("thread", "thread:812:40211:900", "run_ns", 0, NOON + DAY_SECONDS, 60)
    assert (series.resolution, series.points) == ("raw", [(NOON, approx(0.5))])


@pytest.mark.parametrize(
    ("kind", "field"), [("core", "nothing"), ("sqlite_master", "sql"), ("thread", "name"), ('core"; --', "x")]
)
def test_a_field_that_is_not_stored_or_no_number_is_an_error(
    kind: str, field: str, writer: Writer, reader: StoreReader
) -> None:
    writer.write([reading(NOON, [core(1), thread(1, busy=True)])], {})
    with pytest.raises(LookupError, match="no numbers are stored of"):
        reader.series(kind, "core:0", field, NOON, NOON + 1, None)


def test_an_entity_that_is_not_stored_has_no_points(writer: Writer, reader: StoreReader) -> None:
    writer.write([reading(NOON, [core(1)])], {})
    assert reader.series("core", "core:99", "user_ticks", NOON, NOON + 1, None).points == []


def test_percentiles_of_a_day_come_from_merged_minutes(state: Path, clock: FakeClock, reader: StoreReader) -> None:
    writer = Writer(state, Retention(), clock, {}, 100)
    for second in range(0, 7200, 2):
        writer.write([reading(NOON + second, [listen(second // 72)])], {})
    writer.close()
    shares = reader.quantiles("listen", "listen:8000", "accept_queue", NOON, NOON + 7200, (0.0, 0.5, 0.99))
    assert shares == (0.0, approx(49.5, rel=0.06), approx(98.5, rel=0.06))
    assert reader.quantiles("listen", "listen:8000", "accept_queue", 0, 60, (0.5,)) == (None,)


def test_closed_shards_of_another_user_can_be_read(state: Path, clock: FakeClock, reader: StoreReader) -> None:
    """A log's index cannot be made in such a folder. Root may write everywhere, so for root this shows little."""
    writer = Writer(state, Retention(), clock, {}, 100)
    writer.write([reading(NOON, [core(100)]), reading(NOON + 1, [core(150)])], {})
    writer.close()
    state.parent.chmod(0o500)
    try:
        assert reader.series("core", "core:0", "user_ticks", NOON, NOON + 2, None).points[1] == (NOON + 1, approx(0.5))
    finally:
        state.parent.chmod(0o700)


def test_readers_and_the_writer_do_not_hinder_each_other(
    state: Path, clock: FakeClock, reader: StoreReader, open_store: OpenStore
) -> None:
    store = open_store()
    seen: list[list[float]] = []
    stop = threading.Event()
    was_read = threading.Semaphore(0)

    def read() -> None:
        while not stop.is_set():
            if "core" in reader.kinds():
                points = reader.series("core", "core:0", "user_ticks", NOON, NOON + 1000, None).points
                seen.append([time for time, _ in points])
                was_read.release()

    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(read) for _ in range(2)]
        for second in range(200):
            store.put(reading(NOON + second, [core(second * 50)]))
            if second % 10 == 9:
                assert store.flush(20)
                assert was_read.acquire(timeout=20)
        stop.set()
        for its in reads:
            its.result()
    assert all(times == [NOON + second for second in range(len(times))] for times in seen)
    assert len({len(times) for times in seen}) > 1
    assert (store.problem, store.dropped) == (None, 0)
    assert len(reader.series("core", "core:0", "user_ticks", NOON, NOON + 1000, None).points) == 200
