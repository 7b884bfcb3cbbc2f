"""What may profiling cost? Accounts of CPU and stopped time, per worker over a minute and per node over ten."""

import random
from collections import deque
from math import exp

from collectors.entities import WorkerKey

WORKER_SPAN_SECONDS = 60.0
NODE_SPAN_SECONDS = 600.0
USUAL_BURST_SECONDS = 4.0
FIRST_COST_SECONDS = 0.02
"""What a probe is taken to cost before the first one was measured."""
PROBE_PART = 0.6
"""Of the node's budget for the continuous probe; the rest is for renewing what rules rest on."""
SMOOTHING = 0.2
BURST_CORE_RATIO = 0.12
"""CPU of a burst per second, before one was measured."""
BOUGHT = 10.0
"""What suspicions may buy on a node beside its steady state, in multiples of that: at 0.5 % of a core, 30 s of CPU time in
ten minutes. Many services that are suspected together wait for each other."""


class ProfilingBudget:
    """Remembers what each look cost: all of a profiler's CPU time counts as stolen from the worker, as it does where no
    core is idle. Times are monotonic seconds."""

    def __init__(self, node_ratio: float, worker_ratio: float) -> None:
        self._node_ratio = node_ratio
        self._worker_ratio = worker_ratio
        self._spent: deque[tuple[float, WorkerKey, float, bool]] = deque()
        self._bought: deque[tuple[float, float]] = deque()
        self._probe_cost = FIRST_COST_SECONDS
        self._probe_at = 0.0
        self._burst_core_ratio = BURST_CORE_RATIO
        self._burst_at = 0.0
        self.cpu_seconds = 0.0
        self.stopped_seconds = 0.0

    def spend(
        self, now: float, key: WorkerKey, *, cpu: float, stopped: float, seconds: float, asked: bool, probe: bool,
        bought: bool = False,
    ) -> None:  # fmt: skip
        """Account for one profile. `asked`: a suspicion or a person paid for it, not the steady state; `bought`: a
        suspicion."""
        self.cpu_seconds += cpu
        self.stopped_seconds += stopped
        self._spent.append((now, key, cpu + stopped, asked))
        while self._spent and self._spent[0][0] < now - NODE_SPAN_SECONDS:
            self._spent.popleft()
        if bought:
            self._bought.append((now, cpu + stopped))
        while self._bought and self._bought[0][0] < now - NODE_SPAN_SECONDS:
            self._bought.popleft()
        if probe:
            known = self._probe_cost_now(now)
            self._probe_cost = known + SMOOTHING * (cpu + stopped - known)
            self._probe_at = now
        elif seconds > 0 and not stopped:
            known = self._core_ratio(now)
            self._burst_core_ratio = known + SMOOTHING * (cpu / seconds - known)
            self._burst_at = now

    def worker_ratio(self, now: float, key: WorkerKey) -> float:
        """Share of a core that was taken from this worker over the last minute."""
        recent = (cost for at, who, cost, _ in self._spent if who == key and at >= now - WORKER_SPAN_SECONDS)
        return sum(recent) / WORKER_SPAN_SECONDS

    def node_ratio(self, now: float) -> float:
        """Share of one core that the steady state used over the last ten minutes: what nobody asked for."""
        recent = (cost for at, _, cost, asked in self._spent if not asked and at >= now - NODE_SPAN_SECONDS)
        return sum(recent) / NODE_SPAN_SECONDS

    def burst_seconds(self, now: float, key: WorkerKey, wanted: float) -> float:
        """How long a burst of this worker may be now; 0 where a useful one does not fit."""
        left = (self._worker_ratio - self.worker_ratio(now, key)) * WORKER_SPAN_SECONDS
        affordable = left / max(0.01, self._core_ratio(now))
        if affordable >= wanted:
            return wanted
        whole = float(int(max(0.0, affordable)))  # a recorder knows whole seconds only
        return whole if whole >= wanted / 2 else 0.0

    def may_buy(self, now: float) -> bool:
        """Whether a suspicion may have a burst."""
        recent = (cost for at, cost in self._bought if at >= now - NODE_SPAN_SECONDS)
        return sum(recent) / NODE_SPAN_SECONDS < BOUGHT * self._node_ratio

    def may_renew(self, now: float) -> bool:
        """Whether the steady state has room for a burst that nobody asked for."""
        coming = 2 * self._core_ratio(now) * USUAL_BURST_SECONDS / NODE_SPAN_SECONDS
        return self.node_ratio(now) + coming <= self._node_ratio

    def _core_ratio(self, now: float) -> float:
        """What a burst is likely to cost per second. An old measurement fades: no costly one ends all bursts for good."""
        faded = exp(-max(0.0, now - self._burst_at) / NODE_SPAN_SECONDS)
        return BURST_CORE_RATIO + faded * (self._burst_core_ratio - BURST_CORE_RATIO)

    def probe_seconds_apart(self) -> float:
        """The gap between two probes that holds the node's budget."""
        return max(1.0, self._probe_cost / (PROBE_PART * self._node_ratio))

    def jittered_gap(self) -> float:
        """As `probe_seconds_apart`, varied by half, so that no beat of the service's is followed."""
        return self.probe_seconds_apart() * random.uniform(0.5, 1.5)  # noqa: S311

    def may_probe(self, now: float, key: WorkerKey) -> bool:
        """A probe leaves half of the worker's minute for a suspicion."""
        cost = self._probe_cost_now(now)
        return self.worker_ratio(now, key) + cost / WORKER_SPAN_SECONDS < 0.5 * self._worker_ratio

    def _probe_cost_now(self, now: float) -> float:
        """An old measurement fades here too: one process with a thousand threads ends no other's probes for good."""
        faded = exp(-max(0.0, now - self._probe_at) / NODE_SPAN_SECONDS)
        return FIRST_COST_SECONDS + faded * (self._probe_cost - FIRST_COST_SECONDS)
