"""Does watching stay within its budget? If not, the beat slows down before the budget is exceeded."""

SLOWEST_FACTOR = 8
SMOOTHING = 0.1
START_TICKS = 20
"""Finding out what runs costs more than watching it; the first ticks say nothing about the later ones."""


class Budget:
    """A running mean of the sampler's CPU per second against the configured share of one core."""

    def __init__(self, cpu_ratio: float) -> None:
        self._limit = cpu_ratio
        self._mean: float | None = None
        self._ticks = 0
        self.factor = 1

    def spent(self, cpu_ns: int, interval_seconds: float) -> None:
        """Account for one tick. Doubles the interval at 90 % of the budget, halves it below a third of that."""
        self._ticks += 1
        if self._ticks <= START_TICKS:
            return
        now = cpu_ns * 1e-9 / (interval_seconds * self.factor)
        self._mean = now if self._mean is None else self._mean + SMOOTHING * (now - self._mean)
        if self._mean > 0.9 * self._limit and self.factor < SLOWEST_FACTOR:
            self.factor *= 2
            self._mean /= 2
        elif self._mean < 0.3 * self._limit and self.factor > 1:
            self.factor //= 2
            self._mean *= 2

    def interval_seconds(self, wanted: float) -> float:
        return wanted * self.factor
