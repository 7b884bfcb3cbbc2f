"""How fast would a request be on a device? Drawn many times from what is not known exactly.

A roofline on the device (operations against its peak, bytes against its bandwidth), the launches of kernels, the transfer, and
what stays on the host (Amdahl). Efficiencies: MFU 25 to 75 % and MBU 60 to 85 % as public serving benchmarks report, a launch 3
to 20 µs (HTA), page-locked transfers at 80 % of the lanes and others at 40 %.
"""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Literal

import msgspec

from advisor.migration.devices import PCIE_BYTES_PER_SECOND, Device, Precision
from advisor.migration.offload import LEAST_REST
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.migration.work import Work

DRAWS = 1000
OF_PEAK = Spread(0.25, 0.5, 0.75)
OF_BANDWIDTH = Spread(0.6, 0.7, 0.85)
LAUNCH_SECONDS = Spread(3e-6, 8e-6, 20e-6)
OF_LANES = Spread(0.4, 0.6, 0.8)
TRANSFER_SECONDS = 2 * 10e-6
USUAL_PCIE = 4
ALL_CORES = Spread(0.75, 0.9, 1.0)
"""Of the throughput of one core times the cores, what a service with the right workers and threads does on all of them; also of
what stays on the host."""
BATCHES = (1, 2, 4, 8, 16, 32)
MOST_IN_BATCH = 4096
"""Of which anybody asks."""
BATCH_SECONDS = 0.05
"""A step of a batch takes no longer than that on the device, and all of them no more than half of the latency that is
wanted."""

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


def simulate(
    work: Work, device: Device, precision: Precision, cores: float, configured_per_second: float | None,
    slo_seconds: float | None, seed: str, batch: int | None = None,
) -> Simulated | None:  # fmt: skip
    """`cores`: that are left for the service; `batch`: None = as large as the time that is wanted allows. None where the device
    does not compute in that type. The same seed gives the same numbers."""
    peak = device.operations(precision)
    if peak is None or cores <= 0:
        return None
    batch = batch or _batch(work, device, peak, slo_seconds)
    random = Random(seed)  # noqa: S311 - a simulation
    found = [list[float]() for _ in range(6)]
    binding: Counter[Term] = Counter()
    for _ in range(DRAWS):
        drawn = _Draw(work, device, peak, random)
        host = (1 - drawn.part) * work.cpu_seconds
        terms = drawn.seconds(batch)
        on_device = max(terms["compute"], terms["memory bandwidth"]) + terms["launches"] + terms["transfer"]
        used = cores * ALL_CORES.draw(random)
        per_second = min(batch / on_device, used / host)
        cpu = used / work.cpu_seconds
        now = configured_per_second or cpu
        alone = drawn.seconds(1)
        latency = (1 - drawn.part) * work.wall_seconds + max(alone["compute"], alone["memory bandwidth"])
        latency += alone["launches"] + alone["transfer"]
        for values, value in zip(
            found,
            (latency / work.wall_seconds, per_second / cpu, per_second / now, per_second, cpu, on_device),
            strict=True,
        ):
            values.append(value)
        each: dict[Term, float] = {**terms, "host": host * batch / used}
        binding[max(each, key=lambda term: each[term])] += 1
    latency_, throughput, configured, rate, cpu_rate, seconds = map(percentiles, found)
    return Simulated(
        batch=batch, latency=latency_, throughput=throughput, as_configured=configured, per_second=rate,
        cpu_per_second=cpu_rate, device_seconds=seconds, binding=binding.most_common(1)[0][0],
        terms={term: count / DRAWS for term, count in binding.most_common()},
    )  # fmt: skip


class _Draw:
    """One case of all that is not known."""

    def __init__(self, work: Work, device: Device, peak: float, random: Random) -> None:
        self.part = min(1 - LEAST_REST, work.part.share.draw(random))
        self._flops = work.flops.draw(random)
        self._peak = peak * OF_PEAK.draw(random)
        self._steps = work.generation.steps
        self._weights, self._cache = work.weights, work.generation.read
        self._activations = work.activations.draw(random)
        self._bandwidth = device.bandwidth_bytes * OF_BANDWIDTH.draw(random)
        self._launches = self._steps * work.launches.draw(random) * LAUNCH_SECONDS.draw(random)
        self._moved = work.moved.draw(random)
        self._lanes = PCIE_BYTES_PER_SECOND[device.pcie or USUAL_PCIE] * OF_LANES.draw(random)

    def seconds(self, batch: int) -> dict[Term, float]:
        read = self._steps * (self._weights + self._cache * batch) + self._activations * batch
        return {
            "compute": self._flops * batch / self._peak,
            "memory bandwidth": read / self._bandwidth,
            "launches": self._launches,
            "transfer": self._moved * batch / self._lanes + TRANSFER_SECONDS,
        }


def _batch(work: Work, device: Device, peak: float, slo_seconds: float | None) -> int:
    """The largest of which the device does a step in the time that there is, as is likely."""
    longest = BATCH_SECONDS if slo_seconds is None else min(BATCH_SECONDS, slo_seconds / 2 / work.generation.steps)
    chosen = 1
    for batch in BATCHES:
        steps = work.generation.steps
        compute = work.flops.mode / steps * batch / (peak * OF_PEAK.mode)
        each = work.activations.mode / steps + work.generation.read
        read = (work.weights + each * batch) / (device.bandwidth_bytes * OF_BANDWIDTH.mode)
        if max(compute, read) + work.launches.mode * LAUNCH_SECONDS.mode <= longest:
            chosen = batch
    return chosen
