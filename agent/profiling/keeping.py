"""How does a profile as it was taken become one that is kept: its stacks as text, with their class of work?"""

import os
from collections import Counter

import msgspec

from advisor.profiling.stack_work import StackRow, stack_work
from advisor.profiling.stored import StackSample, StoredKind, StoredProfile
from advisor.profiling.table import Table
from advisor.profiling.view import WorkerProfile
from collectors.entities import Service, WorkerKey
from collectors.profiles.profile import Profile, ProfileCost

WINDOW_SECONDS = 300.0
"""Probes of one worker are kept together, this long at most."""
STACKS_LIMIT = 5000


class Whose(msgspec.Struct, frozen=True):
    """The process of a profile. A process that belongs to no service has only a name."""

    key: WorkerKey
    service: str
    service_id: str
    slot: int | None

    @classmethod
    def of(cls, service: Service, key: WorkerKey) -> "Whose":
        slot = next((w.slot for w in service.workers if w.key == key), None)
        return cls(key, service.name, service.id, slot)


def new_id() -> str:
    """A name for a profile: 64 random bits, so that two programs may write into one file."""
    return os.urandom(8).hex()


def stored(
    profile: Profile, table: Table, whose: Whose, *, kind: StoredKind, reason: str, digest: WorkerProfile | None,
    name: str | None = None,
) -> StoredProfile:  # fmt: skip
    """One profile as it is kept."""
    rows: Counter[StackRow] = Counter()
    for row, count in stack_work(profile, table):
        rows[row] += count
    return StoredProfile(
        id=name or new_id(),
        at_unix_seconds=profile.at_unix_ns / 1e9,
        seconds=round(profile.seconds, 3),
        service=whose.service,
        service_id=whose.service_id,
        pid=profile.key.pid,
        started=profile.key.started,
        slot=whose.slot,
        kind=kind,
        reason=reason,
        hertz=profile.hertz,
        samples=profile.ticks or profile.gil_ticks,
        stacks=_samples(rows),
        digest=digest,
        missing=profile.missing,
        notes=profile.notes,
        cost=profile.cost,
    )


def gathered(
    whose: Whose, rows: "Counter[StackRow]", *, at_unix_ns: int, seconds: float, looks: int, cpu_seconds: float
) -> StoredProfile:
    """Probes of one worker as one profile."""
    return StoredProfile(
        id=new_id(),
        at_unix_seconds=at_unix_ns / 1e9,
        seconds=round(seconds, 3),
        service=whose.service,
        service_id=whose.service_id,
        pid=whose.key.pid,
        started=whose.key.started,
        slot=whose.slot,
        kind="continuous",
        reason="looked at now and then",
        hertz=round(looks / seconds, 4) if seconds > 0 else 0.0,
        samples=looks,
        stacks=_samples(rows),
        cost=ProfileCost(cpu_seconds=round(cpu_seconds, 6)),
    )


def _samples(rows: "Counter[StackRow]") -> tuple[StackSample, ...]:
    return tuple(
        StackSample(thread=row.thread, frames=row.frames, side=row.side, work=row.work, count=count)
        for row, count in rows.most_common(STACKS_LIMIT)
    )
