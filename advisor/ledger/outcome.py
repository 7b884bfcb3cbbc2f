"""What came of a change, beside what was promised?"""

from typing import Literal

import msgspec

from advisor.finding import Gain, Metric
from advisor.ledger.configuration import LeverChange

State = Literal["waiting", "verified", "refuted", "unclear"]
"""Waits for load after the change; or what is measured so far, and at the end."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """After / before of one metric, with an interval that holds the true ratio in 80 % of cases.

    `what` says of which numbers: the server's own, or a stand-in for them. `matched`: the loads before and after allow the
    comparison; if not, `because` says why.
    """

    metric: Metric
    ratio: float
    low: float
    high: float
    what: str
    before: float
    after: float
    samples_before: int
    samples_after: int
    matched: bool = True
    because: str | None = None


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding promised of the change, as it stood then."""

    finding: str
    rule: str
    rule_version: str
    title: str
    confidence: float
    gains: tuple[Gain, ...]
    as_proposed: bool
    """The lever was set to exactly what was proposed."""
    factors: dict[Metric, float] = {}
    """By how much what was learnt before had widened each of the gains."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a service and what it did. `id` is stable; times are RFC 3339.

    `promises`: the findings that asked for it; none = nobody advised it. `covered`: for each measured metric that was
    promised, whether the measured ratio lies in the promised interval.
    """

    id: str
    service: str
    service_id: str
    state: State
    changes: tuple[LeverChange, ...]
    promises: tuple[Promise, ...]
    changed_at: str
    beside: tuple[str, ...] = ()
    """Levers among `changes` that none of the promises was about: what came of it may have come of them."""
    measured: tuple[Measured, ...] = ()
    covered: dict[Metric, bool] = {}
    because: str = ""
    """Why it is what `state` says, in a sentence."""
    stable: bool = False
    """The last three stretches after the change were alike within a tenth, in rate and latency."""
    final: bool = False
    by_hand: bool = False
    """Somebody said that a change was made; no lever was seen to change."""
    measured_at: str | None = None
    rollback: tuple[LeverChange, ...] = ()
    """Of a refuted change: what to set back."""
