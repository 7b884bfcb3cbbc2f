"""How is a distribution kept in a few bytes, so that percentiles of any span can be had by adding?

Buckets are logarithmic: eight per doubling, so a value is known within `RELATIVE_ERROR`. Zero has a bucket of its
own, negative values mirror the positive ones. Magnitudes below 2**-64 count as zero.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil, floor, log2

BUCKETS_PER_DOUBLING = 8
RELATIVE_ERROR = 2 ** (1 / (2 * BUCKETS_PER_DOUBLING)) - 1
"""Largest distance of `value_of(bucket_of(v))` from `v`, as a share of `v`: 4.4 %."""

_SMALLEST_EXPONENT = -64
_SHIFT = 1 - _SMALLEST_EXPONENT * BUCKETS_PER_DOUBLING

Histogram = Mapping[int, int]
"""Bucket → number of values. Buckets sort as their values do."""


def bucket_of(value: float) -> int:
    """The bucket that holds a finite `value`."""
    if value > 0:
        return max(0, floor(log2(value) * BUCKETS_PER_DOUBLING) + _SHIFT)
    return -bucket_of(-value) if value < 0 else 0


def value_of(bucket: int) -> float:
    """The geometric middle of a bucket."""
    if bucket == 0:
        return 0.0
    middle = float(2 ** ((abs(bucket) - _SHIFT + 0.5) / BUCKETS_PER_DOUBLING))
    return middle if bucket > 0 else -middle


def histogram_of(values: Iterable[float]) -> Histogram:
    """Count finite values."""
    return Counter(map(bucket_of, values))


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """The histogram of all values of all `histograms`."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(histogram)
    return total


def quantile(histogram: Histogram, q: float) -> float | None:
    """The value below or at which a share `q` (0..1) of the values lies (nearest rank); None without values."""
    if not 0 <= q <= 1:
        raise ValueError(f"quantile {q} is not within 0..1")
    left = max(1, ceil(q * sum(histogram.values())))
    for bucket in sorted(histogram):
        left -= histogram[bucket]
        if left <= 0:
            return value_of(bucket)
    return None


def encode(histogram: Histogram) -> bytes:
    """Pairs (distance to the bucket before, count) as variable-length integers, low seven bits first."""
    out = bytearray()
    before = 0
    for bucket in sorted(histogram):
        step = bucket - before
        _append(out, step * 2 if step >= 0 else -step * 2 - 1)
        _append(out, histogram[bucket])
        before = bucket
    return bytes(out)


def decode(data: bytes) -> Histogram:
    """The inverse of `encode`. Raises ValueError if `data` ends within a number or a pair."""
    numbers = list(_numbers(data))
    if len(numbers) % 2:
        raise ValueError("a histogram ends within a pair")
    histogram = {}
    bucket = 0
    for step, count in zip(numbers[::2], numbers[1::2], strict=True):
        bucket += step // 2 if step % 2 == 0 else -(step + 1) // 2
        histogram[bucket] = count
    return histogram


def _append(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> Iterable[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("a histogram ends within a number")
