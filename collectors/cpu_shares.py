"""Which CPU shares, as Kubernetes and Docker count them, make which cgroup weight?

Both still state shares (1024 = 1 CPU of requests), and the OCI runtime makes the `cpu.weight` of version 2 of them: runc
before 1.3.2 and crun before 1.23 linearly, 2..262144 to 1..10000; later ones by a curve through (2, 1), (1024, 100) and
(262144, 10000), `log10(weight) = (L² + 125 L) / 612 - 7/34` with L = log2(shares).
"""

from math import log10, sqrt

from collectors.levers import Place

LEAST, MOST = 2, 262_144
_WEIGHT_LEAST, _WEIGHT_MOST = 1, 10_000


def shares_of_weight(weight: int) -> int:
    """What a present runtime makes this weight of."""
    exponent = log10(max(_WEIGHT_LEAST, min(_WEIGHT_MOST, weight)))
    log2_shares = (sqrt(125**2 + 4 * 612 * (exponent + 7 / 34)) - 125) / 2
    return max(LEAST, min(MOST, round(2**log2_shares)))


def linear_shares_of_weight(weight: int) -> int:
    """What a runtime before the curve makes this weight of."""
    return max(LEAST, min(MOST, round((weight - 1) * 262_142 / 9999 + 2)))


def shares_of(place: Place) -> tuple[int, int] | None:
    """(shares for a present runtime, shares for an older one) of a weight place; equal for `cpu.shares`, which is stated
    in them; None if it is no weight."""
    if place.kind != "cgroup" or place.key not in ("cpu.weight", "cpu.shares"):
        return None
    value = round(float(str(place.value)))
    if place.key == "cpu.shares":
        return value, value
    return shares_of_weight(value), linear_shares_of_weight(value)
