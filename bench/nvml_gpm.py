"""What does GPM (NVML's counters of SMs, memory and links, Hopper and later) say between two moments?"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from bench.nvml_values import Calls, Json, plain

EACH = (1, 2, 3, 4, 5, 7, 10, 11, 12, 13, 20, 21, 30, 40, 50, 60, 61)
"""Metrics of every tick; the numbers are nvml.h's."""
SHORT = (1, 2, 5, 10, 21)
WINDOWS_MS = (10, 50, 90, 110, 250)

Metrics = list[dict[str, Json]]
"""Values by number, then numbers by error; those that the driver has no name for are `UNNAMED`."""


class Gpm:
    """Samples of one card. Not for several threads."""

    def __init__(self, calls: Calls, handle: Any) -> None:
        self._calls = calls
        self._nvml = calls.nvml
        self._handle = handle
        self._last: Any = None

    def since_last(self) -> Metrics | None:
        """Over the time since the call before; None at the first."""
        last, self._last = self._last, self._sample()
        if last is None:
            return None
        metrics = self._between(last, self._last, EACH)
        self._nvml.nvmlGpmSampleFree(last)
        return metrics

    def over(self, seconds: float, numbers: Sequence[int]) -> Metrics:
        """Over the next `seconds`."""
        first = self._sample()
        time.sleep(seconds)
        second = self._sample()
        try:
            return self._between(first, second, numbers)
        finally:
            self._nvml.nvmlGpmSampleFree(first)
            self._nvml.nvmlGpmSampleFree(second)

    def windows(self) -> dict[str, Json]:
        """Over windows that may be too short for the driver's own readings; or the error."""
        found: dict[str, Json] = {}
        for window in WINDOWS_MS:
            answer, error = self._calls.make(f"GpmWindow.{window}ms", partial(self.over, window / 1e3, SHORT))
            found[str(window)] = answer if error is None else error
        return found

    def _sample(self) -> Any:
        sample = self._nvml.nvmlGpmSampleAlloc()
        with self._calls.timed("GpmSampleGet"):
            self._nvml.nvmlGpmSampleGet(self._handle, sample)
        return sample

    def _between(self, first: Any, second: Any, numbers: Sequence[int]) -> Metrics:
        asked = self._nvml.c_nvmlGpmMetricsGet_t()
        asked.version = self._nvml.NVML_GPM_METRICS_GET_VERSION
        asked.numMetrics, asked.sample1, asked.sample2 = len(numbers), first, second
        for place, number in enumerate(numbers):
            asked.metrics[place].metricId = number
        with self._calls.timed("GpmMetricsGet"):
            self._nvml.nvmlGpmMetricsGet(asked)
        answers: dict[str, Json] = {}
        errors: dict[str, list[int]] = {}
        for metric in asked.metrics[: len(numbers)]:
            if metric.nvmlReturn:
                errors.setdefault(self._calls.error_name(metric.nvmlReturn), []).append(metric.metricId)
            elif metric.metricInfo.shortName is None:
                errors.setdefault("UNNAMED", []).append(metric.metricId)
            else:
                answers[str(metric.metricId)] = plain(round(metric.value, 3))
        return [answers, {error: spans(those) for error, those in errors.items()}]


def spans(numbers: Sequence[int]) -> str:
    """`1-3 7` for 1, 2, 3, 7."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return " ".join(f"{first}-{last}" if first != last else str(first) for first, last in found)
