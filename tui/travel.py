"""Which moment do the screens show: the present, or one that was kept, and what else is known of that moment?"""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
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
from tui.source import Answer, Picture, Source, Unreachable
from tui.stored import Stored

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
_WORKED_OUT = "past.computing"
_AGAIN_SECONDS = 0.25
_LEAST_GAP_SECONDS = 5.0
_SECOND = 0.999
"""Pictures say their time to the second: one is of the newest moment in that second."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A kept moment that is shown. `number` of `count`, from 1, where there are so many; `age_seconds` before the newest."""

    number: int | None
    count: int
    age_seconds: float
    gap_seconds: float | None
    """For how long nothing was seen before it; None = the moment before is as near as usual."""
    playing: bool
    recorded: bool
    """Of a recording; else it is one that these screens have seen, or that the agent has stored."""


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
        self.stored: Stored | None = None
        """What the agent has stored, where it has."""
        self._has_learnt = False

    @property
    def recorded(self) -> bool:
        return self._timeline is not None

    @property
    def times(self) -> Sequence[float]:
        """Moments that can be shown, oldest first, in Unix seconds."""
        if self._timeline is not None:
            return self._timeline.moments
        own = self._past.times
        return own if self.stored is None or not own else [*self.stored.before(own[0]), *own]

    @property
    def newest_time(self) -> float:
        """Raises IndexError where there is no moment."""
        return self.times[-1]

    async def learn(self) -> None:
        """Ask which moments the source has, until it has told. Raises Unreachable where it does not answer."""
        if self._has_learnt:
            return
        try:
            timeline = await self._source.get("timeline", Timeline)
        except Unreachable as error:
            if error.problem.key not in _NO_TIMELINE:
                raise
            self._has_learnt = error.problem.key != NOT_KEPT.key  # it may have stored something later
            return
        self._has_learnt = True
        if timeline.stretches:
            self.stored = Stored(self._source, timeline)
        else:
            self._timeline = timeline

    async def look_around(self, seconds: float = 0.0, at: float | None = None) -> None:
        """Learn which moments there are around where one goes: so far from what is shown, or to `at`. Raises Unreachable."""
        own = self._past.times
        if self.stored is None or not own:
            return
        start = own[-1] if self.at is None else self.at
        going = at if at is not None else start + seconds
        if going <= own[0] + max(1.0, abs(seconds)):
            await self.stored.look_around(going, own[0], own[-1])

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
            number=number if self.stored is None else None,
            count=len(times),
            age_seconds=max(0.0, times[-1] - self.at),
            gap_seconds=gap_before(times, number - 1),
            playing=self.playing,
            recorded=self.recorded,
        )

    def remembered(self) -> Picture | None:
        """The picture of the moment that is shown, where nobody has to be asked for it."""
        return None if self.at is None or self.recorded else self._past.at(self.at)

    async def picture(self, wait: Callable[[Problem], None] = lambda problem: None) -> Picture:
        """The same, asked for where it has to be. `wait` is told how far it is, while it is worked out. Raises Unreachable."""
        if (found := self.remembered()) is not None:
            return found
        node = await self.get("node", NodeStatus, wait)
        return Picture(
            node=node,
            services=await self.get("services", tuple[ServiceStatus, ...], wait),
            workers=await self.get("workers", tuple[WorkerStatus, ...], wait),
            advice=await self.get("advice", AdviceDocument, wait),
            self_status=await self.get("self", SelfStatus, wait),
        )

    async def get(
        self, name: str, kind: type[Answer], wait: Callable[[Problem], None] = lambda problem: None
    ) -> Answer:
        """What the source answers to `GET /v1/NAME` of the moment that is shown, asked again while it is worked out. Raises
        Unreachable."""
        at, asked = self.at, self.then(name)
        while True:
            try:
                return await self._source.get(asked, kind)
            except Unreachable as error:
                if error.problem.key != _WORKED_OUT or self.at != at:
                    raise
                wait(error.problem)
            await asyncio.sleep(_AGAIN_SECONDS)

    def then(self, name: str) -> str:
        """What to ask for `name` so that the answer is of the moment that is shown. Raises Unreachable where there is none."""
        head, _, query = name.partition("?")
        kind, _, part = head.partition("/")
        part = part.rpartition("/")[2]
        if self.at is None or self.is_newest or kind in OF_ALL_TIME or part == "history":
            return name
        if part == "series" and not self.recorded:  # it says itself of which time it is
            return name
        known = self.recorded or self.stored is not None
        if not known or not (head in OF_A_MOMENT or (kind, part) in PARTS_OF_A_MOMENT):
            raise Unreachable(NOT_KEPT)
        own = self.remembered() is not None
        return f"{head}?{query}{'&' if query else ''}at={self.at + _SECOND if own else self.at}"

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
