"""How many parameters and multiply-adds have the common convolutional networks? Told from their layers.

The layers are those of the papers (He et al. 2015, Sandler et al. 2018, Howard et al. 2019) in torchvision's variants; totals
are checked against published ones in `tests/advisor/migration`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

_STATISTICS = 2
"""Mean and variance that batch normalisation keeps beside its two parameters of a channel: they are in the file."""


class Counts(NamedTuple):
    """Of one image: `multiply_adds` of convolutions and linear layers; `statistics` are stored and not learnt;
    `layers`: convolutions and linear ones."""

    parameters: int
    statistics: int
    multiply_adds: int
    layers: int

    @property
    def flops(self) -> int:
        return 2 * self.multiply_adds


class _Net:
    """Adds up layers, from the image on."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.parameters = self.statistics = self.multiply_adds = self.layers = 0

    def convolution(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1, *, norm: bool = True,
                    bias: bool = False, keep: bool = True) -> None:  # fmt: skip
        """`keep`: what comes next sees its output; else it is a branch beside, of the same output size."""
        weights = out * (into // groups) * kernel * kernel
        self.layers += 1
        size = -(-self.size // stride)
        self.parameters += weights + (2 * out if norm else 0) + (out if bias else 0)
        self.statistics += _STATISTICS * out if norm else 0
        self.multiply_adds += weights * size * size
        if keep:
            self.size = size

    def squeeze(self, channels: int, inside: int) -> None:
        """Squeeze-and-excitation: two 1×1 convolutions of one pixel."""
        self.parameters += 2 * channels * inside + channels + inside
        self.multiply_adds += 2 * channels * inside

    def pool(self, stride: int = 2) -> None:
        self.size = -(-self.size // stride)

    def linear(self, into: int, out: int) -> None:
        self.layers += 1
        self.parameters += into * out + out
        self.multiply_adds += into * out

    def counts(self) -> Counts:
        return Counts(self.parameters, self.statistics, self.multiply_adds, self.layers)


def resnet(blocks: tuple[int, ...], *, bottleneck: bool, classes: int = 1000, size: int = 224) -> Counts:
    net, into, factor = _Net(size), 64, 4 if bottleneck else 1
    net.convolution(3, 64, 7, 2)
    net.pool()
    for stage, count in enumerate(blocks):
        width = 64 << stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            if stride != 1 or into != width * factor:
                net.convolution(into, width * factor, 1, stride, keep=False)
            if bottleneck:
                net.convolution(into, width, 1)
                net.convolution(width, width, 3, stride)
                net.convolution(width, width * factor, 1)
            else:
                net.convolution(into, width, 3, stride)
                net.convolution(width, width, 3)
            into = width * factor
    net.linear(into, classes)
    return net.counts()


_MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats, first stride."""
_MOBILENET_V3_LARGE = (
    (3, 16, 16, False, 1), (3, 64, 24, False, 2), (3, 72, 24, False, 1), (5, 72, 40, True, 2), (5, 120, 40, True, 1),
    (5, 120, 40, True, 1), (3, 240, 80, False, 2), (3, 200, 80, False, 1), (3, 184, 80, False, 1), (3, 184, 80, False, 1),
    (3, 480, 112, True, 1), (3, 672, 112, True, 1), (5, 672, 160, True, 2), (5, 960, 160, True, 1), (5, 960, 160, True, 1),
)  # fmt: skip
"""Kernel, channels inside, channels out, squeeze-and-excitation, stride."""
_MOBILENET_V3_SMALL = (
    (3, 16, 16, True, 2), (3, 72, 24, False, 2), (3, 88, 24, False, 1), (5, 96, 40, True, 2), (5, 240, 40, True, 1),
    (5, 240, 40, True, 1), (5, 120, 48, True, 1), (5, 144, 48, True, 1), (5, 288, 96, True, 2), (5, 576, 96, True, 1),
    (5, 576, 96, True, 1),
)  # fmt: skip


def mobilenet_v2(classes: int = 1000, size: int = 224) -> Counts:
    net, into = _Net(size), 32
    net.convolution(3, 32, 3, 2)
    for expansion, out, repeats, first in _MOBILENET_V2:
        for block in range(repeats):
            _inverted(net, into, 3, expansion * into, out, first if not block else 1, squeezed=False)
            into = out
    net.convolution(into, 1280, 1)
    net.linear(1280, classes)
    return net.counts()


def mobilenet_v3(*, large: bool, classes: int = 1000, size: int = 224) -> Counts:
    net, into = _Net(size), 16
    net.convolution(3, 16, 3, 2)
    for kernel, inside, out, squeezed, stride in _MOBILENET_V3_LARGE if large else _MOBILENET_V3_SMALL:
        _inverted(net, into, kernel, inside, out, stride, squeezed=squeezed)
        into = out
    net.convolution(into, 6 * into, 1)
    hidden = 1280 if large else 1024
    net.linear(6 * into, hidden)
    net.linear(hidden, classes)
    return net.counts()


def _inverted(net: _Net, into: int, kernel: int, inside: int, out: int, stride: int, *, squeezed: bool) -> None:
    """An inverted residual block: wider, depthwise, narrower."""
    if inside != into:
        net.convolution(into, inside, 1)
    net.convolution(inside, inside, kernel, stride, groups=inside)
    if squeezed:
        net.squeeze(inside, _divisible(inside // 4))
    net.convolution(inside, out, 1)


def _divisible(channels: int) -> int:
    """The nearest multiple of 8 that is at least nine tenths of it."""
    found = max(8, (channels + 4) // 8 * 8)
    return found if found >= 0.9 * channels else found + 8


NETS: Mapping[str, Callable[[], Counts]] = {
    "ResNet-18": lambda: resnet((2, 2, 2, 2), bottleneck=False),
    "ResNet-34": lambda: resnet((3, 4, 6, 3), bottleneck=False),
    "ResNet-50": lambda: resnet((3, 4, 6, 3), bottleneck=True),
    "ResNet-101": lambda: resnet((3, 4, 23, 3), bottleneck=True),
    "ResNet-152": lambda: resnet((3, 8, 36, 3), bottleneck=True),
    "MobileNetV2": mobilenet_v2,
    "MobileNetV3-Large": lambda: mobilenet_v3(large=True),
    "MobileNetV3-Small": lambda: mobilenet_v3(large=False),
}


@cache
def _known() -> Mapping[int, str]:
    """Numbers that a file of each may have: parameters, with and without what batch normalisation keeps."""
    found: dict[int, str] = {}
    for name, work in NETS.items():
        counts = work()
        found[counts.parameters] = found[counts.parameters + counts.statistics] = name
    return found


def net_of(numbers: int) -> tuple[str, Counts] | None:
    """The network whose file holds so many numbers, give or take the counters of batch normalisation (one a layer)."""
    for known, name in _known().items():
        if 0 <= numbers - known <= 200:
            return name, NETS[name]()
    return None
