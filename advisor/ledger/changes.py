"""Was a lever of a service changed, in place or by starting it anew, and since when?"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from advisor.ledger.configuration import ORPHANED, Configuration, LeverChange, changes_between, joined
from collectors.entities import Service
from collectors.levers import Value
from collectors.reading import Instant

SETTLE_SECONDS = 4.0
"""A changed configuration counts as changed once it has held this long: a recycled worker is no change."""
REMEMBERED_SECONDS = 86400.0
"""A service that comes back later than this is a new one."""
RESTLESS_TIMES, RESTLESS_SECONDS = 12, 900.0
"""A lever that was changed so often within so long is turned by a program, as an autoscaler: no news until it rests."""
MOVED_SECONDS = 3600.0
"""For so long, one of the same application at another port is the one that left."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What of a service stays the same where only its port does not."""

    framework: str
    application: str
    owner: str | None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Levers that were changed together. `since`: when the old configuration was seen last."""

    changes: tuple[LeverChange, ...]
    since: Instant


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration of a service, as it is kept across restarts of the agent."""

    service: str
    identity: Identity
    levers: dict[str, Value]
    seen_wall_ns: int


@dataclass(slots=True)
class _Known:
    identity: Identity
    levers: dict[str, Value]
    before: str
    """Id under which it was known before it left."""
    seen: Instant
    held: Instant
    """When `levers` was seen to hold last."""
    changing: tuple[tuple[LeverChange, ...], Instant] | None = None
    there: bool = True
    turned: dict[str, deque[float]] = field(default_factory=dict)
    """When each lever was seen to change, on the monotonic clock in seconds."""

    def turn(self, levers: Iterable[str], now: float) -> None:
        for lever in levers:
            self.turned.setdefault(lever, deque(maxlen=RESTLESS_TIMES)).append(now)

    def restless(self, lever: str, now: float) -> bool:
        times = self.turned.get(lever)
        return times is not None and len(times) == RESTLESS_TIMES and now - times[0] <= RESTLESS_SECONDS


class ChangeWatch:
    """Remembers how each service is configured, also while it is gone. One thread uses it."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def look(self, service: Service, now: Configuration, at: Instant) -> Changed | None:
        """Take in the configuration of this moment. The change, once, when the new one has held for SETTLE_SECONDS."""
        known = self._known.get(service.id) or self._adopt(service, at)
        known.seen, known.there = at, True
        changes, seconds = changes_between(known.levers, now), at.mono_ns * 1e-9
        silent = [change.lever for change in changes if known.restless(change.lever, seconds)]
        if silent:
            known.turn(silent, seconds)
            known.levers = {**known.levers, **{lever: now[lever] for lever in silent if lever in now}}
            changes = tuple(change for change in changes if change.lever not in silent)
        if not changes:
            known.levers, known.changing, known.held = joined(known.levers, now), None, at
            return None
        if known.changing is None or known.changing[0] != changes:
            known.changing = (changes, at)
        if (at.mono_ns - known.changing[1].mono_ns) * 1e-9 < SETTLE_SECONDS:
            return None
        found = Changed(changes=changes, since=known.held)
        known.turn((change.lever for change in changes), seconds)
        known.levers, known.changing, known.held = joined(known.levers, now), None, at
        return found

    def is_changing(self, service: Service) -> bool:
        """Whether a change has been seen and has to hold for a little longer, or nothing is known of it yet."""
        known = self._known.get(service.id)
        return known is None or known.changing is not None

    def hold(self, service: Service, at: Instant) -> None:
        """The configuration is what it was."""
        if (known := self._known.get(service.id)) is not None:
            known.seen = known.held = at

    def keep_only(self, services: Iterable[Service], at: Instant) -> None:
        """Services that are gone are remembered for a day."""
        alive = {service.id for service in services}
        for name, known in list(self._known.items()):
            known.there = name in alive
            if not known.there and (at.wall_ns - known.seen.wall_ns) * 1e-9 > REMEMBERED_SECONDS:
                del self._known[name]

    def remember(self) -> tuple[Remembered, ...]:
        return tuple(
            Remembered(service=name, identity=k.identity, levers=dict(k.levers), seen_wall_ns=k.seen.wall_ns)
            for name, k in self._known.items()
        )

    def recall(self, remembered: Sequence[Remembered]) -> None:
        """What was known before a restart of the agent; their services are gone until they are seen."""
        for one in remembered:
            seen = Instant(0, one.seen_wall_ns)
            self._known[one.service] = _Known(one.identity, dict(one.levers), one.service, seen, seen, there=False)

    def names(self) -> frozenset[str]:
        """Ids under which services are remembered, and those under which they were known before they left."""
        return frozenset(self._known) | frozenset(known.before for known in self._known.values())

    def known_before_as(self, service: Service) -> str:
        """The id under which it was known before it left, until `moved`."""
        known = self._known.get(service.id)
        return known.before if known is not None else service.id

    def moved(self, service: Service) -> None:
        """Whoever asked under which id it was known before has taken that in."""
        if (known := self._known.get(service.id)) is not None:
            known.before = service.id

    def forget(self, name: str) -> None:
        """One that is gone."""
        self._known.pop(name, None)

    def _adopt(self, service: Service, at: Instant) -> _Known:
        """A service that was never seen under this id: the one of its application that left, where that is one alone."""
        identity = Identity(framework=service.framework, application=service.application, owner=service.owner)
        left = [
            (name, known)
            for name, known in self._known.items()
            if (not known.there or known.levers.get(ORPHANED) is True)  # workers that outlive it are not the service
            and known.identity == identity
            and (at.wall_ns - known.seen.wall_ns) * 1e-9 <= MOVED_SECONDS
        ]
        if len(left) == 1:
            name, known = left[0]
            del self._known[name]
        else:
            known = _Known(identity, {}, service.id, at, at)
        self._known[service.id] = known
        return known
