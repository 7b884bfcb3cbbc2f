"""Slices become minutes and minutes hours; what an earlier run has kept is put in front."""

import pytest

from advisor.trend import FIELDS, Stretches, Trend, Values

HOUR = 500_000 * 3600.0


def stretch(**known: float) -> Values:
    """What is not named is not known."""
    assert set(known) <= set(FIELDS)
    return tuple(known.get(name) for name in FIELDS)


def played(trend: Trend, start: float, seconds: int, **known: float) -> list[float]:
    """Slices of five seconds from `start` on; the ends of the minutes that ended."""
    return [
        trend.minutes.ends[-1]
        for end in range(5, seconds + 1, 5)
        if trend.add(start + end, stretch(seconds=5.0, **known))
    ]


def test_twelve_slices_are_a_minute_and_sixty_minutes_an_hour():
    trend = Trend()
    ended = played(trend, HOUR, 1800, demand=0.5, demand_peak=1.0, workers=2)
    played(trend, HOUR + 1800, 1805, demand=1.5, demand_peak=1.9, workers=4)
    assert ended[:2] == [HOUR + 55, HOUR + 115]
    assert len(trend.minutes) == 60
    assert len(trend.hourly) == 0, "its last minute has not ended"
    played(trend, HOUR + 3605, 120, demand=1.5)
    (hour,) = trend.hourly.rows()
    assert hour["end"] == HOUR + 3595
    assert hour["seconds"] == 3595
    assert hour["demand"] == pytest.approx(1.0, abs=0.01)
    assert hour["demand_peak"] == pytest.approx(1.9)
    assert hour["workers"] == 4
    assert hour["requests_per_second"] is None


def test_what_an_earlier_run_has_kept_comes_in_front_under_another_generation():
    trend = Trend()
    played(trend, HOUR + 1800, 200, demand=1.0, generation=0)
    kept = [(HOUR + 60 * n - 5, stretch(demand=0.2, generation=float(n > 10))) for n in range(1, 30)]
    hours = [(HOUR - 5, stretch(demand=0.3, generation=0.0))]
    trend.restore(kept, hours)
    assert len(trend.minutes) == 29 + 3
    assert trend.minutes.values("generation") == [-2.0] * 10 + [-1.0] * 19 + [0.0] * 3
    assert trend.hourly.values("demand") == [pytest.approx(0.3)]
    played(trend, HOUR + 2000, 1700, demand=1.0)
    assert [int(end // 3600) for end in trend.hourly.ends] == [HOUR // 3600 - 1, HOUR // 3600]
    assert trend.hourly.values("demand")[-1] == pytest.approx((29 * 0.2 + 30 * 1.0) / 59, abs=0.02)


def test_an_hour_that_a_restart_interrupted_is_ended_when_it_is_restored():
    trend = Trend()
    played(trend, HOUR, 200, demand=1.0)
    trend.restore([(HOUR - 3605 + 60 * n, stretch(demand=0.5)) for n in range(1, 20)], [])
    assert trend.hourly.values("demand") == [0.5]
    trend.restore([], [])
    assert len(trend.hourly) == 1


def test_rows_that_are_known_already_are_not_taken_in_twice():
    trend = Trend()
    played(trend, HOUR, 200, demand=1.0)
    before = list(trend.minutes.ends)
    trend.restore([(end, stretch(demand=9.0)) for end in before], [])
    assert list(trend.minutes.ends) == before
    assert set(trend.minutes.values("demand")) == {1.0}


def test_a_clock_that_jumps_over_decades_makes_no_hours_between():
    trend = Trend()
    played(trend, 3600.0, 200, demand=1.0)
    played(trend, HOUR, 200, demand=1.0)
    assert list(trend.hourly.ends) == [3600.0 + 200]


def test_what_is_worked_out_of_each_stretch_stays_with_it():
    """Also where old ones are dropped, and where those of an earlier run come in front."""
    kept, asked = Stretches(10), []

    def twice(demand: float | None) -> float | None:
        asked.append(demand)
        return None if demand is None else 2 * demand

    def told(since: float = 0.0) -> list[float | None]:
        return kept.each("twice", ("demand",), twice, since)

    for end in range(1, 14):
        kept.append(float(end), stretch(**({} if end == 5 else {"demand": float(end)})))
        assert told() == [None if e == 5 else 2 * e for e in kept.ends]
    assert asked == [1, 2, 3, 4, None, 6, 7, 8, 9, 10, 11, 12, 13]
    assert told(since=12.0) == [24, 26]
    young = Stretches(10)
    young.append(2.0, stretch(demand=2.0))
    assert young.each("twice", ("demand",), twice) == [4]
    young.before([(1.0, stretch(demand=1.0))])
    assert young.each("twice", ("demand",), twice) == [2, 4]
