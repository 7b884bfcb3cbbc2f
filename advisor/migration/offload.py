"""Which part of a service's CPU time could an accelerator take over?"""

import msgspec

from advisor.migration.spread import Spread
from advisor.profiling.view import ProfileView

NEEDLESS = ("spin", "lock", "gil-wait")
"""CPU time that is no work: threads of a pool that wait for each other would look like work for a GPU."""
LEAST_SAMPLES = 500
ENOUGH_SAMPLES = 2000
"""From so many looks on the share is sure enough to grade it."""
LEAST_REST = 1e-3
"""Of the work, at least, that stays on the host: no profile shows less."""
_TWO_SIDES = 1.96


class Offloadable(msgspec.Struct, frozen=True, kw_only=True):
    """`share`: of the CPU time that is work, with its sampling error and what is not known of it. `needless`: part of all CPU
    time that is none. `trees`: of the work, in decision trees, which accelerators do not speed up for one row."""

    share: Spread
    needless: float
    trees: float
    samples: int

    @property
    def ceiling(self) -> float:
        """Amdahl: nothing of it can get faster than that, however fast the device."""
        return 1 / max(LEAST_REST, 1 - self.share.high)


def offloadable(profile: ProfileView) -> Offloadable | None:
    """None where too little was seen. Matrix products, convolutions and attention at least; elementwise work of array libraries
    as well where most of the work is the former, half of it where it is not: there it may be preparation of inputs."""
    if profile.samples < LEAST_SAMPLES:
        return None
    needless = profile.share(*NEEDLESS).value
    work = max(1e-6, 1 - needless)
    kernel, array = profile.share("kernel"), profile.share("array", "allocation")
    unknown, trees = profile.share("unknown").value, profile.share("trees").value
    error = _TWO_SIDES * (kernel.error**2 + array.error**2) ** 0.5
    along = array.value if kernel.value >= array.value else array.value / 2
    likely = min(1.0, (kernel.value + along) / work)
    low = max(0.0, min(likely, (kernel.value - error) / work))
    high = min(1.0, max(likely, (kernel.value + array.value + unknown + error) / work))
    return Offloadable(share=Spread(low, likely, high), needless=needless, trees=trees / work, samples=profile.samples)
