"""Which part of a service's CPU time could an accelerator take over?"""

import msgspec

from advisor.migration.spread import Spread
from advisor.profiling.view import ProfileView, Share

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
    """None where too little was seen. Matrix products, convolutions and attention at least, and as much elementwise work of
    array libraries as cannot be outside of the model's calls, where functions are named as such; likely all of the latter where
    most of the work is the former, half of it where it is not: there it may be preparation of inputs."""
    if profile.samples < LEAST_SAMPLES:
        return None
    needless = profile.share(*NEEDLESS).value
    work = max(1e-6, 1 - needless)
    kernel, array = profile.share("kernel"), profile.share("array", "allocation")
    unknown, trees = profile.share("unknown").value, profile.share("trees").value
    error = _TWO_SIDES * _of_sum(kernel, array)
    along = array.value if kernel.value >= array.value else array.value / 2
    likely = min(1.0, (kernel.value + along) / work)
    inside = max(0.0, array.value - beside_calls(profile))
    low = max(0.0, min(likely, (kernel.value + inside - error) / work))
    high = min(1.0, max(likely, (kernel.value + array.value + unknown + error) / work))
    return Offloadable(share=Spread(low, likely, high), needless=needless, trees=trees / work, samples=profile.samples)


def _of_sum(one: Share, other: Share) -> float:
    """Standard error of the sum of two shares of the same samples: what one of them has too much, the other often lacks."""
    apart = one.value * (1 - one.value) + other.value * (1 - other.value)
    whole = min(1.0, one.value + other.value)
    return float(((one.error**2 + other.error**2) * min(1.0, whole * (1 - whole) / apart)) ** 0.5) if apart > 0 else 0.0


def beside_calls(profile: ProfileView) -> float:
    """Share of the CPU time outside of functions that are named as calls of the model; all of it where none is."""
    parts = [(worker.cores / profile.cores, worker.phases.get("predict", 0.0)) for worker in profile.workers]
    return max(0.0, 1 - sum(part * share for part, share in parts))
