"""What the advisor says: findings with their evidence, and what it could not conclude."""

from enum import StrEnum
from hashlib import blake2b
from typing import Literal

import msgspec

from collectors.levers import Lever, Place, Value

Harm = Literal["holds-port", "takes-requests", "runs-out-of-memory"]
"""What goes wrong beside what gains can express: a server cannot start on its port; requests go where nobody looks; memory
fills up, and what needs more of it then ends."""
Metric = Literal["throughput_ratio", "latency_p99_ratio", "latency_p50_ratio", "memory_ratio", "cost_ratio"]


class Severity(StrEnum):
    """How much it matters, from `info` (worth knowing) up. Computed in `advisor.severity` only."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def level(self) -> int:
        return list(Severity).index(self)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding is about. `pids` are the processes meant; they are no part of its identity."""

    kind: Literal["service", "model", "worker", "pipeline", "device", "node"]
    name: str
    pids: tuple[int, ...] = ()

    @property
    def identity(self) -> tuple[str, str]:
        return (self.kind, self.name)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One observed number. `threshold` None: an input of the estimate, compared with nothing."""

    metric: str
    unit: str
    observed: float
    threshold: float | None
    window_seconds: float
    samples: int


class Rejected(msgspec.Struct, frozen=True):
    """A look-alike cause that was tested, and the number that rules it out."""

    cause: str
    because: str


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """After / before, as an interval: 10 %, 50 % and 90 % points of what the window's own evidence supports."""

    metric: Metric
    p10: float
    p50: float
    p90: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A lever to turn. Rules leave `how` empty; the engine fills it from the framework and the manager."""

    lever: Lever
    current: Value
    proposed: Value
    model: str | None = None
    """The one model on which it is turned; None = on the service."""
    restart: bool = True
    how: tuple[Place, ...] = ()


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule concluded about one subject in one window; engine and board make a Finding of it.

    Raises ValueError without evidence, or with a confidence outside 0..1.
    """

    subject: Subject
    title: str
    summary: str
    confidence: float
    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...] = ()
    changes: tuple[Change, ...] = ()
    gains: tuple[Gain, ...] = ()
    harm: Harm | None = None
    told_after_seconds: float = 0.0
    """How long it has to hold before it is said, where it may pass by itself."""
    spares: bool = False
    """Nothing is wrong and nobody waits: it says what could be given up. Worth knowing, unless cost is the objective."""

    hypothetical: bool = False
    """It rests on a device that nobody measured with this model: low at most, whatever it promises."""

    def __post_init__(self) -> None:
        if not self.evidence:
            raise ValueError("a finding without evidence")
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence {self.confidence} is not within 0..1")


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What would let a rule conclude; typed, so that the agent can go and get it."""

    kind: Literal["privilege", "profile", "metrics", "load", "time", "kernel"]
    text: str


class Inconclusive(msgspec.Struct, frozen=True, kw_only=True):
    """A rule had reason to look and could not tell."""

    rule: str
    subject: Subject
    needs: Need


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody knows of a finding and leaves it as it is. Times are RFC 3339; `until` None = for good."""

    state: Literal["acknowledged", "snoozed"]
    reason: str
    owner: str
    at: str
    until: str | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A conclusion with its life: identity is (rule, subject)."""

    id: str
    rank: int
    rule: str
    severity: Severity
    confidence: float
    state: Literal["open", "acknowledged", "snoozed", "resolved", "superseded"]
    subject: Subject
    title: str
    summary: str
    evidence: tuple[Evidence, ...]
    rejected: tuple[Rejected, ...]
    changes: tuple[Change, ...]
    gains: tuple[Gain, ...]
    because_of: str | None
    first_seen: str
    last_seen: str
    rule_version: str = ""
    """Which version of the rule said it: `version` of its page."""
    acknowledgement: Acknowledgement | None = None
    """Where the state is `acknowledged` or `snoozed`: by whom, why and until when."""


def finding_id(rule: str, subject: Subject, service_id: str | None) -> str:
    """Stable over restarts of the agent and of the service."""
    text = "\x1f".join((rule, subject.kind, service_id or subject.name))
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
