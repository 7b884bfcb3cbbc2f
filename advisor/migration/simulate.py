"""How fast would a request be on a device? Drawn many times from what is not known exactly.

A roofline on the device (operations against its peak, bytes against its bandwidth), the launches of kernels, the transfer, and
what stays on the host (Amdahl): of each request, or of each call of the model, which serves a batch. Efficiencies: MFU 25 to
75 % and MBU 60 to 85 % as public serving benchmarks report; a launch 3 to 20 µs (HTA), with an eager framework's way to it 20
to 34 µs an operation (`bench/run.py migration-gpu` on an H100; 9 µs of the smallest kernels, tests/fixtures/profiles).
Page-locked transfers reach 80 % of the lanes, others 40 % of generation 4 and 9 to 17 % of generation 5
(tests/fixtures/recordings/h100).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

import msgspec

from advisor.migration.devices import PCIE_BYTES_PER_SECOND, Device, Precision
from advisor.migration.money import nodes_for
from advisor.migration.offload import LEAST_REST
from advisor.migration.served_in import computed_bits
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.migration.under_load import AtLoad, on_device, waits_for_cores
from advisor.migration.work import Work

DRAWS = 1000
OF_PEAK = Spread(0.25, 0.5, 0.75)
OF_BANDWIDTH = Spread(0.6, 0.7, 0.85)
LAUNCH_SECONDS = Spread(4e-6, 16e-6, 45e-6)
OF_LANES = Spread(0.1, 0.35, 0.8)
LEAST_OUTSIDE = 1e-4
"""Of the work, what each request costs the host at least."""
TRANSFER_SECONDS = 2 * 10e-6
USUAL_PCIE = 4
ALL_CORES = Spread(0.75, 0.9, 1.0)
"""Of the throughput of one core times the cores, what a service with the right workers and threads does on all of them; also of
what stays on the host."""
BATCHES = (1, 2, 4, 8, 16, 32)
MOST_IN_BATCH = 4096
"""Of which anybody asks."""
BATCH_SECONDS = 0.05
"""A step of a batch takes no longer than that on the device, or MOST_LONGER times what a request alone takes where that is
more; and all of them no more than half of the latency that is wanted."""
MOST_LONGER = 1.5

Term = Literal["compute", "memory bandwidth", "launches", "transfer", "host"]


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios are after / before: latency of a request that does not queue, and the most requests per second against the node's
    CPUs set right (`throughput`) and as they are set (`as_configured`)."""

    batch: int
    latency: Percentiles
    throughput: Percentiles
    as_configured: Percentiles
    per_second: Percentiles
    cpu_per_second: Percentiles
    device_seconds: Percentiles
    """Of one batch."""
    binding: Term
    """What most often takes longest of the throughput's time."""
    terms: Mapping[Term, float]
    """How often each does."""
    at_load: AtLoad | None = None
    """Of the requests that there are; None from an agent that does not tell it."""
    ceiling: float = 0.0
    """Of the throughput, in such batches, whatever the device (Amdahl)."""


def simulate(
    work: Work, device: Device, precision: Precision | None, cores: float, configured_per_second: float | None,
    slo_seconds: float | None, seed: str, tail: float = 1.0, batch: int | None = None,
) -> Simulated | None:  # fmt: skip
    """`cores`: that are left for the service; `tail`: as many times as the mean request a slow one takes by itself; `batch`:
    None = as large as the time that is wanted allows. None where the device does not compute in that type. The same seed gives
    the same numbers."""
    peak = None if precision is None else device.operations(precision)
    if precision is None or peak is None or cores <= 0:
        return None
    weights = work.weights * _computed(work, precision)
    batch = batch or _batch(work, weights, device, peak, slo_seconds)
    random = Random(seed)  # noqa: S311 - a simulation
    found = [list[float]() for _ in range(6)]
    at_load = [list[float]() for _ in range(6)]
    binding: Counter[Term] = Counter()
    for _ in range(DRAWS):
        drawn = _Draw(work, weights, device, peak, random)
        host = drawn.host(batch) * work.cpu_seconds
        terms, step = drawn.terms(batch), drawn.seconds(batch)
        used = cores * ALL_CORES.draw(random)
        per_second = min(batch / step, used / host)
        cpu = used / work.cpu_seconds
        now = configured_per_second or cpu
        latency = (1 - drawn.part) * work.wall_seconds + drawn.seconds(1)
        _keep(found, latency / work.wall_seconds, per_second / cpu, per_second / now, per_second, cpu, step)
        _keep(at_load, *_at_load(drawn, work, batch, used, per_second, tail))
        each: dict[Term, float] = {**terms, "host": host * batch / used}
        binding[max(each, key=lambda term: each[term])] += 1
    latency_, throughput, configured, rate, cpu_rate, seconds = map(percentiles, found)
    return Simulated(
        batch=batch, latency=latency_, throughput=throughput, as_configured=configured, per_second=rate,
        cpu_per_second=cpu_rate, device_seconds=seconds, binding=binding.most_common(1)[0][0],
        terms={term: count / DRAWS for term, count in binding.most_common()},
        at_load=_told(work.per_second, at_load), ceiling=ceiling_of(work, batch),
    )  # fmt: skip


