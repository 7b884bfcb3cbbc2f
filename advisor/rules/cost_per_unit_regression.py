"""Does a request, or a token, cost more than in the week before, and why?"""

from math import exp

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Evidence, Gain, Rejected
from advisor.intervals import gain
from advisor.prices import NodePrice
from advisor.rate import shown
from advisor.rule import Rule, Settings, Threshold, Verdict, evidence, subject_of
from advisor.unit_costs import Growth, Period, by_tokens, growth, periods
from advisor.view import View

REASONS = {
    "load": "less is asked of it",
    "throughput": "a busy worker answers less",
    "share": "more of the node is counted for it, as others use less",
    "price": "the node costs more",
}


class CostPerUnitRegression(Rule):
    """A thousand requests, or a million tokens, cost clearly more than in the week before.

    What it looks for: the median hourly cost of a unit in the last day, 15 % or more above that of the seven days before, for
    reasons other than the price alone. Its growth is split into logarithms: load (busy workers), throughput (answers of a
    busy worker), the share of the node that is counted for it (its part of the cores used), and the price.
    Why it matters: a node costs as much when it answers less; nobody sees it without counting.
    What to do: after a drop of throughput, find what changed (a model, a version, the input): the other findings of this
    service say what holds it back. After a drop of load, fewer or smaller nodes, or another service on this one.
    When it is wrong: for a quiet weekend, and where the mix of requests changed, unless the server counts tokens, which
    compare. The share is of cores: of what GPUs do it says nothing. Without a price in the configuration it is silent.
    """

    proven = ("built",)
    of_trend = True
    needs_load = False
    minimum_samples = 0
    thresholds = {
        "cost_growth": Threshold(enter=1.15, leave=1.1, unit="ratio", doc="cost of a unit / that of the week before"),
        "hours": Threshold(enter=18.0, unit="hours", doc="of the last day in which it worked, at least"),
        "hours_before": Threshold(enter=24.0, unit="hours", doc="of the week before in which it worked, at least"),
    }

    def judge(self, view: View, facts: ServiceFacts, settings: Settings) -> Verdict:
        price, hourly = facts.price, view.trend.hourly
        if price is None or price.hourly <= 0:
            return None
        tokens = hourly.once("by tokens", lambda: by_tokens(hourly))
        found = hourly.once(("unit costs", price.hourly, tokens), lambda: periods(hourly, price.hourly, tokens))
        if found is None:
            return None
        now, before = found
        if now.hours < settings.limit("hours") or before.hours < settings.limit("hours_before"):
            return None
        if before.median <= 0:
            return None  # it was free
        parts, least = growth(before, now), settings.limit("cost_growth")
        grown = min(now.median / before.median, now.cost / before.cost)
        if grown < least or grown / exp(parts.price) < least:
            return None
        unit, of = (1e6, "a million tokens") if tokens else (1e3, "a thousand requests")
        causes = {name: getattr(parts, name) for name in REASONS}
        largest = max(causes, key=lambda name: causes[name])
        return Conclusion(
            subject=subject_of(view),
            title=f"{of} cost {grown - 1:.0%} more than in the week before, mostly as {REASONS[largest]}",
            summary=f"{of[0].upper()}{of[1:]} cost {_money(unit * now.median, price)} in the last day and "
            f"{_money(unit * before.median, price)} in the seven days before. {_split(parts)} {_hint(largest, now, before)}",
            confidence=round(0.8 * min(1.0, before.hours / 96 + 0.5), 3),
            evidence=(
                _over(view, now, "unit_cost_growth", "ratio", grown, settings.enter("cost_growth")),
                _over(view, now, "unit_cost_now", f"{price.currency}/{of[2:]}", unit * now.median),
                _over(view, before, "unit_cost_before", f"{price.currency}/{of[2:]}", unit * before.median),
                *(_over(view, now, f"{name}_factor", "ratio", exp(value)) for name, value in causes.items()),
                _over(view, now, "hours_now", "hours", now.hours, settings.enter("hours")),
                _over(view, before, "hours_before", "hours", before.hours, settings.enter("hours_before")),
            ),
            rejected=(
                Rejected("an edit of the price", f"the price makes a factor of {exp(parts.price):.2f} of it"),
                Rejected(
                    "longer answers", "tokens are counted" if tokens else "not known: its server counts no tokens"
                ),
            ),
            gains=_gains(now, before) if largest == "throughput" else (),
        )


def _split(parts: Growth) -> str:
    told = (
        ("load", parts.load),
        ("throughput", parts.throughput),
        ("share of the node", parts.share),
        ("price", parts.price),
    )
    return "Factors: " + ", ".join(f"{name} {exp(value):.2f}" for name, value in told) + "."


def _hint(largest: str, now: Period, before: Period) -> str:
    changed = " Its configuration was changed in between." if now.generation != before.generation else ""
    if largest == "throughput":
        return (
            f"A busy worker answered {shown(now.throughputs[1])}/s, before {shown(before.throughputs[1])}/s.{changed}"
        )
    if largest == "load":
        return f"It had {now.busy:.2f} busy workers on average, before {before.busy:.2f}.{changed}"
    if largest == "share":
        return f"It used {now.share:.0%} of the cores used on the node, before {before.share:.0%}.{changed}"
    return changed.strip()


def _gains(now: Period, before: Period) -> tuple[Gain, ...]:
    """The cost if a busy worker answered again what it did in half of the hours before, or in a quarter of them."""
    low, middle, high = before.throughputs
    present = now.throughputs[1]
    found = sorted(min(1.0, present / rate) for rate in (low, middle, high) if rate > 0)
    return (gain("cost_ratio", *found),) if len(found) == 3 else ()


def _money(amount: float, price: NodePrice) -> str:
    return f"{amount:.3g} {price.currency}"


def _over(view: View, period: Period, metric: str, unit: str, value: float, limit: float | None = None) -> Evidence:
    digits = msgspec.structs.replace(evidence(view, metric, unit, value, limit), observed=float(f"{value:.4g}"))
    return msgspec.structs.replace(digits, window_seconds=period.hours * 3600.0, samples=period.hours)
