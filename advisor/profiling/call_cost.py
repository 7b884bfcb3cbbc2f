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
    `unknown` are cores, as they would be without waiting for a CPU; so are those of threads that were too `fleeting` to be
    looked into. `least` and `likely`: shares of a call's time that are paid once a call. Of fleeting threads as large a part
    counts for the rows as of all that is known, at worst twice that; what else is unknown counts for them at worst."""

    seen: ProfileView
    calls: float
    handing: float
    handing_share: float
    rows: float
    unknown: float
    fleeting: float
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
    stretched = 1 / max(0.1, 1 - waited)
    rows, unseen = (stretched * _cores(own, *names) for names in (ROWS, ("unknown",)))
    fleeting = min(unseen, stretched * sum(c.fleeting for _, c in calling))
    known = stretched * sum(w.cores for w in own) - unseen
    part = rows / known if known > 0 else 1.0
    share = min(1.0, handing / inside)
    error = (share * (1 - share) / looks) ** 0.5
    worst = rows + unseen - fleeting + min(1.0, 2 * part) * fleeting
    return CallCost(
        seen=msgspec.structs.replace(seen, workers=tuple(own)),
        calls=inside / len(calling),
        handing=handing,
        handing_share=share,
        rows=rows,
        unknown=unseen - fleeting,
        fleeting=fleeting,
        delay_share=waited,
        least=(handing - worst) / inside - error,
        likely=min(1.0, (handing - rows - part * fleeting) / inside),
    )


def _delay_share(workers: list[WorkerProfile]) -> float:
    """Of the time that their threads were runnable: what waits for a CPU is no cost of the call."""
    known = [t for w in workers for t in w.threads if t.delay_cores is not None]
    ran, waited = sum(t.cores for t in known), sum(t.delay_cores or 0.0 for t in known)
    return waited / (ran + waited) if waited > 0 else 0.0


def _cores(workers: list[WorkerProfile], *work: str) -> float:
    return sum(w.cores * sum(w.classes[name].value for name in work if name in w.classes) for w in workers)