def ceiling_of(work: Work, batch: int) -> float:
    """Throughput on a device that takes no time / on the cores as they are."""
    rest = max(LEAST_REST, 1 - work.part.share.high)
    calling = min(rest - LEAST_OUTSIDE, work.calling.high)
    return 1 / (rest - calling + calling / batch)


def _keep(lists: Sequence[list[float]], *values: float) -> None:
    for kept, value in zip(lists, values, strict=True):
        kept.append(value)


def _at_load(
    drawn: "_Draw", work: Work, batch: int, used: float, most: float, tail: float
) -> tuple[float, float, float, float, float, float]:
    """Nodes, the batch that is formed, seconds of a request alone, of the mean one and of 99 of 100, and how busy each node is.
    `used`: cores that work; `most`: requests a second that a node can do."""
    nodes = nodes_for(work.per_second, most)
    rate, rest = work.per_second / nodes, (1 - drawn.part) * work.wall_seconds
    there = on_device(drawn.seconds, rate, batch, work.generation.steps)
    servers = used * work.wall_seconds / work.cpu_seconds
    wait, longest_wait = waits_for_cores(servers, rate * drawn.host(there.batch) * work.cpu_seconds / used)
    by_itself = drawn.seconds(1)
    alone = rest + by_itself
    p99 = tail * alone + (there.p99 - by_itself) + rest * longest_wait
    return nodes, there.batch, alone, rest * (1 + wait) + there.mean, p99, rate / most


def _told(per_second: float, found: Sequence[list[float]]) -> AtLoad:
    nodes, batch, alone, mean, p99, busy = map(percentiles, found)
    return AtLoad(
        per_second=per_second, nodes=nodes, batch=batch, alone_seconds=alone, seconds=mean, p99_seconds=p99, busy=busy
    )


class _Draw:
    """One case of all that is not known."""

    def __init__(self, work: Work, weights: float, device: Device, peak: float, random: Random) -> None:
        """`weights`: bytes of them that are read for one step."""
        self.part = min(1 - LEAST_REST, work.part.share.draw(random))
        self._calling = min(1 - self.part - LEAST_OUTSIDE, work.calling.draw(random))
        self._flops = work.flops.draw(random)
        self._peak = peak * OF_PEAK.draw(random)
        self._steps = work.generation.steps
        self._weights, self._cache = weights, work.generation.read
        self._activations = work.activations.draw(random)
        self._bandwidth = device.bandwidth_bytes * OF_BANDWIDTH.draw(random)
        self._launches = self._steps * work.launches.draw(random) * LAUNCH_SECONDS.draw(random)
        self._moved = work.moved.draw(random)
        self._lanes = PCIE_BYTES_PER_SECOND[device.pcie or USUAL_PCIE] * OF_LANES.draw(random)

    def host(self, batch: float) -> float:
        """Share of a request's work that stays there, in calls that serve so many."""
        return 1 - self.part - self._calling + self._calling / max(1.0, batch)

    def seconds(self, batch: float) -> float:
        """Of the whole batch."""
        terms = self.terms(batch)
        return max(terms["compute"], terms["memory bandwidth"]) + terms["launches"] + terms["transfer"]

    def terms(self, batch: float) -> dict[Term, float]:
        read = self._steps * (self._weights + self._cache * batch) + self._activations * batch
        return {
            "compute": self._flops * batch / self._peak,
            "memory bandwidth": read / self._bandwidth,
            "launches": self._launches,
            "transfer": self._moved * batch / self._lanes + TRANSFER_SECONDS,
        }


def _computed(work: Work, precision: Precision) -> float:
    """Bytes of a weight as it is computed with / as it is stored."""
    return min(1.0, computed_bits(precision) / work.bits) if work.bits else 1.0


def _batch(work: Work, weights: float, device: Device, peak: float, slo_seconds: float | None) -> int:
    """The largest of which the device does a step in the time that there is, as is likely."""
    steps = work.generation.steps

    def step(batch: int) -> float:
        compute = work.flops.mode / steps * batch / (peak * OF_PEAK.mode)
        each = work.activations.mode / steps + work.generation.read
        read = (weights + each * batch) / (device.bandwidth_bytes * OF_BANDWIDTH.mode)
        return max(compute, read) + work.launches.mode * LAUNCH_SECONDS.mode

    longest = max(BATCH_SECONDS, MOST_LONGER * step(1))
    if slo_seconds is not None:
        longest = min(longest, slo_seconds / 2 / steps)
    return max((batch for batch in BATCHES if step(batch) <= longest), default=1)
