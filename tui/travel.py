"""Which moment do the screens show: the present, or one that was kept, and what else is known of that moment?"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import msgspec

from advisor.documents import (
    AdviceDocument,
    NodeStatus,
    Problem,
    SelfStatus,
    ServiceStatus,
    Timeline,
    WorkerStatus,
)
from tui.past import Past, instant
from tui.source import Picture, Source, Unreachable

OF_A_MOMENT = frozenset({"node", "services", "workers", "models", "migration", "advice", "self"})
"""What a recording answers of any moment of it."""
PARTS_OF_A_MOMENT = frozenset({("workers", "threads"), ("advice", "series")})
"""Likewise, of one of them."""
OF_ALL_TIME = frozenset({"rules", "series", "history", "profiles", "outcomes", "timeline"})
"""What says itself of which time it is."""
PAST = Problem("past", "what is shown is past", "press . for the present")
"""Why nothing can be done there."""
NOT_KEPT = Problem("past.not-kept", "this is not kept of the past", "press . for the present")
_NO_TIMELINE = frozenset({"past.not-kept", "path.unknown", "not-found"})
_LEAST_GAP_SECONDS = 5.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A kept moment that is shown. `number` of `count`, from 1; `age_seconds` before the newest."""

    number: int
    count: int
    age_seconds: float
    gap_seconds: float | None
    """For how long nothing was seen before it; None = the moment before is as near as usual."""
    playing: bool
    recorded: bool
    """Of a recording; else it is one that these screens have seen."""


class Travel:
    """Where the screens are in time. `at` None: in the present."""

    def __init__(self, source: Source) -> None:
        self.at: float | None = None
        """Unix seconds."""
        self.playing = False
        self.newest: Picture | None = None
        self._source = source
        self._past = Past()
        self._timeline: Timeline | None = None
        self._has_learnt = False

    @property
    def recorded(self) -> bool:
        return self._timeline is not None

    @property
    def times(self) -> Sequence[float]:
        """Moments that can be shown, oldest first, in Unix seconds."""
        return self._past.times if self._timeline is None else self._timeline.moments

    async def learn(self) -> None:
        """Ask once which moments the source has. Raises Unreachable where it does not answer."""
        if self._has_learnt:
            return
        try:
            self._timeline = await self._source.get("timeline", Timeline)
        except Unreachable as error:
            if error.problem.key not in _NO_TIMELINE:
                raise
        self._has_learnt = True

    def arrived(self, picture: Picture) -> None:
        self.newest = picture
        if self._timeline is None:
            self._past.take(picture)

    def to(self, at: float) -> bool:
        """Go to the newest moment that is not after `at`, or to the oldest; False where there is none before `at`."""
        number = bisect_right(self.times, at) - 1
        if self.times:
            self.at = self.times[max(0, number)]
        return number >= 0

    def step(self, by: int) -> bool:
        """Go on by so many moments, back where negative; False where the oldest is shown already."""
        times = self.times
        number = len(times) - 1 if self.at is None else bisect_right(times, self.at) - 1
        if times:
            self.at = times[max(0, min(len(times) - 1, number + by))]
        return by > 0 or number > 0

    def move(self, seconds: float) -> bool:
        """Go on by so much time, back where negative; False where the oldest is shown already."""
        times = self.times
        if not times:
            return False
        start = times[-1] if self.at is None else self.at
        if seconds > 0:
            self.at = times[min(len(times) - 1, bisect_left(times, start + seconds))]
            return True
        self.to(start + seconds)
        return start > times[0]

    def now(self) -> None:
        self.at, self.playing = None, False

    @property
    def is_newest(self) -> bool:
        return self.at is None or not self.times or self.at >= self.times[-1]

    def moment(self) -> Moment | None:
        """What is shown; None in the present."""
        times = self.times
        if self.at is None or not times:
            return None
        number = bisect_right(times, self.at)
        return Moment(
            number=number,
            count=len(times),
            age_seconds=max(0.0, times[-1] - self.at),
            gap_seconds=gap_before(times, number - 1),
            playing=self.playing,
            recorded=self.recorded,
        )

    def remembered(self) -> Picture | None:
        """The picture of the moment that is shown, where nobody has to be asked for it."""
        return None if self.at is None or self.recorded else self._past.at(self.at)

    async def picture(self) -> Picture:
        """The same, asked for where it has to be. Raises Unreachable."""
        if (found := self.remembered()) is not None:
            return found
        get = self._source.get
        return Picture(
            node=await get(self.then("node"), NodeStatus),
            services=await get(self.then("services"), tuple[ServiceStatus, ...]),
            workers=await get(self.then("workers"), tuple[WorkerStatus, ...]),
            advice=await get(self.then("advice"), AdviceDocument),
            self_status=await get(self.then("self"), SelfStatus),
        )

    def then(self, name: str) -> str:
        """What to ask for `name` so that the answer is of the moment that is shown. Raises Unreachable where there is none."""
        head, _, query = name.partition("?")
        kind, _, part = head.partition("/")
        part = part.rpartition("/")[2]
        if self.is_newest or kind in OF_ALL_TIME or part == "history":
            return name
        if part == "series" and not self.recorded:  # it says itself of which time it is
            return name
        if not self.recorded or not (head in OF_A_MOMENT or (kind, part) in PARTS_OF_A_MOMENT):
            raise Unreachable(NOT_KEPT)
        return f"{head}?{query}{'&' if query else ''}at={self.at}"

    def is_past(self, at: str) -> bool:
        """Whether something that happened `at` (ISO 8601) had happened at the moment that is shown."""
        seconds = instant(at)
        return self.at is None or seconds is None or seconds <= self.at


def gap_before(times: Sequence[float], number: int) -> float | None:
    """How long nothing was seen before the moment of this index; None where it is about as long as before other moments."""
    if number < 1:
        return None
    step = times[number] - times[number - 1]
    nearby = times[max(0, number - 20) : number + 20]
    usual = median(later - earlier for earlier, later in pairwise(nearby))
    return step if step > max(_LEAST_GAP_SECONDS, 2.5 * usual) else None
