"""How much faster would the same model answer on the same CPUs in another form: in a runtime, with weights of 8 bits, in
batches, or with more threads?

Each part of a request's time (`anatomy.py`) is changed by what the form does to it, drawn many times from what is not
known. What a form does not touch stays: that is the ceiling. What is said of runtimes and kernels here are bounds of what
each can do to a part, not of the gain; `bench/run.py migration` holds the sums against measured models.
"""

from collections.abc import Callable
from math import exp, inf
from random import Random
from typing import Literal

import msgspec

from advisor.migration.anatomy import Anatomy
from advisor.migration.cpu import HostCpu
from advisor.migration.spread import Percentiles, Spread, percentiles

DRAWS = 1000
UNMODELLED = 0.12
"""Of the time of what a form touches, what no part tells: choices of kernels, clocks, what shares the caches. One standard
error of its logarithm."""
Kind = Literal["runtime", "int8", "batches", "threads"]

GRAPH_OF_ARRAY = Spread(0.1, 0.35, 0.7)
"""What a graph runtime (ONNX Runtime, OpenVINO) leaves of elementwise work and of the library's own Python: it fuses it
with the products before, and calls nothing in between."""
GRAPH_OF_CALLING = Spread(0.0, 0.05, 0.25)
GRAPH_OF_PACKING = Spread(0.0, 0.15, 0.6)
"""Weights are packed once, inputs at each call."""
GRAPH_OF_PRODUCTS = Spread(0.65, 0.85, 1.05)
"""Other kernels, for better or worse."""
GRAPH_OF_STREAM = Spread(0.6, 0.9, 1.05)
"""Kernels that read further ahead, where nobody measured what the memory gives."""
OF_HEADROOM = Spread(0.1, 0.5, 1.0)
"""Of what the memory would give more than is read now, other kernels make so much (a power)."""
BYTES_PER_OPERATION = 2.0
"""Two operations for each weight of 32 bits."""
TREES_OF_WALKING = Spread(0.1, 0.35, 1.0)
CALL_SECONDS = Spread(4e-6, 1e-5, 4e-5)
"""One call for all trees, instead of one of Python for each tree and checks of inputs."""
BYTES_OF_INT8 = Spread(0.25, 0.27, 0.32)
"""Of weights of 32 bits; scales and rows that stay wide on top."""
INT8_OF_PACKING = Spread(0.0, 0.1, 0.4)
"""Inputs alone, a quarter as wide."""
INT8_OF_CONVOLUTIONS = Spread(0.3, 0.65, 1.15)
"""Of the rate of products: what is between them goes back to 32 bits."""
CACHED = Spread(0.1, 0.25, 0.7)
"""Time to read weights that the last-level cache holds / out of the memory."""
ARRAY_WITH_INT8 = Spread(0.9, 1.05, 1.35)
"""Inputs of each product are quantised at each call."""
CALL_OF_ARRAY = Spread(0.0, 0.3, 0.7)
"""Of elementwise work beside kernels, what a call costs whatever its rows."""
CALL_OF_SMALL_ARRAY = Spread(0.5, 0.85, 1.0)
"""The same on what a matrix times a vector gives."""
CALL_OF_LIBRARY = Spread(0.94, 0.99, 1.0)
"""The same of a model without kernels."""
CALL_OF_PACKING = Spread(0.3, 0.8, 1.0)
ROW_OF_PRODUCTS = Spread(0.75, 0.95, 1.05)
ROW_OF_CONVOLUTIONS = Spread(0.45, 0.8, 1.1)
"""Libraries take other algorithms for batches."""
ROW_OF_WALKING = Spread(0.05, 0.3, 1.0)
"""The nodes of a tree come into the cache once for all rows."""
PACKED_WITH_ROWS = Spread(0.0, 0.3, 1.0)
"""Matrix times matrix packs the weights that matrix times vector read in place: so much on top of reading them."""
ARRAY_ON_THREADS = Spread(0.0, 0.4, 0.9)
"""Of elementwise work, what libraries divide among threads."""
EACH_THREAD = Spread(0.5, 0.8, 1.0)
"""Of one more thread, what kernels make of it."""
STREAM_ON_THREADS = Spread(0.9, 1.0, 1.9)
"""Some libraries do not divide a matrix times a vector, and the memory is there once."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """`throughput`: of one worker on the same cores, after / before. `ceiling`: of what the form touches were nothing left."""

    kind: Kind
    what: str
    throughput: Percentiles
    ceiling: float


class _Drawn(msgspec.Struct):
    """One case of what a request consists of; shares of its time."""

    stream: float
    packing: float
    products: float
    array: float
    walking: float
    trees: float
    calling: float
    outside: float


def in_runtime(anatomy: Anatomy, host: HostCpu, seed: str) -> Percentiles:
    """In a graph runtime, from a framework that calls each operation by itself."""

    def after(now: _Drawn, draw: Callable[[Spread], float]) -> float:
        if anatomy.trees > anatomy.kernel:
            return now.walking * draw(TREES_OF_WALKING) + draw(CALL_SECONDS) / anatomy.cpu_seconds
        kernels = draw(GRAPH_OF_PRODUCTS) * now.products + _reading(anatomy, host, now.stream, draw) * now.stream
        kernels += draw(GRAPH_OF_PACKING) * now.packing
        around = draw(GRAPH_OF_ARRAY) * now.array + draw(GRAPH_OF_CALLING) * now.calling
        return kernels + around + now.trees + now.walking

    return _drawn(anatomy, after, seed)


def in_int8(anatomy: Anatomy, host: HostCpu, weights: float, quantised: Spread, seed: str) -> Percentiles | None:
    """With weights and products of 8 bits. `weights`: bytes that are read now, in 32 bits; `quantised`: part of them that
    would be (tables of embeddings that are the output layer as well stay). None where these CPUs' instructions are not
    known."""
    rate = host.int8
    if rate is None:
        return None

    def after(now: _Drawn, draw: Callable[[Spread], float]) -> float:
        part, narrow = draw(quantised), draw(BYTES_OF_INT8)
        if host.cache_bytes is not None and (1 - part + part * narrow) * weights <= host.cache_bytes < weights:
            narrow *= draw(CACHED)
        if host.measured:
            narrow *= min(1.0, _reading(anatomy, host, now.stream, draw))
        left = 1 - part + part * narrow
        worse = draw(INT8_OF_CONVOLUTIONS) if anatomy.convolves else 1.0
        products = (1 - part) + part / max(0.5, worse * draw(rate))
        packing = (1 - part) + part * draw(INT8_OF_PACKING)
        touched = left * now.stream + products * now.products + packing * now.packing
        return touched + draw(ARRAY_WITH_INT8) * now.array + now.calling + now.trees + now.walking

    return _drawn(anatomy, after, seed)


def in_batches(anatomy: Anatomy, host: HostCpu, rows: int, seed: str) -> Percentiles:
    """So many requests in one call that were one each."""
    small, streams = anatomy.kernel < 0.1, anatomy.stream.mode > anatomy.kernel / 2
    row_of_products = ROW_OF_CONVOLUTIONS if anatomy.convolves else ROW_OF_PRODUCTS

    def after(now: _Drawn, draw: Callable[[Spread], float]) -> float:
        once = draw(CALL_OF_LIBRARY if small else CALL_OF_SMALL_ARRAY if streams else CALL_OF_ARRAY)
        array = now.array * (once / rows + 1 - once)
        packed = draw(CALL_OF_PACKING)
        packing = now.packing * (packed / rows + 1 - packed)
        computed = anatomy.read_per_second / BYTES_PER_OPERATION / draw(host.flops)
        stream = now.stream * (1 + draw(PACKED_WITH_ROWS)) / rows + min(computed, now.stream)
        row = draw(ROW_OF_WALKING)
        trees = now.walking * row + (now.walking * (1 - row) + now.trees) / rows
        return stream + packing + draw(row_of_products) * now.products + array + trees + now.calling / rows

    return _drawn(anatomy, after, seed, rows)


def on_threads(anatomy: Anatomy, threads: int, seed: str) -> Percentiles:
    """With so many compute threads instead of one, on cores that are free."""

    def after(now: _Drawn, draw: Callable[[Spread], float]) -> float:
        many = 1 + (threads - 1) * draw(EACH_THREAD)
        divided = draw(ARRAY_ON_THREADS)
        array = now.array * (1 - divided + divided / many)
        kernels = (now.products + now.packing) / many + now.stream / min(many, draw(STREAM_ON_THREADS))
        return kernels + array + now.trees + now.walking + now.calling

    return _drawn(anatomy, after, seed, threads)


def _drawn(
    anatomy: Anatomy, after: Callable[[_Drawn, Callable[[Spread], float]], float], seed: str, most: float = inf
) -> Percentiles:
    """Time before / after, no more than `most`; what is outside of the model stays. The same seed gives the same numbers."""
    random = Random(seed)  # noqa: S311 - a simulation
    found = []
    for _ in range(DRAWS):
        now = _now(anatomy, random)
        left = after(now, lambda spread: spread.draw(random)) * exp(random.gauss(0.0, UNMODELLED))
        found.append(min(most, 1 / max(1e-6, now.outside + left)))
    return percentiles(found)


def _reading(anatomy: Anatomy, host: HostCpu, stream: float, draw: Callable[[Spread], float]) -> float:
    """Time in which other kernels read the same weights / now."""
    if stream <= 0 or not host.measured:
        return draw(GRAPH_OF_STREAM)
    headroom = draw(host.bytes_per_core) * stream / max(1.0, anatomy.read_per_second)
    return float(min(1.05, 1 / max(1e-3, headroom) ** draw(OF_HEADROOM)))


def _unresolved(share: Spread, error: float, random: Random) -> float:
    """A small share, of which its size is what is not known: between what a profile resolves and the most that it may be,
    evenly on a logarithmic scale."""
    least, most = max(share.low, error**2), max(share.high, error**2)
    return min(1.0, float(least * (most / least) ** random.random()))


def _now(anatomy: Anatomy, random: Random) -> _Drawn:
    """Shares as they may really be, together 1."""
    noisy = [
        max(0.0, value + random.gauss(0.0, anatomy.error * min(1.0, 2 * value**0.5)))
        for value in (anatomy.kernel, anatomy.array, anatomy.trees)
    ]
    outside = _unresolved(anatomy.outside, anatomy.error, random)
    calling = max(0.0, anatomy.calling + anatomy.outside.mode - outside)
    whole = sum(noisy) + outside + calling or 1.0
    kernel, array, trees, calling, outside = (value / whole for value in (*noisy, calling, outside))
    stream = min(kernel, anatomy.stream.draw(random))
    packing = min(kernel - stream, anatomy.packing)
    walking = min(trees, anatomy.walking.draw(random))
    return _Drawn(
        stream=stream, packing=packing, products=kernel - stream - packing, array=array, walking=walking,
        trees=trees - walking, calling=calling, outside=outside,
    )  # fmt: skip
