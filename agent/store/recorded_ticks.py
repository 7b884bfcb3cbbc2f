"""What happened in each tick of a recording, beside what was read?"""

from collections.abc import Iterator, Sequence
from sqlite3 import Connection
from typing import Generic, TypeVar

import msgspec

from collectors.reading import Instant, Reading

T = TypeVar("T")


class RecordedProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a judgement was told of the profiles of a service: `document` is the number of its JSON."""

    service: str
    generation: int
    age_seconds: float
    document: int


class RecordedJudgement(msgspec.Struct, frozen=True, kw_only=True):
    """When the rules judged, what they were told of profiles, and the digest of what was said then; empty = not known."""

    number: int
    at: Instant
    digest: str = ""
    profiles: tuple[RecordedProfile, ...] = ()


class RecordedChange(msgspec.Struct, frozen=True, kw_only=True):
    """All services and processes that are there from now on, as numbers of their JSON."""

    services: tuple[int, ...]
    processes: tuple[int, ...]


class RecordedTick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick. `change` None: services and what is known of them are as before. `acknowledged`: JSON by finding, None =
    taken back. Judgements come after all else."""

    at: Instant
    readings: Sequence[Reading]
    change: RecordedChange | None = None
    acknowledged: dict[str, bytes | None] = {}
    judgements: tuple[RecordedJudgement, ...] = ()


def recorded_ticks(connection: Connection, readings: Iterator[tuple[int, Reading]]) -> Iterator[RecordedTick]:
    """All whole ticks in order; `readings` come with the number of their tick. Raises sqlite3.Error."""
    taken = _ByTick(readings)
    changes = _ByTick(_changes(connection))
    acknowledged = _ByTick(_acknowledged(connection))
    judgements = _ByTick(_judgements(connection))
    for number, mono_ns, wall_ns in connection.execute("SELECT number, mono_ns, wall_ns FROM tick ORDER BY number"):
        yield RecordedTick(
            at=Instant(mono_ns, wall_ns),
            readings=taken.of(number),
            change=next(iter(changes.of(number)), None),
            acknowledged=dict(acknowledged.of(number)),
            judgements=tuple(judgements.of(number)),
        )


class _ByTick(Generic[T]):
    """Rows that come in order of the tick to which they belong."""

    def __init__(self, rows: Iterator[tuple[int, T]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def of(self, tick: int) -> list[T]:
        """Those of one tick; ask in order."""
        found = []
        while self._next is not None and self._next[0] <= tick:
            if self._next[0] == tick:
                found.append(self._next[1])
            self._next = next(self._rows, None)
        return found


def _changes(connection: Connection) -> Iterator[tuple[int, RecordedChange]]:
    for tick, services, processes in connection.execute("SELECT tick, services, processes FROM change ORDER BY tick"):
        found = (msgspec.json.decode(each, type=tuple[int, ...]) for each in (services, processes))
        yield tick, RecordedChange(services=next(found), processes=next(found))


def _acknowledged(connection: Connection) -> Iterator[tuple[int, tuple[str, bytes | None]]]:
    for tick, finding, body in connection.execute(
        "SELECT tick, finding, body FROM acknowledged ORDER BY tick, finding"
    ):
        yield tick, (finding, None if body is None else body.encode())


def _judgements(connection: Connection) -> Iterator[tuple[int, RecordedJudgement]]:
    seen = _ByTick(_profiles(connection))
    query = "SELECT number, tick, mono_ns, wall_ns, digest FROM judgement ORDER BY number"
    for number, tick, mono_ns, wall_ns, digest in connection.execute(query):
        at = Instant(mono_ns, wall_ns)
        yield tick, RecordedJudgement(number=number, at=at, digest=digest, profiles=tuple(seen.of(number)))


def _profiles(connection: Connection) -> Iterator[tuple[int, RecordedProfile]]:
    query = "SELECT judgement, service, generation, age_seconds, document FROM profile_seen ORDER BY judgement, service"
    for judgement, service, generation, age_seconds, document in connection.execute(query):
        yield (
            judgement,
            RecordedProfile(service=service, generation=generation, age_seconds=age_seconds, document=document),
        )
