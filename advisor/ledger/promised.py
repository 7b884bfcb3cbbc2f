"""Which findings asked for the change that was made?"""

from collections.abc import Sequence
from math import inf

from advisor.finding import Change, Finding
from advisor.ledger.calibration import Calibration
from advisor.ledger.configuration import LIMITS, UNLIMITED, LeverChange
from advisor.ledger.outcome import Promise
from collectors.levers import Lever, Value

AGAINST: dict[str, Lever] = {"below-one-worker-max": Lever.WORKERS}
"""Rules that say of a lever that turning it up is in vain: to turn it up all the same tests them."""


def answers(finding: Finding, changes: Sequence[LeverChange]) -> bool | None:
    """None: the change is none that it asked for. Else whether all that it asked for was set as proposed."""
    made = {change.lever: change for change in changes}
    against = AGAINST.get(finding.rule)
    if against is not None and against in made:
        return _more(made[against].old, made[against].new)
    asked = [change for change in finding.changes if change.lever in made]
    if not asked or not all(_towards(change, made[change.lever]) for change in asked):
        return None
    return len(asked) == len(finding.changes) and all(_alike(c.proposed, made[c.lever].new) for c in asked)


def beside_what_was_asked(findings: Sequence[Finding], changes: Sequence[LeverChange]) -> tuple[str, ...]:
    """Levers that were changed and that none of the findings had asked for: what came of it may have come of them."""
    asked = {change.lever for finding in findings for change in finding.changes}
    asked |= {AGAINST[finding.rule] for finding in findings if finding.rule in AGAINST}
    return tuple(change.lever for change in changes if change.lever not in asked) if findings else ()


def promise_of(finding: Finding, as_proposed: bool, calibration: Calibration) -> Promise:
    return Promise(
        finding=finding.id,
        rule=finding.rule,
        rule_version=finding.rule_version,
        title=finding.title,
        confidence=finding.confidence,
        gains=finding.gains,
        as_proposed=as_proposed,
        factors={gain.metric: calibration.factor(finding.rule, gain.metric) for gain in finding.gains},
    )


def _towards(asked: Change, made: LeverChange) -> bool:
    """Whether it was turned the way that was asked for, perhaps not so far, or farther."""
    if _alike(asked.proposed, made.new):
        return True
    old = made.old if _number(made.old) is not None else asked.current
    proposed = UNLIMITED if asked.proposed is None and asked.lever in LIMITS else asked.proposed
    before, wanted, now = _number(old), _number(proposed), _number(made.new)
    if before is None or wanted is None or now is None:
        return False
    return (wanted - before) * (now - before) > 0


def _more(old: Value, new: Value) -> bool | None:
    before, now = _number(old), _number(new)
    return True if before is not None and now is not None and now > before else None


def _alike(proposed: Value, new: Value) -> bool:
    if proposed is None or new is None:
        return proposed is None and new in (None, UNLIMITED, "default")
    return str(proposed) == str(new) or (_number(proposed) is not None and _number(proposed) == _number(new))


def _number(value: Value) -> float | None:
    if value == UNLIMITED:
        return inf
    if isinstance(value, bool):
        return float(value)
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
