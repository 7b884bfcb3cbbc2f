"""Readings and clocks from which the store's tests are made."""

from collections.abc import Sequence
from dataclasses import dataclass

from collectors.reading import Instant, Ok, Reading
from collectors.sample import Sample
from collectors.sources.cpu import CoreSample
from collectors.sources.threads import ThreadSample

SECOND_NS = 1_000_000_000
DAY_SECONDS = 86400
NOON = 1_793_448_000
"""2026-10-31 12:00:00 UTC."""


@dataclass
class FakeClock:
    """Stands still until it is moved. Unix time, seconds."""

    unix_seconds: float = NOON

    def now(self) -> Instant:
        ns = round(self.unix_seconds * 1000) * 1_000_000
        return Instant(ns, ns)


def reading(at_unix_seconds: float, samples: Sequence[Sample], collector: str = "cpu") -> Reading:
    """Both clocks of it show Unix time."""
    ns = round(at_unix_seconds * 1000) * 1_000_000
    outcome = Ok(samples)
    return Reading(
        collector=collector, at=Instant(ns, ns), duration_ns=90_000, cpu_ns=80_000, late_ns=7_000, outcome=outcome
    )


def core(user_ticks: int | None, cpu: int = 0, idle_ticks: int = 0) -> CoreSample:
    return CoreSample(
        entity=f"core:{cpu}", user_ticks=user_ticks, system_ticks=0, iowait_ticks=0, irq_ticks=0, steal_ticks=0,
        idle_ticks=idle_ticks,
    )  # fmt: skip


def thread(run_ns: int, *, busy: bool, name: str = "python3", tid: int = 900) -> ThreadSample:
    return ThreadSample(
        entity=f"thread:812:40211:{tid}", worker="worker:812:40211", name=name, thread_class="python", state="R",
        run_ns=run_ns, delay_ns=0, timeslices=1, last_cpu=3, allowed_cpus="0-3", busy=int(busy),
    )  # fmt: skip
