"""How far are the profiles that were asked for here?"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from advisor.profiling.request import ProfileState
from tui.source import Unreachable

REMEMBERED = 6
"""Ended ones; those that are done stand in the agent's list anyway."""


class AskedProfiles:
    """Asks for each that runs until it has ended."""

    def __init__(self, ask: Callable[[str, Any], Awaitable[Any]]) -> None:
        self._ask = ask
        self._states: dict[str, ProfileState] = {}

    @property
    def states(self) -> tuple[ProfileState, ...]:
        """In the order in which they were asked for."""
        return tuple(self._states.values())

    @property
    def running(self) -> bool:
        return any(one.state == "running" for one in self._states.values())

    def begin(self, state: ProfileState) -> None:
        self._states[state.id] = state
        for name in [one.id for one in self.states if one.state != "running"][:-REMEMBERED]:
            del self._states[name]

    async def follow(self) -> list[ProfileState]:
        """Those that have ended since, done or failed. Raises Unreachable where nobody answers."""
        ended = []
        for one in self.states:
            if one.state == "running" and (now := await self._now(one)).state != "running":
                self._states[one.id] = msgspec.structs.replace(now, profile=None)
                ended.append(now)
        return ended

    async def _now(self, one: ProfileState) -> ProfileState:
        try:
            state: ProfileState = await self._ask(f"profiles/{one.id}", ProfileState)
        except Unreachable as error:
            if error.problem.key != "profile.unknown":
                raise
            reason, hint = "the agent does not know it any more", "it was restarted; press t to ask again"
            return msgspec.structs.replace(one, state="failed", reason=reason, hint=hint)
        return state
