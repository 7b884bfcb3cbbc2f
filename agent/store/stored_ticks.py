"""How do the rows of a running agent's shards become its ticks again?"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path

import msgspec

from agent.store.columns import known_kinds
from agent.store.files import DAY_SECONDS, shards
from agent.store.stored_shard import StoredShard, opened
from agent.store.tick_form import FAILED, UNSUPPORTED, KeptReading
from agent.store.ticks import Present
from collectors.reading import Failed, Instant, Ok, Outcome, Reading, Unsupported
from collectors.sample import Sample

START_NS = 5_000_000_000
"""The first tick comes within so long after the start of the agent."""
GONE = "nothing is stored any more of the run of the agent at that time"


class NotKept(Exception):  # noqa: N818 - an answer, not a fault
    """What is asked for is not stored any more."""


_DAY_MS = DAY_SECONDS * 1000
_KEPT: msgspec.msgpack.Decoder[list[KeptReading]] = msgspec.msgpack.Decoder(list[KeptReading])


class StoredTick(msgspec.Struct, frozen=True, kw_only=True):
    """One tick as it was kept. `present` None: services and what is known of them are as before. `whole`: all of its rows are
    still there. `asleep`: samples of which no rows are kept, of new processes, or, where `all_asleep`, of all; None = not
    kept with this tick."""

    at: Instant
    judged: bool
    readings: Sequence[Reading]
    present: Present | None = None
    whole: bool = True
    asleep: Sequence[Sample] | None = None
    all_asleep: bool = False


class StoredTicks:
    """The ticks of one run of the agent, named by its start. A context manager; all methods raise sqlite3.Error."""

    def __init__(self, state_path: Path, started_ns: int, days: range | None = None) -> None:
        """`days`: since 1970, those of which ticks are wanted, so that a shard that is broken spoils no other day; None = all.
        Raises NotKept where nothing of the run is kept there."""
        self._stack = ExitStack()
        self._shards: dict[int, StoredShard] = {}
        kinds = known_kinds()
        for day, path in shards(state_path).items():
            shard = opened(path, started_ns, kinds) if days is None or day in days else None
            if shard is not None:
                self._shards[day] = shard
                self._stack.callback(shard.close)
        if not self._shards:
            raise NotKept(GONE)
        self.run = next(iter(self._shards.values())).read_run(started_ns)

    def __enter__(self) -> "StoredTicks":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def first_mono_ns(self) -> int | None:
        """Of the oldest tick that is kept; None where there is none."""
        found = [first for shard in self._shards.values() if (first := shard.first_mono_ns()) is not None]
        return min(found, default=None)

    def begins_with(self, mono_ns: int) -> bool:
        """Whether this tick is the first of the run, and not only the first that is left of it."""
        found = [wall_ns for shard in self._shards.values() if (wall_ns := shard.wall_ns(mono_ns)) is not None]
        return bool(found) and abs(found[0] - self.run.started_ns) <= START_NS

    def count(self, first_mono_ns: int, last_mono_ns: int) -> int:
        """How many there are between, both included."""
        return sum(shard.count(first_mono_ns, last_mono_ns) for shard in self._shards.values())

    def present(self, mono_ns: int) -> Present:
        """What was there as of this tick. Raises NotKept."""
        found = [one for shard in self._shards.values() if (one := shard.present_at(mono_ns)) is not None]
        if not found:
            raise NotKept(GONE)
        return max(found, key=lambda one: one[0])[1]

    def asleep(self, mono_ns: int) -> Sequence[Sample]:
        """The samples of which no rows are kept, as they were when they were kept last until this tick."""
        rows = sorted(
            (row for shard in self._shards.values() for row in shard.asleep_until(mono_ns)), key=lambda row: row[0]
        )
        start = max((number for number, (_, whole, _) in enumerate(rows) if whole), default=0)
        return [sample for _, _, samples in rows[start:] for sample in samples]

    def ticks(
        self, first_mono_ns: int, last_mono_ns: int, skip: Callable[[str, int], bool] = lambda kind, mono_ns: False
    ) -> Iterator[StoredTick]:
        """Those between, both included, oldest first; `present` and `asleep` say what was before the first. `skip`: whether the
        samples of a kind are left out of the tick at this instant."""
        streams = [shard.ticks(first_mono_ns, last_mono_ns) for shard in self._shards.values()]
        for mono_ns, wall_ns, judged, packed, shard in merge(*streams, key=lambda row: row[0]):
            readings, whole = self._readings(shard, Instant(mono_ns, wall_ns), packed, skip)
            asleep = shard.asleep_with(mono_ns) if mono_ns != first_mono_ns else None
            yield StoredTick(
                at=Instant(mono_ns, wall_ns),
                judged=bool(judged),
                readings=readings,
                present=shard.present_with(mono_ns) if mono_ns != first_mono_ns else None,
                whole=whole,
                asleep=None if asleep is None else asleep[1],
                all_asleep=asleep is not None and bool(asleep[0]),
            )

    def _readings(
        self, shard: StoredShard, at: Instant, packed: bytes, skip: Callable[[str, int], bool]
    ) -> tuple[list[Reading], bool]:
        readings, whole = [], True
        for kept in _KEPT.decode(packed):
            collector = shard.collectors[kept.collector]
            wall_ms = at.wall_ns // 1_000_000 + kept.wall_ms
            outcome: Outcome
            if kept.rows in (UNSUPPORTED, FAILED):
                outcome = _why_not(shard, kept)
            else:
                own = self._shards.get(wall_ms // _DAY_MS)
                samples, complete = ([], True) if own is None else own.samples(collector, wall_ms, at.mono_ns, skip)
                outcome = Ok(samples)
                whole &= not complete or len(samples) >= kept.rows
            readings.append(
                Reading(
                    collector=collector,
                    at=Instant(at.mono_ns + kept.mono_ns, wall_ms * 1_000_000),
                    duration_ns=kept.duration_ns,
                    cpu_ns=0,
                    late_ns=kept.late_us * 1000,
                    outcome=outcome,
                )
            )
        return readings, whole


def _why_not(shard: StoredShard, kept: KeptReading) -> Outcome:
    reason, hint = shard.document(tuple[str, str | None], kept.why or 0)
    return Failed(reason) if kept.rows == FAILED else Unsupported(reason, hint or "")
