"""How does what was chosen become a picture: which documents are asked for, and what is drawn of them?"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from advisor.documents import Problem
from advisor.profiling.difference import ProfileDifference
from advisor.profiling.request import ProfileState
from advisor.profiling.sides import shown_side, totals
from advisor.profiling.stored import Side, StoredProfile
from tui.flame.change_graph import ChangeGraph
from tui.flame.graph import Graph, WorkGraph
from tui.flame.selection import Filters
from tui.profiles import Compared, One, Target
from tui.source import Unreachable

Ask = Callable[[str, Any], Awaitable[Any]]
KEPT = 6
"""Profiles that are held, so that going back to one is at once; a large one takes some 10 MiB."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was answered: one profile, or two (before, after) with what changed."""

    what: Target | Compared
    profiles: tuple[StoredProfile, ...]
    change: ProfileDifference | None = None


class Loader:
    """Asks with `ask` for documents, and keeps the last few."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: OrderedDict[Target, StoredProfile] = OrderedDict()

    def holds(self, what: Target | Compared) -> bool:
        """Whether nothing need be asked for."""
        return not isinstance(what, Compared) and what in self._kept

    def keep(self, profile: StoredProfile) -> None:
        self._put(One(profile.id), profile)

    async def load(self, what: Target | Compared, side: Side | None) -> Loaded:
        """Raises Unreachable. `side`: on which two profiles are compared."""
        if not isinstance(what, Compared):
            return Loaded(what, (await self._one(what),))
        base, other = await self._one(what.base), await self._one(what.other)
        change: ProfileDifference = await self._ask(what.query(side), ProfileDifference)
        return Loaded(what, (base, other), change)

    async def _one(self, target: Target) -> StoredProfile:
        if target not in self._kept:
            if isinstance(target, One):
                state: ProfileState = await self._ask(target.query, ProfileState)
                self._put(target, _profile_of(state))
            else:
                self._put(target, await self._ask(target.query, StoredProfile))
        self._kept.move_to_end(target)
        return self._kept[target]

    def _put(self, target: Target, profile: StoredProfile) -> None:
        self._kept[target] = profile
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def graph_of(loaded: Loaded, filters: Filters) -> Graph:
    """Takes some 0.1 s for 10,000 stacks."""
    if loaded.change is not None:
        base, other = loaded.profiles
        return ChangeGraph(base, other, loaded.change, filters)
    return WorkGraph(loaded.profiles[0], filters)


def first_side(loaded: Loaded) -> Side:
    """The side that is shown where none was asked for."""
    if loaded.change is not None:
        return loaded.change.side
    return next((s for one in loaded.profiles if totals(one)[s := shown_side(one)]), "cpu")


def _profile_of(state: ProfileState) -> StoredProfile:
    if state.profile is not None:
        return state.profile
    if state.state == "running":
        hint = f"it takes {state.seconds:g} s; it appears then"
        raise Unreachable(Problem("profile.running", "this profile is being taken", hint))
    reason = state.reason or "this profile is not kept any more"
    raise Unreachable(Problem("profile.failed", reason, state.hint or "press t to take another"))
