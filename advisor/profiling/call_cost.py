"""What of the time of a model's call is paid once a call, as far as profiles tell?

Calls that hand their parts to a pool stand still until the pool is done. While they do, the pool computes for the rows: so
much of the time is not the pool's own cost, at most, as several of its threads may compute at once.
"""

from collections.abc import Container

import msgspec

from advisor.profiling.view import ProfileView, WorkerProfile
from collectors.entities import WorkerKey

ROWS = ("kernel", "array", "trees", "tokenise", "decode", "python", "serialise", "cuda-launch", "cuda-sync")
"""What a call may do for its rows."""


class CallCost(msgspec.Struct, frozen=True, kw_only=True):
    """`calls`: mean calls under way in a worker; `handing`: of all of them, those that hand on or wait for the pool. `rows` and
    `unknown` are cores, as they would be without waiting for a CPU. `least` and `likely`: shares of a call's time that are
    paid once a call, with all and nothing of what is unknown counted for the rows."""

    seen: ProfileView
    calls: float
    handing: float
    handing_share: float
    rows: float
    unknown: float
    delay_share: float
    least: float
    likely: float


def call_cost(seen: ProfileView, serving: Container[WorkerKey], least_looks: int) -> CallCost | None:
    """Over the serving workers; None where too few looks found a call that hands on."""
    calling = [(w, w.calling) for w in seen.workers if w.key in serving and w.calling is not None]
    inside, handing = sum(c.inside for _, c in calling), sum(c.handing for _, c in calling)
    looks = sum(c.looks for _, c in calling)
    if looks < least_looks:
        return None
    own = [worker for worker, _ in calling]
    waited = _delay_share(own)
    rows, unknown = (_cores(own, *names) / max(0.1, 1 - waited) for names in (ROWS, ("unknown",)))
    share = min(1.0, handing / inside)
    return CallCost(
        seen=msgspec.structs.replace(seen, workers=tuple(own)),
        calls=inside / len(calling),
        handing=handing,
        handing_share=share,
        rows=rows,
        unknown=unknown,
        delay_share=waited,
        least=(handing - rows - unknown) / inside - (share * (1 - share) / looks) ** 0.5,
        likely=min(1.0, (handing - rows) / inside),
    )


def _delay_share(workers: list[WorkerProfile]) -> float:
    """Of the time that their threads were runnable: what waits for a CPU is no cost of the call."""
    known = [t for w in workers for t in w.threads if t.delay_cores is not None]
    ran, waited = sum(t.cores for t in known), sum(t.delay_cores or 0.0 for t in known)
    return waited / (ran + waited) if waited > 0 else 0.0


def _cores(workers: list[WorkerProfile], *work: str) -> float:
    return sum(w.cores * sum(w.classes[name].value for name in work if name in w.classes) for w in workers)
