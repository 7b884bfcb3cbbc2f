"""What does the CPU time of one request consist of, as far as another form of the same model would change it?

Matrix libraries name their functions: a matrix times a vector (`gemv`) reads each weight for one row and waits for the
memory; a matrix times a matrix packs its operands first (`pack`, `copy`) and then computes. Where a library is stripped, or
makes its code at run time, what the weights are in bytes tells how much of the time reading them can be.
"""

import re
from collections.abc import Iterable

import msgspec

from advisor.migration.cpu import HostCpu
from advisor.migration.spread import Spread
from advisor.profiling.view import HotSpot, ProfileView, sampling_error

_OF_A_LINE = re.compile(r":\d+\)$")
_VECTOR = re.compile(r"gemv|gevv|_mv_|matvec|vec_dot", re.IGNORECASE)
_PACKING = re.compile(r"pack|copy|im2col|unfold", re.IGNORECASE)
_PRODUCT = re.compile(r"gemm|gebp|kernel_0|conv(?!er[ts])|dot|mul_mat|attention", re.IGNORECASE)
_CONVOLUTION = re.compile(r"conv(?!er[ts])", re.IGNORECASE)
_HANDING = re.compile(r"joblib/|loky/|concurrent/futures/")
UNLISTED = 0.01
"""What functions may have that are too small to be listed among the hot ones."""
NAMED = 0.5
"""Of the kernels' time, the part whose functions must be named for their names to tell."""
_NOT_THE_MODEL = ("serialise", "decode", "tokenise", "features", "glue", "loop", "io", "logging", "gc")


class Anatomy(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the CPU time that is work; together 1. `stream`: kernels that wait for weights out of the memory;
    `packing`: copies that kernels make of their operands at each call; `kernel`: both, and products; `array`: elementwise
    work, allocation, and the library's own Python; `trees`: decision trees, `walking` of it in native code; `calling`:
    Python around the model's calls; `outside`: of the request, whatever the model. `error`: one standard error of a share."""

    stream: Spread
    packing: float
    kernel: float
    array: float
    trees: float
    walking: Spread
    calling: float
    outside: Spread
    convolves: bool
    """Whether most of the kernels' time is in convolutions."""
    cpu_seconds: float
    """Of a call."""
    read_per_second: float
    """Bytes of weights that a request reads / its CPU time."""
    error: float


def anatomy_of(
    profile: ProfileView, cpu_seconds: float, weights: float, host: HostCpu, *, convolutional: bool = False
) -> Anatomy | None:
    """`cpu_seconds`: of one call of the model, work alone; `weights`: bytes that a call reads. None where too little was
    seen, or no native functions."""
    needless = profile.share("spin", "lock", "gil-wait").value
    work = 1 - needless
    if not profile.samples or work <= 0.05 or profile.cores <= 0 or not all(w.native for w in profile.workers):
        return None
    kernel, trees = (profile.share(name).value / work for name in ("kernel", "trees"))
    array = profile.share("array", "allocation").value / work
    fixed = max(0.0, 1 - kernel - trees - array)
    spots = [(spot, worker.cores / profile.cores) for worker in profile.workers for spot in worker.hot]
    native = [(spot, weight) for spot, weight in spots if not _OF_A_LINE.search(spot.where)]
    vector, packing, product = _kernels(native, work)
    outside = outside_of(profile, work)
    calling = max(0.0, fixed - outside.mode)
    walking = sum(weight * spot.share for spot, weight in native if spot.work == "trees") / work
    convolution = sum(weight * spot.share for spot, weight in spots if _CONVOLUTION.search(spot.where)) / work
    return Anatomy(
        stream=_stream(vector, packing + product, kernel, cpu_seconds, weights, host),
        packing=min(packing, kernel),
        kernel=kernel,
        array=array,
        trees=trees,
        walking=Spread(min(trees, walking), min(trees, walking), min(trees, walking + UNLISTED)),
        calling=calling,
        outside=outside,
        cpu_seconds=cpu_seconds,
        read_per_second=weights / cpu_seconds,
        convolves=convolutional or convolution > kernel / 2,
        error=(0.25 / profile.samples) ** 0.5,
    )


def outside_of(profile: ProfileView, work: float) -> Spread:
    """What is not of the model's call: where functions are named as such calls, what has none above it; else classes of work
    around it, and a part of the Python. Handing the parts of a call to a pool is of the call."""
    shares = [(worker, worker.cores / profile.cores) for worker in profile.workers]
    handing = sum(
        part * spot.share for w, part in shares for spot in w.hot if spot.work == "glue" and _HANDING.search(spot.where)
    )
    known = max(0.0, profile.share(*_NOT_THE_MODEL).value - handing) / work
    predicting = sum(part * worker.phases.get("predict", 0.0) for worker, part in shares)
    if predicting <= 0:
        python = profile.share("python").value / work
        return Spread(0.9 * known, min(1.0, known + 0.3 * python), min(1.0, known + python))
    beside = max(0.0, 1 - predicting) / work
    likely = min(known + profile.share("python").value / work, beside)
    error = sampling_error(beside, 50 * sum(w.seconds for w in profile.workers))
    return Spread(max(0.0, likely - 2 * error), likely, min(1.0, likely + 2 * error))


def _kernels(native: Iterable[tuple[HotSpot, float]], work: float) -> tuple[float, float, float]:
    """Shares of matrix times vector, of packing, and of products, by the names of functions."""
    vector = packing = product = 0.0
    for spot, weight in native:
        share = weight * spot.share / work
        if spot.work != "kernel":
            continue
        if _VECTOR.search(spot.where):
            vector += share
        elif _PACKING.search(spot.where):
            packing += share
        elif _PRODUCT.search(spot.where):
            product += share
    return vector, packing, product


def _stream(vector: float, others: float, kernel: float, cpu_seconds: float, weights: float, host: HostCpu) -> Spread:
    """As the functions are called, else as much as reading the weights can take of the kernels' time."""
    if vector + others >= NAMED * kernel:
        return Spread(min(kernel, 0.9 * vector), min(kernel, vector), min(kernel, 1.1 * vector))
    speed = host.bytes_per_core
    likely = min(kernel, weights / speed.mode / cpu_seconds)
    # less than half of the kernels' time is hidden behind computing
    least = likely if likely > 0.5 * kernel else 0.0
    return Spread(min(least, likely), likely, min(kernel, max(likely, weights / speed.low / cpu_seconds)))
