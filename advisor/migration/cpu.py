"""How fast do this node's CPUs compute, as far as their instructions and clocks tell?"""

from collections.abc import Collection

import msgspec

from advisor.migration.spread import Spread
from advisor.view import View

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


class HostCpu(msgspec.Struct, frozen=True, kw_only=True):
    """`flops`: 32-bit operations per second that a logical CPU really does."""

    flops: Spread
    told_by: str


def host_cpu(view: View, flags: Collection[str] | None) -> HostCpu | None:
    """None where its instructions are not known."""
    wide = next((rest for needed, *rest in FLOPS_PER_CYCLE if flags is not None and set(needed) <= set(flags)), None)
    if wide is None:
        return None
    known = [core.frequency.hertz for core in view.cores if core.frequency is not None and core.frequency.hertz]
    hertz = USUAL_HERTZ if not known else Spread.around(sum(known) / len(known), 0.05)
    threads = SHARED_THREADS if any(len(core.siblings) > 1 for core in view.cores) else 1.0
    one, two = wide
    peak = Spread(one * hertz.low, two * hertz.mode, two * hertz.high)
    told = f"{one:.0f}-{two:.0f} operations a cycle at {hertz.low / 1e9:.1f}-{hertz.high / 1e9:.1f} GHz"
    flops = Spread(
        threads * peak.low * OF_PEAK.low, peak.mode * OF_PEAK.mode * (1 + threads) / 2, peak.high * OF_PEAK.high
    )
    return HostCpu(flops=flops, told_by=told)
