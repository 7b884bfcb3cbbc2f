"""What services did in the last days, from before a restart: rules on capacity and cost want hours and days."""

import sqlite3
from collections.abc import Callable

from advisor.trend import HOURS_KEPT, MINUTES_KEPT, Rows, Trend
from agent.store.reader import StoreReader
from agent.store.trends import HOUR_SECONDS, MINUTE_SECONDS, TrendRow
from collectors.entities import Service


class TrendLog:
    """Hands on each minute and each hour of a service as it ends. Called in the sampler thread; `keep` must not block."""

    def __init__(self, keep: Callable[[TrendRow], None]) -> None:
        self._keep = keep
        self._kept_hours: dict[str, float] = {}
        """By service, the end of the newest hour that was handed on."""

    def minute_ended(self, service: Service, trend: Trend) -> None:
        self._put(service, MINUTE_SECONDS, *trend.minutes.newest())
        if len(trend.hourly) and trend.hourly.ends[-1] > self._kept_hours.get(service.id, 0.0):
            self._put(service, HOUR_SECONDS, *trend.hourly.newest())
            self._kept_hours[service.id] = trend.hourly.ends[-1]

    def _put(self, service: Service, seconds: int, end: float, values: list[float | None]) -> None:
        self._keep(TrendRow(service.id, seconds, end, tuple(values)))


def last_days(reader: StoreReader, service_id: str, now_unix: float) -> tuple[Rows, Rows]:
    """Minutes of the last day and hours of the last eight, oldest first; none where the store cannot be read."""
    try:
        minutes = reader.trend(service_id, MINUTE_SECONDS, now_unix - MINUTES_KEPT * MINUTE_SECONDS)
        return minutes, reader.trend(service_id, HOUR_SECONDS, now_unix - HOURS_KEPT * HOUR_SECONDS)
    except sqlite3.Error:
        return (), ()
