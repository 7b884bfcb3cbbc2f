"""Which profiles can be looked at, and which are being taken or failed?"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlencode

import msgspec

from advisor.profiling.header import ProfileHeader
from advisor.profiling.request import LONGEST_SECONDS, ProfileState

SPANS = (900.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds whose profiles can be looked at as one."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the list. `service` of one that is being taken: what was asked for."""

    id: str
    state: Literal["done", "running", "failed"]
    service: str
    pid: int
    at_unix_seconds: float
    seconds: float
    kind: str
    reason: str
    hertz: float = 0.0
    samples: int | None = None
    hint: str = ""

    def was_there(self, then: float | None) -> bool:
        """Whether it had ended at a moment (Unix seconds), or was being taken; None is the present."""
        lasts = 0.0 if self.state == "running" else min(self.seconds, LONGEST_SECONDS)  # of many workers: their sum
        return then is None or self.at_unix_seconds + lasts <= then


class One(msgspec.Struct, frozen=True):
    """A kept profile."""

    id: str

    @property
    def query(self) -> str:
        return f"profiles/{self.id}"


class Span(msgspec.Struct, frozen=True):
    """All profiles of a service in a span of time (Unix seconds), as one."""

    service: str
    start: float
    end: float

    @property
    def query(self) -> str:
        asked = {"service": self.service, "start": f"{self.start:.3f}", "end": f"{self.end:.3f}"}
        return f"profiles/merged?{urlencode(asked, errors='replace')}"

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def before(self) -> "Span":
        """The span of the same length that ended when this began."""
        return Span(self.service, self.start - self.seconds, self.start)


Target = One | Span


class Compared(msgspec.Struct, frozen=True):
    """`other` against `base`; both are of one kind."""

    base: Target
    other: Target

    def query(self, side: str | None) -> str:
        asked = {} if side is None else {"side": side}
        match self.base, self.other:
            case Span() as base, Span() as other:
                asked |= {"service": other.service}
                asked |= {"base_start": f"{base.start:.3f}", "base_end": f"{base.end:.3f}"}
                asked |= {"other_start": f"{other.start:.3f}", "other_end": f"{other.end:.3f}"}
            case One() as one, One() as two:
                asked |= {"base": one.id, "other": two.id}
        return f"profiles/diff?{urlencode(asked, errors='replace')}"


def entries(headers: Iterable[ProfileHeader], asked: Iterable[ProfileState]) -> list[Entry]:
    """What was asked for here and is not kept (yet, or as the disk is full) first, then what is kept, the newest first."""
    kept = [
        Entry(
            id=one.id, state="done", service=one.service, pid=one.pid, at_unix_seconds=one.at_unix_seconds,
            seconds=one.seconds, kind=one.kind, reason=one.reason, hertz=one.hertz, samples=one.samples,
        )
        for one in headers
    ]  # fmt: skip
    known = {one.id for one in kept}
    new = [_asked(one) for one in asked if one.id not in known]
    return [*new[::-1], *kept]


def unix_seconds(at: str) -> float:
    """An ISO 8601 instant; 0 where it is none."""
    try:
        parsed = datetime.fromisoformat(at)
    except ValueError:
        return 0.0
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()


def _asked(state: ProfileState) -> Entry:
    numbered = state.target.isascii() and state.target.isdigit() and len(state.target) < 10
    return Entry(
        id=state.id, state=state.state, service="" if numbered else state.target,
        pid=int(state.target) if numbered else 0, at_unix_seconds=state.at_unix_seconds, seconds=state.seconds,
        kind="request", reason=state.reason or "requested", hint=state.hint,
    )  # fmt: skip
