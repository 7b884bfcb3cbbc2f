"""Which snapshots of a recording are kept while it plays, and which of them was in force at a moment?"""

import logging
import tempfile
import zlib
from array import array
from bisect import bisect_right
from functools import lru_cache
from math import inf

import msgspec

from advisor.board import timestamp
from advisor.documents import Snapshot, Timeline
from agent.http.encoded import encode
from agent.played import Played
from agent.snapshots import Snapshots
from agent.store.recorded_ticks import RecordedJudgement
from collectors.reading import Instant

MOST_MOMENTS = 40_000
"""A day of judgements every two seconds, some hundreds of megabytes on disk for a busy node."""
_READ_AT_ONCE = 4
"""A reader asks for the parts of one moment one after the other."""
_log = logging.getLogger(__name__)


class Moments:
    """A snapshot after each judgement, or after every N-th where there are more than `MOST_MOMENTS`: packed in a file without a
    name, so that memory holds a few bytes of each."""

    def __init__(self, judgements: int, most: int = MOST_MOMENTS) -> None:
        """`judgements`: how many there will be."""
        self._every = max(1, -(-judgements // most))
        self._file = tempfile.TemporaryFile(prefix="nodewright-")  # noqa: SIM115 - it lives as long as this
        self._times = array("d")
        self._ends = array("Q", [0])
        self._instants: list[Instant] = []
        """The first and the last."""
        self._snapshots: Snapshots | None = None
        self._ticks = self._judgements = 0
        self._last: tuple[Instant, Snapshot] | None = None
        self._full = False
        self._read = lru_cache(_READ_AT_ONCE)(self._unpacked)

    def look(self, played: Played, judgement: RecordedJudgement) -> None:
        """Keep what is known after this judgement."""
        self._judgements += 1
        self._ticks = played.beat.ticks
        if self._snapshots is None:
            self._snapshots = Snapshots(played)
        if (self._judgements - 1) % self._every == 0 and not self._full:
            self._last = (judgement.at, self._snapshots.take(self._judgements))
            self._keep(*self._last)

    def last(self, played: Played) -> Snapshot:
        """The recording's last moment, also where the rules had judged before it."""
        self._ticks = played.beat.ticks
        if self._last is not None and self._last[0] == played.now:
            return self._last[1]
        snapshot = (self._snapshots or Snapshots(played)).take(self._judgements + 1)
        self._keep(played.now, snapshot)
        return snapshot

    def timeline(self) -> Timeline | None:
        if not self._instants:
            return None
        first, last = self._instants
        return Timeline(
            first=timestamp(first),
            last=timestamp(last),
            ticks=self._ticks,
            judgements=self._judgements,
            moments=tuple(self._times),
        )

    def at(self, seconds: float) -> Snapshot | None:
        """The newest that is not after `seconds` (Unix)."""
        number = bisect_right(self._times, seconds) - 1
        return self._read(number) if number >= 0 else None

    def close(self) -> None:
        self._file.close()

    def _keep(self, at: Instant, snapshot: Snapshot) -> None:
        packed = zlib.compress(encode(snapshot), 1)
        try:
            self._file.seek(self._ends[-1])
            self._file.write(packed)
            self._file.flush()
        except OSError as error:
            self._full = True
            _log.warning("no room for more moments of the recording", extra={"reason": error.strerror})
            return
        self._ends.append(self._ends[-1] + len(packed))
        self._times.append(at.wall_ns // 1_000_000 / 1000)
        self._instants = [self._instants[0] if self._instants else at, at]

    def _unpacked(self, number: int) -> Snapshot:
        start, end = self._ends[number], self._ends[number + 1]
        self._file.seek(start)
        return msgspec.json.decode(zlib.decompress(self._file.read(end - start)), type=Snapshot)


class RecordedPast:
    """The moments of a recording, as the interface asks for them."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments

    async def timeline(self, since: float | None, until: float | None) -> Timeline | None:
        found = self._moments.timeline()
        if found is None or (since is None and until is None):
            return found
        first, last = since if since is not None else 0.0, until if until is not None else inf
        return msgspec.structs.replace(found, moments=tuple(at for at in found.moments if first <= at < last))

    async def at(self, seconds: float, wait_seconds: float) -> Snapshot | None:
        return self._moments.at(seconds)
