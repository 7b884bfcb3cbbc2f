"""What does the HTTP interface need from the rest of the agent? Callables that a test gives as plain functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from advisor.documents import FindingEvent, OutcomesDocument, Problem, RulePage, Snapshot, Timeline
from advisor.finding import Finding
from advisor.ledger.outcome import Outcome
from advisor.measured import MeasuredCapacity
from advisor.series import Point, Series
from agent.capacities import CapacityRequest
from agent.http.past_snapshot import AnySnapshot
from agent.http.updates import Updates
from agent.profiling.access import NoProfiles, ProfileAccess
from collectors.sample import Sample
from collectors.units import parse_duration

MOST_EVENTS = 1000
"""Of a history, in one answer."""
MOST_SERIES = 2000
"""On `/metrics`, unless the configuration says otherwise."""
Latest = Mapping[str, Mapping[str, Sample]]
"""Kind to entity to the newest sample."""


class AckRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/advice/{id}`: `acknowledged` (known, stays so), `snoozed` (later), `open` (neither any more).

    `owner` is who says so. `expires_in` is a duration with its unit (`7d`); without it an acknowledgement has no end. A
    snooze needs one.
    """

    state: Literal["acknowledged", "snoozed", "open"]
    reason: str = ""
    expires_in: str | None = None
    owner: str = "token"

    def __post_init__(self) -> None:
        for name, text, most in (("reason", self.reason, 1000), ("owner", self.owner, 100)):
            if len(text) > most:
                raise ValueError(f"{name} is longer than {most} characters")
            if not text.isprintable():
                raise ValueError(f"{name} is not one line of text")
        if not self.owner.strip():
            raise ValueError("owner is empty")
        if self.state == "snoozed" and self.expires_in is None:
            raise ValueError("snoozed needs expires_in, such as 7d")
        if self.expires_in is not None and not 0 < parse_duration(self.expires_in) <= 3e9:
            raise ValueError(f"expires_in {self.expires_in!r} is not between 0 and 95 years")

    @property
    def expires_seconds(self) -> float | None:
        return None if self.expires_in is None else parse_duration(self.expires_in)


class ReadSeries(Protocol):
    """Reads a stored series: kind, entity, field, start, end (Unix seconds), step (seconds). Called in a thread of its
    own. Raises LookupError or ValueError, with one clause, for a kind or field that is not stored."""

    def __call__(self, kind: str, entity: str, field: str, start: float, end: float, step: float, /) -> Series: ...


class ReadSeveral(Protocol):
    """The points of many entities by their name: kind, entities, field, start, end (Unix seconds), step (seconds). Called in
    a thread of its own. Raises LookupError likewise."""

    def __call__(
        self, kind: str, entities: Sequence[str], field: str, start: float, end: float, step: float, /
    ) -> Mapping[str, Sequence[Point]]: ...


class KeptFindings(Protocol):
    """What became of findings, also of those that have ended. Called in a thread of its own."""

    def finding(self, identity: str, /) -> Finding | None: ...

    def history(
        self, *, finding: str | None = None, service: str | None = None, start: float = 0.0, end: float = 9e9,
        limit: int = 100,
    ) -> tuple[FindingEvent, ...]: ...  # fmt: skip


class NothingKept:
    """Where no state is kept."""

    def finding(self, identity: str, /) -> Finding | None:
        return None

    def history(
        self, *, finding: str | None = None, service: str | None = None, start: float = 0.0, end: float = 9e9,
        limit: int = 100,
    ) -> tuple[FindingEvent, ...]:  # fmt: skip
        return ()


class NotNow(Exception):  # noqa: N818 - an answer, not a fault
    """A moment of the past cannot be told now. `again_seconds`: when to ask again; None = never."""

    def __init__(self, problem: Problem, again_seconds: float | None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.again_seconds = again_seconds


class PastSnapshots(Protocol):
    """What was at earlier moments. Called from the event loop's thread."""

    async def timeline(self, since: float | None, until: float | None, /) -> Timeline | None:
        """The moments that are kept, from `since` to before `until` (Unix seconds); None: of none there is anything."""

    async def at(self, seconds: float, wait_seconds: float, /) -> AnySnapshot | None:
        """The newest snapshot that is not after `seconds` (Unix); None: all are. Raises NotNow, also where it is not there
        within `wait_seconds`."""


class PresentOnly:
    """Where no earlier snapshot is kept."""

    async def timeline(self, since: float | None, until: float | None, /) -> Timeline | None:
        return None

    async def at(self, seconds: float, wait_seconds: float, /) -> AnySnapshot | None:
        return None


def _no_cgroups() -> Mapping[str, str]:
    return {}


def _no_outcomes() -> OutcomesDocument:
    return OutcomesDocument(outcomes=(), scores=())


def _no_finding(finding: str, since_seconds: float) -> Outcome | None:
    return None


def _no_service(service: str, told: CapacityRequest) -> MeasuredCapacity | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDeps:
    """Everything outside the interface that it calls, always from the event loop's thread unless it says otherwise."""

    snapshot: Callable[[], Snapshot | None]
    """The newest snapshot; None until there is one."""
    series: ReadSeries
    several: ReadSeveral
    acknowledge: Callable[[str, AckRequest], Finding | None]
    """Called in a thread of its own. None: no such finding is open."""
    rules: Callable[[], tuple[RulePage, ...]]
    latest: Callable[[], Latest]
    """Called in a thread of its own: the mapping must not change any more."""
    updates: Updates
    token: str
    loopback: bool
    """Whether only this machine can connect: then reading needs no token."""
    allowed_hosts: frozenset[str] = frozenset()
    read_only: bool = False
    """A replayed recording: nothing can be written."""
    profiles: ProfileAccess = field(default_factory=NoProfiles)
    kept: KeptFindings = field(default_factory=NothingKept)
    past: PastSnapshots = field(default_factory=PresentOnly)
    service_cgroups: Callable[[], Mapping[str, str]] = field(default=_no_cgroups)
    """Name of a service to the entity of the cgroup in which it lives."""
    outcomes: Callable[[], OutcomesDocument] = field(default=_no_outcomes)
    """Called in a thread of its own, as the next."""
    most_series: int = MOST_SERIES
    """That `/metrics` holds; what does not fit is left out by families, those of least use first."""
    verify: Callable[[str, float], Outcome | None] = field(default=_no_finding)
    """With the id of a finding, and how many seconds ago what it asks for was done. None: there is no such finding."""
    learn_capacity: Callable[[str, CapacityRequest], MeasuredCapacity | None] = field(default=_no_service)
    """Called in a thread of its own, with the id of a service. None: there is no such service. Raises StaleCapacity."""
