"""At which rate does a service stop keeping up? Which rate is worth offering next?

Pure: it is told what each rate gave. Rates double until one is not kept up with; then the rate that was answered there is
tried, and what is left between the last good and the first bad one is halved.
"""

from dataclasses import dataclass

from agent.loadtest.step import Step

GROWTH = 2.0
CLOSE_RATIO = 1.1
"""The search ends once the lowest bad rate is within this of the highest good one."""
NARROW_RATIO = 0.8
"""A step that answered at least this share may have met a moment's trouble of the node: it is offered once more."""
TOLD_RATIO = 0.9
"""Less of the rate than this was answered: then what was answered is near the capacity."""
MOST_DOWN = 4


@dataclass(slots=True)
class KneeSearch:
    """`most` bounds the rates. `good`: highest kept up with; `bad`: lowest not kept up with; None = none so far."""

    rate: float
    most: float
    good: float | None = None
    bad: float | None = None
    saturated: float | None = None
    """Lowest rate at which it is the generator that could not."""
    _answered: float = 0.0
    _repeating: tuple[float | None, float | None] | None = None
    """While a rate is offered once more: what `bad` and `saturated` are without it."""
    _down: int = 0
    _guessed: bool = False

    def __post_init__(self) -> None:
        self.rate = min(self.rate, self.most)

    def take(self, step: Step) -> None:
        """Take in what the present `rate` gave, and choose the next one."""
        before, self._repeating = self._repeating, None
        if step.kept_up:
            if before is not None:
                self.bad, self.saturated = before
            self.good = max(self.good or 0.0, self.rate)
        else:
            without = (self.bad, self.saturated)
            self._take_bad(step)
            narrow = step.verdict == "generator saturated" or (
                step.answered_per_second >= NARROW_RATIO * step.offered_per_second
            )
            if narrow and before is None:
                self._repeating = without
                return
        self.rate = self._next()

    def _take_bad(self, step: Step) -> None:
        if step.verdict == "generator saturated":
            self.saturated = min(self.saturated or self.rate, self.rate)
            return
        if self.saturated == self.rate:
            self.saturated = None  # now it is known to be the service
        if self.bad is None or self.rate <= self.bad:
            self._answered, self._guessed = step.answered_per_second, False
        self.bad = min(self.bad or self.rate, self.rate)

    @property
    def top(self) -> float | None:
        """The lowest rate that was not, or could not be, kept up with."""
        return min((rate for rate in (self.bad, self.saturated) if rate is not None), default=None)

    @property
    def done(self) -> bool:
        """Whether no further rate would tell more."""
        if self._repeating is not None:
            return False
        if self.good is None:
            return self._down > MOST_DOWN
        return self.good >= self.most or (self.top is not None and self.top <= self.good * CLOSE_RATIO)

    def _next(self) -> float:
        if self.top is None:
            return min(self.most, (self.good or self.rate) * GROWTH)
        if self.good is None:
            self._down += 1
            return self._guess(0.0, self.top) or self.top / GROWTH**2
        return self._guess(self.good, self.top) or (self.good * self.top) ** 0.5

    def _guess(self, good: float, top: float) -> float | None:
        """A rate from what was answered at the lowest bad one: a bit below it, and once that is good, a bit above."""
        if top != self.bad or self._guessed or not 0 < self._answered < top * TOLD_RATIO:
            return None
        below = self._answered * 0.97
        if good * 1.02 < below < top * 0.98:
            return below
        self._guessed = True
        above = good * (CLOSE_RATIO - 0.01)
        return above if good and above < top else None
