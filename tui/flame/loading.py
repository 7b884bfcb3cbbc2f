"""How does what was chosen become a picture: which documents are asked for, and what is drawn of them?"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from advisor.documents import Problem
from advisor.profiling.difference import ProfileDifference
from advisor.profiling.request import ProfileState
from advisor.profiling.stored import Side, StoredProfile
from tui.flame.change_graph import ChangeGraph
from tui.flame.graph import Graph, WorkGraph
from tui.flame.layout import Layout
from tui.flame.packed_profile import PackedProfile
from tui.flame.selection import Filters
from tui.profiles import Compared, One, Target
from tui.source import Unreachable

Name = TypeVar("Name")
Thing = TypeVar("Thing")
Ask = Callable[[str, Any], Awaitable[Any]]
KEPT = 6
"""Profiles that are held, so that going back to one is at once; one of 20,000 deep stacks takes some 10 MiB."""
PICTURES_KEPT = 6
"""Some 4 MiB each of such a profile."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was answered: one profile, or two (before, after) with what changed."""

    what: Target | Compared
    profiles: tuple[PackedProfile, ...]
    change: ProfileDifference | None = None


class Loader:
    """Asks with `ask` for documents, and keeps the last few."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._kept: OrderedDict[Target, PackedProfile] = OrderedDict()
        self._changes: OrderedDict[tuple[Compared, Side | None], ProfileDifference] = OrderedDict()
        self._pictures: OrderedDict[tuple[Target | Compared, Filters], Graph] = OrderedDict()

    def holds(self, what: Target | Compared, side: Side | None) -> bool:
        """Whether nothing need be asked for."""
        if isinstance(what, Compared):
            return (what, side) in self._changes and self.holds(what.base, side) and self.holds(what.other, side)
        return what in self._kept

    async def keep(self, profile: StoredProfile) -> None:
        await self._put(One(profile.id), profile)

    async def load(self, what: Target | Compared, side: Side | None) -> Loaded:
        """Raises Unreachable. `side`: on which two profiles are compared."""
        if not isinstance(what, Compared):
            return Loaded(what, (await self._one(what),))
        base, other = await self._one(what.base), await self._one(what.other)
        if (what, side) not in self._changes:
            put(self._changes, (what, side), await self._ask(what.query(side), ProfileDifference), PICTURES_KEPT)
        return Loaded(what, (base, other), self._changes[what, side])

    async def _one(self, target: Target) -> PackedProfile:
        if target not in self._kept:
            if isinstance(target, One):
                state: ProfileState = await self._ask(target.query, ProfileState)
                await self._put(target, _profile_of(state))
            else:
                await self._put(target, await self._ask(target.query, StoredProfile))
        self._kept.move_to_end(target)
        return self._kept[target]

    async def graph(self, loaded: Loaded, filters: Filters, width: int, fold: bool) -> Graph:
        """The picture; making it takes some 40 ms for 20,000 stacks, for which nobody should wait who goes back to it."""
        filters = replace(filters, side=filters.side or first_side(loaded))
        name = (loaded.what, filters)
        if name not in self._pictures:
            put(self._pictures, name, await asyncio.to_thread(drawable, loaded, filters, width, fold), PICTURES_KEPT)
        self._pictures.move_to_end(name)
        return self._pictures[name]

    async def _put(self, target: Target, profile: StoredProfile) -> None:
        put(self._kept, target, await asyncio.to_thread(PackedProfile, profile), KEPT)


def put(kept: OrderedDict[Name, Thing], name: Name, thing: Thing, most: int) -> None:
    """The oldest goes where there would be too many."""
    kept[name] = thing
    while len(kept) > most:
        kept.popitem(last=False)


def graph_of(loaded: Loaded, filters: Filters) -> Graph:
    if loaded.change is not None:
        base, other = loaded.profiles
        return ChangeGraph(base, other, loaded.change, filters)
    return WorkGraph(loaded.profiles[0], filters)


def drawable(loaded: Loaded, filters: Filters, width: int, fold: bool) -> Graph:
    """The same, with all looked up that is drawn of it first."""
    graph = graph_of(loaded, filters)
    for row in Layout(graph.flame, graph.flame.root, width, fold).rows:
        for cell in row:
            graph.look(cell.node)
    return graph


def first_side(loaded: Loaded) -> Side:
    """The side that is shown where none was asked for."""
    if loaded.change is not None:
        return loaded.change.side
    return next((one.first_side for one in loaded.profiles if one.samples[one.first_side]), "cpu")


def _profile_of(state: ProfileState) -> StoredProfile:
    if state.profile is not None:
        return state.profile
    if state.state == "running":
        hint = f"it takes {state.seconds:g} s; it appears then"
        raise Unreachable(Problem("profile.running", "this profile is being taken", hint))
    reason = state.reason or "this profile is not kept any more"
    raise Unreachable(Problem("profile.failed", reason, state.hint or "press t to take another"))
