"""Does a model fit the memory of a device, beside what is there, and if not, how many of its layers do?"""

from typing import Literal

import msgspec

from advisor.migration.devices import GIB, PCIE_BYTES_PER_SECOND

CONTEXT_BYTES = 0.65 * GIB
"""What a process takes of a device before it has loaded anything: CUDA context and libraries."""
ACTIVATIONS_PART = 0.2
"""Of the weights, where no peak was measured: what EleutherAI and Accelerate put on top."""
MARGIN = 0.05
FITS, TIGHT = 0.9, 1.0
"""Of what is free."""
KEPT_BYTES = GIB
"""What llama.cpp leaves free of a device when it places layers."""
HOP_SECONDS = 10e-6
"""For each step from the device to the host and back."""

Verdict = Literal["fits", "tight", "split", "no room"]


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one device. `cache`: of all sequences at a time; `activations` None = a part of the weights; `measured`: what
    was observed of such a server / what is computed here, 1 where nobody looked."""

    weights: float
    cache: float = 0.0
    activations: float | None = None
    processes: int = 1
    measured: float = 1.0

    @property
    def working(self) -> float:
        return ACTIVATIONS_PART * self.weights if self.activations is None else self.activations

    @property
    def total(self) -> float:
        """Every process holds its own copy."""
        each = self.weights + self.cache + self.working + CONTEXT_BYTES
        return self.processes * each * self.measured * (1 + MARGIN)


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is placed: bytes of one layer with its part of the cache, of the output layer, and how many layers."""

    count: int
    layer: float
    output: float
    hidden_bytes: float
    """Of what goes from one layer to the next, for each token."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """`on_device` layers of `of`, the output layer among them where `output`. Bytes that are read for a token on each side."""

    on_device: int
    of: int
    output: bool
    device_bytes: float
    host_bytes: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
    need: float
    free: float
    split: Split | None = None

    @property
    def share(self) -> float:
        return self.need / self.free if self.free > 0 else float("inf")


def fit(need: Need, free: float, layers: Layers | None = None) -> Fit:
    """`free`: bytes of the device that are not taken. `layers`: of a model of which a part may stay on the host."""
    if need.total <= FITS * free:
        return Fit(verdict="fits", need=need.total, free=free)
    if need.total <= TIGHT * free:
        return Fit(verdict="tight", need=need.total, free=free)
    placed = None if layers is None else split(need, free, layers)
    if placed is None or placed.on_device == 0:
        return Fit(verdict="no room", need=need.total, free=free)
    return Fit(verdict="split", need=need.total, free=free, split=placed)


def split(need: Need, free: float, layers: Layers) -> Split:
    """As llama.cpp places them: the output layer first, then as many layers as go in, with a GiB left."""
    room = free / need.measured - need.working - CONTEXT_BYTES - KEPT_BYTES
    output = room >= layers.output
    left = room - layers.output if output else 0.0
    count = max(0, min(layers.count, int(left // layers.layer))) if output else 0
    on_device = count * layers.layer + (layers.output if output else 0.0)
    whole = layers.count * layers.layer + layers.output
    return Split(on_device=count, of=layers.count, output=output, device_bytes=on_device, host_bytes=whole - on_device)


def seconds_per_token(
    placed: Split, layers: Layers, device_bandwidth: float, host_bandwidth: float, pcie: int | None
) -> float:
    """Decoding reads every weight once a token. `device_bandwidth`, `host_bandwidth`: bytes per second that are really had."""
    lanes = PCIE_BYTES_PER_SECOND.get(pcie or 4, PCIE_BYTES_PER_SECOND[4])
    hops = 2 if placed.device_bytes and placed.host_bytes else 0
    moved = hops * (layers.hidden_bytes / lanes + HOP_SECONDS)
    return placed.device_bytes / device_bandwidth + placed.host_bytes / host_bandwidth + moved
