"""Do minute rows hold the growth of counters and the shape of gauges, whatever happens to the entities?"""

from agent.store.histogram import decode, quantile
from agent.store.minutes import MinuteAggregator, MinuteRow
from collectors.sources.sockets import ListenSample
from tests.agent.store.builders import NOON, core, reading, thread


def rows_of(aggregator: MinuteAggregator, field: str = "user_ticks", entity: str = "core:0") -> list[MinuteRow]:
    return [row for row in aggregator.finish() if (row.field, row.entity) == (field, entity)]


def test_a_counter_is_summed_and_its_rates_are_spread() -> None:
    minute = MinuteAggregator()
    for second, ticks in enumerate((1000, 1040, 1140)):
        minute.add(reading(NOON + second, [core(ticks)]))
    (row,) = rows_of(minute)
    assert (row.total, row.count, row.span_ms) == (140, 2, 2000)
    assert (row.minimum, row.maximum) == (40_000, 100_000)
    assert row.histogram is not None
    assert sum(decode(row.histogram).values()) == 2


def test_a_counter_that_was_reset_counts_from_zero() -> None:
    minute = MinuteAggregator()
    for second, ticks in enumerate((1000, 1040, 30, 50)):
        minute.add(reading(NOON + second, [core(ticks)]))
    assert rows_of(minute)[0].total == 40 + 30 + 20


def test_growth_across_the_minutes_border_counts_in_the_later_one() -> None:
    minute = MinuteAggregator()
    minute.add(reading(NOON + 59, [core(1000)]))
    ended = minute.add(reading(NOON + 60, [core(1090)]))
    assert [row.field for row in ended] == []
    (row,) = rows_of(minute)
    assert (row.minute, row.total, row.span_ms) == (NOON // 60 + 1, 90, 1000)


def test_an_entity_that_vanished_keeps_its_growth() -> None:
    minute = MinuteAggregator()
    minute.add(reading(NOON, [core(100), core(500, cpu=1)]))
    minute.add(reading(NOON + 1, [core(150), core(570, cpu=1)]))
    minute.add(reading(NOON + 2, [core(200)]))
    by_entity = {row.entity: row.total for row in minute.finish() if row.field == "user_ticks"}
    assert by_entity == {"core:0": 100, "core:1": 70}


def test_unreadable_values_are_left_out_and_not_zero() -> None:
    minute = MinuteAggregator()
    for second, ticks in enumerate((100, None, 180)):
        minute.add(reading(NOON + second, [core(ticks)]))
    (row,) = rows_of(minute)
    assert (row.total, row.count, row.span_ms, row.maximum) == (80, 1, 2000, 40_000)


def test_a_field_that_was_never_readable_has_no_row() -> None:
    minute = MinuteAggregator()
    for second in range(3):
        minute.add(reading(NOON + second, [core(None)]))
    assert rows_of(minute) == []


def test_a_gauge_has_mean_extremes_and_percentiles() -> None:
    minute = MinuteAggregator()
    for second in range(60):
        minute.add(reading(NOON + second, [ListenSample(entity="listen:80", accept_queue=second, established=7)]))
    rows = {row.field: row for row in minute.finish()}
    queue = rows["accept_queue"]
    assert (queue.total, queue.count, queue.minimum, queue.maximum, queue.span_ms) == (1770, 60, 0, 59, None)
    median = quantile(decode(queue.histogram or b""), 0.5)
    assert median is not None
    assert 27.5 < median < 30.5
    assert (rows["established"].total, rows["established"].histogram) == (420, None)


def test_single_threads_are_not_aggregated() -> None:
    minute = MinuteAggregator()
    minute.add(reading(NOON, [thread(5, busy=True)]))
    assert minute.finish() == []


def test_a_reading_that_is_late_by_less_than_a_minute_counts_in_the_open_one() -> None:
    minute = MinuteAggregator()
    minute.add(reading(NOON + 60, [core(10)]))
    assert minute.add(reading(NOON + 59.9, [core(5, cpu=1)])) == []
    assert {row.minute for row in minute.finish()} == set()
    minute.add(reading(NOON + 61, [core(30), core(9, cpu=1)]))
    assert {row.minute for row in minute.finish()} == {NOON // 60 + 1}


def test_a_counter_not_seen_for_ten_minutes_starts_anew() -> None:
    minute = MinuteAggregator()
    minute.add(reading(NOON, [core(100)]))
    minute.add(reading(NOON + 300, [core(1, cpu=1)]))
    minute.add(reading(NOON + 700, [core(2, cpu=1)]))
    minute.add(reading(NOON + 760, [core(900)]))
    assert rows_of(minute) == []
