"""How long would these CPUs take for a request that a device computes now, and would they keep up with the most requests?

The other direction of `simulate`: a roofline on the host (operations against what its cores compute, weights against what its
memory gives them), drawn many times from what is not known. All cores that are left work on one request at a time, so that they
are one server with a queue; 99 of 100 requests wait no longer than the usual guide says (`advisor.queueing`).
"""

from collections import Counter
from random import Random
from typing import Literal

import msgspec

from advisor.migration.cpu import HostCpu
from advisor.migration.spread import Percentiles, Spread, percentiles
from advisor.queueing import wait_exceeded

DRAWS = 1000
BESIDE_PRODUCTS = Spread(1.05, 1.3, 2.0)
"""Time of a whole pass / of its matrix products and convolutions, which headers tell: norms, softmax, elementwise work."""
SERIAL = Spread(0.01, 0.04, 0.1)
"""Part of a pass on one core that more cores do not share (Amdahl): 16 cores are worth 6 to 14."""
EXCEEDING = 0.01

Term = Literal["compute", "memory bandwidth"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the CPUs would be asked for. `operations`: of a request; `weights`: bytes that a pass reads; `per_second`: the most
    requests; `besides`: seconds in which 99 of 100 are answered now, device included, which come on top."""

    operations: Spread
    weights: float
    per_second: float
    besides: float


class OnHost(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds`: of a request's pass through the model; `p99`: seconds in which 99 of 100 are answered at the most requests;
    `busy`: share of the cores' time that these take, above 1 where they cannot keep up."""

    seconds: Percentiles
    p99: Percentiles
    busy: Percentiles
    binding: Term


def on_host(asked: Asked, host: HostCpu, cores: float, seed: str) -> OnHost | None:
    """On so many cores that are left for it. None where none is. The same seed gives the same numbers."""
    if cores <= 0:
        return None
    random = Random(seed)  # noqa: S311 - a simulation
    taken: list[float] = []
    tails: list[float] = []
    shares: list[float] = []
    binding: Counter[Term] = Counter()
    for _ in range(DRAWS):
        serial = SERIAL.draw(random)
        together = cores if cores <= 1 else 1 / (serial + (1 - serial) / cores)
        operations = asked.operations.draw(random) * BESIDE_PRODUCTS.draw(random)
        terms: dict[Term, float] = {
            "compute": operations / (host.flops.draw(random) * together),
            "memory bandwidth": asked.weights / (host.bytes_per_core.draw(random) * cores),
        }
        longest = max(terms, key=lambda term: terms[term])
        binding[longest] += 1
        seconds = terms[longest]
        busy = asked.per_second * seconds
        taken.append(seconds)
        shares.append(busy)
        tails.append(asked.besides + seconds * (1 + wait_exceeded(busy, EXCEEDING)))
    return OnHost(
        seconds=percentiles(taken),
        p99=percentiles(tails),
        busy=percentiles(shares),
        binding=binding.most_common(1)[0][0],
    )
