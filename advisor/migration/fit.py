"""Does a model fit the memory of a device, beside what is there, and if not, how many of its layers do?"""

from typing import Literal

import msgspec

from advisor.migration.devices import GIB

CONTEXT_BYTES = 0.65 * GIB
"""What a process takes of a device before it has loaded anything: CUDA context and libraries."""
ACTIVATIONS_PART = 0.2
"""Of the weights: what EleutherAI and Accelerate put on top."""
MARGIN = 0.05
FITS, TIGHT = 0.9, 1.0
"""Of what is free."""
KEPT_BYTES = GIB
"""What llama.cpp leaves free of a device when it places layers."""

Verdict = Literal["fits", "tight", "split", "no room"]


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that one process takes of a device. `cache`: of all sequences that are in it at a time; `ratio`: what others of its
    kind were seen to take / what is predicted of them."""

    weights: float
    cache: float = 0.0
    ratio: float = 1.0

    @property
    def working(self) -> float:
        return ACTIVATIONS_PART * self.weights

    @property
    def predicted(self) -> float:
        return (self.weights + self.cache + self.working + CONTEXT_BYTES) * (1 + MARGIN)

    @property
    def total(self) -> float:
        """As predicted and seen, and never less than what is stored."""
        return max(self.weights + self.cache, self.predicted * self.ratio)


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """A model that can be placed layer by layer: how many, and the parts of its weights that one layer and the output layer
    are. `active`: of a layer's weights the part that one token reads; `hidden`: numbers of a token's state between layers."""

    count: int
    layer: float
    output: float
    active: float = 1.0
    hidden: int = 0


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """`on_device`: layers that go in where not all do, the output layer first; None where it is not placed by layers."""

    verdict: Verdict
    need: float
    free: float
    on_device: int | None = None
    layers: int | None = None


def fit(need: Need, free: float, layers: Layers | None = None) -> Fit:
    """`free`: bytes of the device that are not taken. `layers`: of a model of which a part may stay on the host."""
    if need.total <= FITS * free:
        return Fit(verdict="fits", need=need.total, free=free)
    if need.total <= TIGHT * free:
        return Fit(verdict="tight", need=need.total, free=free)
    count = 0 if layers is None else layers_on_device(need, free, layers)
    if layers is None or count == 0:
        return Fit(verdict="no room", need=need.total, free=free)
    return Fit(verdict="split", need=need.total, free=free, on_device=count, layers=layers.count)


def layers_on_device(need: Need, free: float, layers: Layers) -> int:
    """As llama.cpp places them: the output layer first, then as many layers with their part of the cache as go in, with a GiB
    left."""
    left = free * need.predicted / need.total - need.working - CONTEXT_BYTES - KEPT_BYTES - layers.output * need.weights
    each = layers.layer * need.weights + need.cache / layers.count
    return max(0, min(layers.count, int(left // each)))
