"""Did more compute threads bring more throughput, when somebody tried?"""

from collections.abc import Iterable
from math import log

from advisor.ledger.outcome import Outcome
from collectors.levers import Lever


def thread_elasticity(outcomes: Iterable[Outcome]) -> float | None:
    """Growth of throughput / growth of threads, both as logarithms, of the newest outcome in which nothing but the threads
    of each worker was changed: 1 = in proportion, 0 = nothing. None = nobody tried."""
    for outcome in sorted(outcomes, key=lambda one: one.changed_at, reverse=True):
        if len(outcome.changes) != 1 or outcome.changes[0].lever != Lever.COMPUTE_THREADS:
            continue
        old, new = outcome.changes[0].old, outcome.changes[0].new
        ratio = next((m.ratio for m in outcome.measured if m.metric == "throughput_ratio" and m.matched), None)
        if ratio is not None and _count(old) and _count(new) and old != new:
            return log(ratio) / log(float(new or 1) / float(old or 1))
    return None


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
