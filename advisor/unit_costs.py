"""What did a thousand requests, or a million tokens, cost in the last day, and in the week before?

What they cost is price × share / rate, and the rate is busy workers × what a busy worker answers: so its growth, in
logarithms, is that of the price, plus that of the share of the node that is counted, less that of the load (busy workers),
less that of the throughput (answers of a busy worker).
"""

from collections.abc import Sequence
from math import log

import msgspec

from advisor.costs import share_of
from advisor.trend import Stretches
from advisor.view import quantile

DAY_SECONDS = 86400.0
WEEK_SECONDS = 7 * DAY_SECONDS
_FIELDS = ("cores_used", "others_cores", "price_per_hour", "demand", "generation", "requests_per_second",
           "tokens_out_per_second")  # fmt: skip


class Hour(msgspec.Struct, frozen=True):
    """`rate`: requests or tokens per second."""

    price: float
    share: float
    busy: float
    rate: float
    generation: float | None

    @property
    def unit_cost(self) -> float:
        """Of one request or token."""
        return self.price * self.share / (3600 * self.rate)


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """Means over hours in which it worked. `median`: of their costs of one request or token."""

    hours: int
    median: float
    price: float
    share: float
    busy: float
    rate: float
    throughputs: tuple[float, float, float]
    """Answers per second and busy worker: lower quartile, median, upper quartile."""
    generation: float | None

    @property
    def cost(self) -> float:
        return self.price * self.share / (3600 * self.rate)


class Growth(msgspec.Struct, frozen=True):
    """Logarithms by which each part makes a unit dearer; together they are that of the cost."""

    price: float
    share: float
    load: float
    throughput: float


def by_tokens(hourly: Stretches) -> bool:
    """Whether the server counts the tokens that it gives out: then answers of any length compare."""
    return any(tokens for tokens in hourly.values("tokens_out_per_second"))


def periods(hourly: Stretches, present_price: float, tokens: bool) -> tuple[Period, Period] | None:
    """The last day, and the week before. `present_price`: of hours for which none was kept. None where one is empty."""
    if not len(hourly):
        return None
    today = hourly.ends[-1] - DAY_SECONDS
    rows = list(zip(hourly.ends, hourly.table(*_FIELDS), strict=True))
    now = _period([row for end, row in rows if end > today], present_price, tokens)
    before = _period([row for end, row in rows if today - WEEK_SECONDS < end <= today], present_price, tokens)
    return None if now is None or before is None else (now, before)


def growth(before: Period, now: Period) -> Growth:
    return Growth(
        price=log(now.price / before.price) if now.price > 0 and before.price > 0 else 0.0,
        share=log(now.share / before.share),
        load=-log(now.busy / before.busy),
        throughput=-log(now.rate / now.busy / (before.rate / before.busy)),
    )


def _period(rows: Sequence[tuple[float | None, ...]], present_price: float, tokens: bool) -> Period | None:
    hours = [hour for row in rows if (hour := _hour(row, present_price, tokens)) is not None]
    if not hours:
        return None
    price = _mean([hour.price for hour in hours])
    paid = _mean([hour.price * hour.share for hour in hours])
    answers = [hour.rate / hour.busy for hour in hours]
    low, middle, high = (quantile(answers, q) or 0.0 for q in (0.25, 0.5, 0.75))
    return Period(
        hours=len(hours),
        median=quantile([hour.unit_cost for hour in hours], 0.5) or 0.0,
        price=price,
        share=paid / price if price > 0 else _mean([hour.share for hour in hours]),
        busy=_mean([hour.busy for hour in hours]),
        rate=_mean([hour.rate for hour in hours]),
        throughputs=(low, middle, high),
        generation=hours[-1].generation,
    )


def _hour(row: tuple[float | None, ...], present_price: float, tokens: bool) -> Hour | None:
    used, others, price, busy, generation, requests, tokens_out = row
    rate, share = (tokens_out if tokens else requests), share_of(used, others)
    if not rate or not busy or share is None:
        return None
    return Hour(present_price if price is None else price, share, busy, rate, generation)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
