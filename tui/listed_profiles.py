"""Which profiles are there at the moment that is shown, and when is the agent asked for them again?"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from advisor.documents import Problem
from advisor.profiling.header import ProfileHeader
from advisor.profiling.request import ProfileState
from tui.asked_profiles import AskedProfiles
from tui.profiles import Entry, entries
from tui.source import Unreachable

LIST_SECONDS = 5.0
"""How often the list is asked for while it is looked at and no profile is being taken."""
MOST_LISTED = 200


class ListedProfiles:
    """What the agent keeps, and what was asked for here. A moment (Unix seconds) is None for the present."""

    def __init__(self, ask: Callable[[str, Any], Awaitable[Any]]) -> None:
        self.asked = AskedProfiles(ask)
        self.problem: Problem | None = None
        """Why the last answer is missing."""
        self._ask = ask
        self._headers: tuple[ProfileHeader, ...] | None = None
        self._at = 0.0
        self._as_of: float | None = None
        self._asking = False

    @property
    def answered(self) -> bool:
        """Whether the agent has told its list at least once."""
        return self._headers is not None

    def entries(self, then: float | None) -> list[Entry]:
        """Those that there were: what was asked for and is not kept first, then the newest."""
        return [one for one in entries(self._headers or (), self.asked.states) if one.was_there(then)]

    def due(self, then: float | None) -> bool:
        """Whether it should be asked for now."""
        if self._asking:
            return False
        waits = 0.0 if self.asked.running else LIST_SECONDS
        return not self.answered or self._as_of != then or time.monotonic() >= self._at + waits

    async def follow(self, then: float | None) -> list[ProfileState]:
        """Ask; those that had been asked for here and have ended since. What is being taken first: what is done by then
        stands in the list."""
        self._at, self._as_of, self._asking = time.monotonic(), then, True
        ended: list[ProfileState] = []
        try:
            ended = await self.asked.follow()
            until = "" if then is None else f"&end={then:.3f}"
            self._headers = await self._ask(f"profiles?limit={MOST_LISTED}{until}", tuple[ProfileHeader, ...])
            self.problem = None
        except Unreachable as error:
            self.problem = error.problem
        finally:
            self._asking = False
        return ended
