"""How fast do this node's CPUs compute, as far as their instructions and clocks tell?"""

from collections.abc import Collection, Sequence

import msgspec

from advisor.migration.spread import Spread
from advisor.view import CoreView
from collectors.cpu_features import CpuFeatures

FLOPS_PER_CYCLE = (
    (("avx512f",), 32.0, 64.0),
    (("avx2", "fma"), 16.0, 32.0),
    (("avx",), 8.0, 16.0),
    (("sve",), 16.0, 32.0),
    (("asimd",), 8.0, 16.0),
)
"""Instructions -> operations of 32 bits that a core does in a cycle, with one unit for fused multiply-adds and with two: width
in numbers × 2 × units. Which of the two it is the flags do not say."""
USUAL_HERTZ = Spread(2.0e9, 2.7e9, 3.5e9)
"""Under load, where the host does not tell its clock, as in most virtual machines."""
OF_PEAK = Spread(0.35, 0.6, 0.85)
"""What matrix libraries reach of a core's peak on the sizes of models."""
SHARED_THREADS = 0.55
"""Of a core, what one of its two hardware threads does while both compute."""


USUAL_BYTES_PER_CORE = Spread(4e9, 10e9, 22e9)
"""Per second, of the memory for one core while all of them read, where nobody stated or measured it: from loaded servers with
many cores to small desktops."""
INT8_PER_FLOAT = (
    (("amx_int8",), Spread(4.0, 9.0, 20.0)),
    (("avx512_vnni",), Spread(1.8, 3.0, 4.2)),
    (("avx_vnni",), Spread(1.8, 3.0, 4.2)),
    (("i8mm",), Spread(2.5, 3.5, 6.0)),
    (("asimddp",), Spread(1.6, 2.4, 4.0)),
    (("avx2",), Spread(0.8, 1.2, 2.0)),
)
"""Instructions -> products of 8 bits per product of 32 bits: at best 4 with VNNI (four in each lane), less where the inputs are
quantised on the way; AMX multiplies tiles, AVX2 widens to 16 bits first."""


class HostCpu(msgspec.Struct, frozen=True, kw_only=True):
    """`flops`: 32-bit operations per second that a logical CPU really does; `bytes_per_core`: what it gets of the memory's
    bandwidth while all read; `int8`: rate of 8-bit products / `flops`, None where nothing is known of them; `cache_bytes`:
    of the last level, None = not told."""

    flops: Spread
    bytes_per_core: Spread = USUAL_BYTES_PER_CORE
    int8: Spread | None = None
    cache_bytes: int | None = None
    measured: bool = False
    """Whether `bytes_per_core` was stated or measured."""
    told_by: str


def host_cpu(cores: Sequence[CoreView], features: CpuFeatures, bytes_per_second: float | None = None) -> HostCpu | None:
    """`bytes_per_second`: of the node's memory, as stated or measured. None where its instructions are not known."""
    flags = features.flags
    wide = next((rest for needed, *rest in FLOPS_PER_CYCLE if flags is not None and set(needed) <= set(flags)), None)
    if flags is None or wide is None:
        return None
    known = [core.frequency.hertz for core in cores if core.frequency is not None and core.frequency.hertz]
    hertz = USUAL_HERTZ if not known else Spread.around(sum(known) / len(known), 0.05)
    threads = SHARED_THREADS if any(len(core.siblings) > 1 for core in cores) else 1.0
    one, two = wide
    peak = Spread(one * hertz.low, two * hertz.mode, two * hertz.high)
    told = f"{one:.0f}-{two:.0f} operations a cycle at {hertz.low / 1e9:.1f}-{hertz.high / 1e9:.1f} GHz"
    flops = Spread(
        threads * peak.low * OF_PEAK.low, peak.mode * OF_PEAK.mode * (1 + threads) / 2, peak.high * OF_PEAK.high
    )
    return HostCpu(
        flops=flops,
        bytes_per_core=_bytes_per_core(len(cores), bytes_per_second),
        int8=int8_of(flags),
        cache_bytes=features.cache_bytes,
        measured=bytes_per_second is not None,
        told_by=told,
    )


def int8_of(flags: Collection[str]) -> Spread | None:
    """How many products of 8 bits a core does in the time of one of 32 bits; None where its instructions say nothing of it."""
    return next((rate for needed, rate in INT8_PER_FLOAT if set(needed) <= set(flags)), None)


def _bytes_per_core(cores: int, stated: float | None) -> Spread:
    if stated is None:
        return USUAL_BYTES_PER_CORE
    each = stated / max(1, cores)
    return Spread(0.85 * each, each, min(stated, 1.6 * each) if cores > 1 else 1.15 * each)
