"""A device's day and week from minutes as they come, and from those before a restart."""

import pytest

from advisor.gpu.day import Day, DayMinute
from collectors.gpu.samples import GpuSample, nothing_known


def reading(busy: float | None) -> GpuSample:
    told = nothing_known(GpuSample, "gpu:GPU-1", busy_ppm=None if busy is None else round(busy * 1e6))
    assert isinstance(told, GpuSample)
    return told


def watched(minutes: list[float | None], day: Day | None = None, first: int = 0) -> Day:
    """A reading a minute, and one more that ends the last of them."""
    day = day or Day()
    for number, busy in enumerate([*minutes, 0.0]):
        day.add(reading(busy), 60.0 * (first + number))
    return day


def test_the_95_percent_point_of_the_week_is_of_its_minutes():
    """Of hours' 95 % points it would be 0.5: in one hour of two, five minutes are busy."""
    day = watched([*[0.02] * 55, *[0.5] * 5, *[0.04] * 60])
    assert (day.hours, day.week_hours) == (2.0, 2.0)
    assert (day.told.busy_p95, day.told.busiest) == (0.04, 0.5)
    assert (day.told.week_busy_p95, day.told.week_busiest) == (pytest.approx(0.04), 0.5)
    assert day.told.busy_mean == pytest.approx((55 * 0.02 + 5 * 0.5 + 60 * 0.04) / 120)


def test_a_nightly_job_of_an_hour_is_below_the_95_percent_point_and_is_the_busiest():
    day = watched(([0.02] * 1380 + [0.9] * 60) * 7)
    assert day.told.week_busy_p95 == pytest.approx(0.02)
    assert day.told.week_busiest == pytest.approx(0.9)
    day = watched(([0.02] * 1360 + [0.9] * 80) * 7)
    assert day.told.week_busy_p95 == pytest.approx(0.9), "80 of 1440 are more than 5 %"


def test_a_busy_day_is_remembered_for_a_week_and_then_forgotten():
    day = watched([*[0.6] * 1440, *[0.02] * 1440])
    assert day.told.busy_p95 == 0.02
    assert (day.told.week_busy_p95, day.told.busiest, day.told.week_busiest) == pytest.approx((0.6, 0.02, 0.6))
    assert (day.hours, day.week_hours) == (24.0, 48.0)
    watched([0.02] * 1440 * 6, day, first=2881)
    assert (day.told.week_busy_p95, day.told.week_busiest, day.week_hours) == pytest.approx((0.02, 0.02, 168.0))
    assert len(day.week) < 169 * 60


def test_before_a_whole_hour_its_minutes_count():
    day = watched([0.25] * 30)
    assert (day.week_hours, day.told.week_busy_p95, day.told.week_busiest) == (0.5, 0.25, 0.25)


def test_a_device_that_does_not_tell_has_hours_and_no_numbers():
    day = watched([None] * 120)
    assert (day.week_hours, day.told.week_busy_p95, day.told.week_busiest) == (2.0, None, None)


def test_a_week_before_a_restart_comes_back_and_no_more():
    day = watched([0.03] * 90)
    day.before([DayMinute(0.9, None)] * 60 * 24 + [DayMinute(0.3, None)] * 60 * 24 * 7)
    assert (day.hours, day.week_hours) == (24.0, 168.0)
    assert len(day.week) == 168 * 60
    assert day.told.week_busiest == pytest.approx(0.3)
    day = watched([0.03] * 30)
    day.before([DayMinute(0.3, 0.1)] * 150)
    assert (day.hours, day.week_hours) == (3.0, 3.0)
    watched([0.03] * 30, day, first=31)
    assert list(day.week[-30:]) == pytest.approx([0.03] * 30)
    assert day.told.week_busiest == pytest.approx(0.3)
