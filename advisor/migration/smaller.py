"""How many operations would smaller architectures of a model's own family need, and how much of its weights is zero already?

Ratios of operations, worked out from dimensions: what accuracy is left, and how much faster it then is, must be measured.
"""

import re
from collections.abc import Iterator

import msgspec

from advisor.gpu.holding import NO_WEIGHTS, geometry_of
from advisor.migration.parameters import parameters_of
from advisor.migration.vision_nets import NETS, net_of
from collectors.entities import Model
from collectors.model_geometry import Geometry

_FAMILY = re.compile(r"[A-Za-z]+?(?=V?\d|-)")
"""Of a network's name: ResNet of ResNet-50, MobileNet of MobileNetV2."""
SAMPLED = 0.5
"""Part of a model's files, by size, that was looked into at least."""


class Smaller(msgspec.Struct, frozen=True):
    """`operations`: of a request / of one of the model as it is."""

    name: str
    operations: float


def smaller_forms(model: Model) -> tuple[Smaller, ...]:
    """The nearest first: smaller networks of the family, or half the layers, as distilled forms of transformers have. Empty
    where headers do not tell what it is, or there is no smaller one."""
    net = net_of(model.parameters) if model.parameters else None
    if net is not None:
        return tuple(sorted(_smaller_nets(net[0]), key=lambda one: -one.operations))
    shape = geometry_of(model)
    half = _halved(shape) if shape is not None else None
    return (half,) if half is not None else ()


def zero_share(model: Model) -> float | None:
    """Of its sampled weights, by size of the files; None where too little of it was sampled."""
    files = [one for one in model.files if one.format not in NO_WEIGHTS]
    known = [(one.size_bytes, one.zero_share) for one in files if one.zero_share is not None]
    size = sum(size for size, _ in known)
    if not size or size < SAMPLED * sum(one.size_bytes for one in files):
        return None
    return sum(size * share for size, share in known) / size


def _smaller_nets(name: str) -> Iterator[Smaller]:
    family, own = _FAMILY.match(name), NETS[name]().flops
    for other, counts in NETS.items():
        same = _FAMILY.match(other)
        if family is not None and same is not None and same[0] == family[0] and counts().flops < own:
            yield Smaller(other, counts().flops / own)


def _halved(shape: Geometry) -> Smaller | None:
    whole, layers, encoder = parameters_of(shape), shape.layers or 0, shape.encoder_layers
    if whole is None or layers < 2 or not whole.computed:
        return None
    left = layers // 2
    changed = msgspec.structs.replace(
        shape,
        layers=left,
        encoder_layers=None if encoder is None else max(1, encoder // 2),
        dense_layers=None if shape.dense_layers is None else min(left, shape.dense_layers),
    )
    half = parameters_of(changed)
    if half is None:
        return None
    return Smaller(f"{left} of its {layers} layers", half.computed / whole.computed)
