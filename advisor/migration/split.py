"""How fast does a model generate of which some layers are on a device and the others stay on the host?

A token reads the weights and the cache of each layer where that layer is, one after the other, and its state crosses over into
the device and back. Per token: bytes there / (MBU × bandwidth) + bytes here / (0.7 × bandwidth of the host's memory) + hops.
Drawn from what is not known, as `advisor.migration.simulate` does. Which layers: the last ones, and the output layer before any
(llama.cpp counts it among those of -ngl).
"""

from random import Random

import msgspec

from advisor.migration.cpu import HostCpu
from advisor.migration.devices import PCIE_BYTES_PER_SECOND, Device
from advisor.migration.fit import Fit
from advisor.migration.simulate import DRAWS, OF_BANDWIDTH, OF_LANES, USUAL_PCIE
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.migration.work import Work

OF_HOST_BANDWIDTH = Spread(0.55, 0.7, 0.85)
HOPS = 2
HOP_SECONDS = 10e-6
STATE_BYTES = 4
"""Of each number of a token's state, as it crosses over."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Of one sequence. `on_device`: layers beside the output layer; bytes: what a token reads there; `against_host`: tokens
    per second / those with all layers on the host."""

    on_device: int
    layers: int
    device_bytes: float
    host_bytes: float
    tokens_per_second: Percentiles
    against_host: Percentiles


def split_of(work: Work, placed: Fit, device: Device, host: HostCpu | None, cores: float, seed: str) -> Split | None:
    """None where not a part of its layers goes in, where it does not generate, or where the host's CPUs are not known."""
    layers, count = work.layers, placed.on_device
    if placed.verdict != "split" or layers is None or count is None or work.generation.steps <= 1:
        return None
    if host is None or cores <= 0:
        return None
    there, here = read_bytes(work, count)
    hop_bytes = layers.hidden * STATE_BYTES
    random = Random(seed)  # noqa: S311 - a simulation
    rates, ratios = list[float](), list[float]()
    for _ in range(DRAWS):
        bandwidth = device.bandwidth_bytes * OF_BANDWIDTH.draw(random)
        own = cores * host.bytes_per_core.draw(random) * OF_HOST_BANDWIDTH.draw(random)
        lanes = PCIE_BYTES_PER_SECOND[device.pcie or USUAL_PCIE] * OF_LANES.draw(random)
        seconds = token_seconds(there, here, bandwidth, own, HOPS * (hop_bytes / lanes + HOP_SECONDS))
        rates.append(1 / seconds)
        ratios.append((there + here) / own / seconds)
    return Split(
        on_device=count, layers=layers.count, device_bytes=there, host_bytes=here,
        tokens_per_second=percentiles(rates), against_host=percentiles(ratios),
    )  # fmt: skip


def token_seconds(
    there: float, here: float, device_bandwidth: float, host_bandwidth: float, hops: float = 0.0
) -> float:
    """`there`, `here`: bytes that a token reads of the device and of the host; bandwidths in bytes per second, as reached;
    `hops`: seconds."""
    return there / device_bandwidth + here / host_bandwidth + hops


def read_bytes(work: Work, on_device: int) -> tuple[float, float]:
    """What a token reads of the device and of the host with so many layers on it, and the output layer. Of the table of input
    embeddings it reads one row."""
    if work.layers is None:
        return 0.0, work.weights + work.generation.read
    each = work.layers.layer * work.layers.active * work.weights + work.generation.read / work.layers.count
    return on_device * each + work.layers.output * work.weights, (work.layers.count - on_device) * each
