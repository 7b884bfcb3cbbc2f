"""How many requests could a server put together, how long would a batch wait to fill, and how does its time grow with it?"""

from collections.abc import Sequence
from math import floor, log2, sqrt

import msgspec

from advisor.facts import ServiceFacts
from advisor.finding import Change
from advisor.view import PageView, View
from collectors.levers import Lever
from collectors.places import shortest_time, time_as_set

SLACK = 0.1
"""Part of the time to the objective, or of the latency where there is none, for which a batch may wait to fill."""
LARGEST = 64
LEAST_PAGES = 4
LEAST_SPREAD = 1.5
"""Largest batch / smallest, of which a fit can tell what is paid once and what for each row."""
OFF_WITHOUT_DELAY = frozenset({"mlserver"})
"""Servers in which a delay of nothing turns batching off, whatever the size."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Largest batch, how long it may wait to fill, and how many requests it would hold as they come now."""

    size: int
    delay_seconds: float
    expected: float
    most: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """t(B) = once + each × B in seconds, with one standard error of each; B is rows an execution."""

    once: float
    each: float
    once_error: float
    each_error: float
    least: float
    most: float
    """The smallest and the largest B that were seen."""
    pages: int

    def once_share(self, batch: float) -> tuple[float, float, float]:
        """What is paid once, as a share of the time of a batch: by the errors at least, as fitted, at most."""
        return tuple(once / max(1e-12, once + each * batch) for once, each in self._corners())  # type: ignore[return-value]

    def faster(self, batch: float, times: float) -> tuple[float, float, float]:
        """Throughput after / before when `times` batches are put together: at least, as fitted, at most."""
        return tuple(
            times * (once + each * batch) / max(1e-12, once + each * batch * times) for once, each in self._corners()
        )  # type: ignore[return-value]

    def _corners(self) -> tuple[tuple[float, float], ...]:
        """Coefficients that favour batching least, as fitted, and most. Neither part of a time is below zero."""
        steps = (-1.0, 0.0, 1.0)
        return tuple(
            (max(0.0, self.once + k * self.once_error), max(0.0, self.each - k * self.each_error)) for k in steps
        )


def achieved(view: View, facts: ServiceFacts) -> float | None:
    """Mean batch; one by one where the settings turn batching off and the page counts none."""
    if view.batch_size:
        return view.batch_size
    size, delay = facts.setting(Lever.MAX_BATCH_SIZE), facts.setting(Lever.MAX_BATCH_DELAY)
    single = size is not None and isinstance(size.value, int) and size.value in (0, 1)
    never = view.service.framework in OFF_WITHOUT_DELAY and delay is not None and delay.value == 0
    return 1.0 if single or never else None


def plan_for(view: View, facts: ServiceFacts, each: float, waiting: float, instances: float) -> Plan | None:
    """A batch of at most `each` requests, the next lower power of two, of which `waiting` are there already for each of the
    instances; None where the objective leaves no time to wait: not one unit of the server's own."""
    if view.requests_per_second is None or view.latency_seconds is None:
        return None
    size = min(LARGEST, 2 ** max(1, floor(log2(max(1.0, each)))))
    now = view.latency_p99_seconds if view.latency_p99_seconds is not None else view.latency_seconds
    slack = view.latency_seconds if facts.slo_p99_seconds is None else facts.slo_p99_seconds - now
    shortest = shortest_time(Lever.MAX_BATCH_DELAY, view.service)
    delay = max(SLACK * slack, shortest)
    expected = min(float(size), 1 + view.requests_per_second / instances * delay + waiting)
    if shortest > slack:
        return None
    return Plan(size=size, delay_seconds=delay, expected=expected, most=float(size))


def batching_changes(view: View, facts: ServiceFacts, plan: Plan) -> tuple[Change, ...]:
    """The size where it is smaller now or not known, and the delay in the server's own unit. Nothing where batches of that
    size may wait as long already: something else keeps them small."""
    limit, setting = facts.setting(Lever.MAX_BATCH_SIZE), facts.setting(Lever.MAX_BATCH_DELAY)
    current = limit.value if limit is not None and isinstance(limit.value, int) else None
    wait = setting.value if setting else None
    proposed = time_as_set(Lever.MAX_BATCH_DELAY, plan.delay_seconds, view.service)
    delay = () if wait == proposed else (Change(lever=Lever.MAX_BATCH_DELAY, current=wait, proposed=proposed),)
    if current is None or current < plan.size:
        return (Change(lever=Lever.MAX_BATCH_SIZE, current=current, proposed=plan.size), *delay)
    return () if isinstance(wait, int | float) and wait >= proposed else delay


def fit_of(pages: Sequence[PageView]) -> Fit | None:
    """Least squares over the pages that tell both; None of fewer than LEAST_PAGES, or of batches that differ too little."""
    points = [(p.batch_size, p.work_seconds) for p in pages if p.batch_size and p.work_seconds]
    sizes = [b for b, _ in points]
    if len(points) < LEAST_PAGES or max(sizes) < LEAST_SPREAD * min(sizes):
        return None
    count, mean = len(points), sum(sizes) / len(points)
    spread = sum((b - mean) ** 2 for b in sizes)
    each = sum((b - mean) * t for b, t in points) / spread
    once = sum(t for _, t in points) / count - each * mean
    noise = sum((t - once - each * b) ** 2 for b, t in points) / (count - 2)
    return Fit(
        once=once,
        each=each,
        once_error=sqrt(noise * (1 / count + mean * mean / spread)),
        each_error=sqrt(noise / spread),
        least=min(sizes),
        most=max(sizes),
        pages=count,
    )
