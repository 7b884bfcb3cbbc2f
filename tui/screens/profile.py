"""What do the workers spend their time on, and what changed between two profiles?"""

import asyncio
from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Input, OptionList

from tui.flame.boxes import short
from tui.messages import CopyWanted, Told
from tui.profiles import Compared, Target
from tui.screens.profile_listing import ProfileListing
from tui.source import Picture
from tui.widgets.icicle import Icicle
from tui.widgets.profile_body import ProfileBody
from tui.widgets.profile_list import ProfileList

SETTLE_SECONDS = 0.12
"""For so long the highlight must rest on a profile that is not at hand before it is asked for."""
_LOST = frozenset({"connection", "connection-refused", "unknown-host"})
"""Problems that pass by themselves."""


class ProfileScreen(ProfileListing):
    """The profiles at the top, the highlighted one below them as an icicle. On a low terminal the list makes room for it."""

    NAME, LETTER, LABEL = "profile", "p", "Profile"
    KEYS = (
        ("enter, esc", "from the list to the graph and back"),
        ("hjkl, ←↓↑→", "graph: to what called, was called, and beside it"),
        ("enter", "graph, or a click: zoom in; backspace: back; 0: all"),
        ("/, n", "graph: search frames, the next match; list: its lines"),
        ("[, ]", "graph, while something is searched: match before, next"),
        ("v, G, I", "next side; GIL holders only; waiting threads"),
        ("T, F, U", "per thread; native frames out; unfold frames"),
        ("M", "all profiles of the service in 15 min … 24 h as one"),
        ("d", "difference: d on the one before, d on the one after"),
        ("t", "take a new profile"),
        ("y", "copy the whole name of the frame"),
    )
    DEFAULT_CSS = """
    ProfileScreen #profiles { height: auto; max-height: 5; border-bottom: none; }
    ProfileScreen.-tall #profiles { max-height: 10; }
    ProfileScreen.-short #profiles.-away { display: none; }
    ProfileScreen.-tall ProfileHead { margin: 1 0; }
    ProfileScreen.-tall ClassLegend { height: 2; }
    """
    WITHOUT_BODY = frozenset({"take"})
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "take", "Take"),
        Binding("d", "compare", "Diff"),
        Binding("right,l", "focus_graph", show=False),
        Binding("escape", "leave", show=False),
        Binding("v", "side('next')", show=False),
        Binding("G", "side('gil')", show=False),
        Binding("I", "side('wait')", show=False),
        Binding("T", "filter('threads')", show=False),
        Binding("F", "filter('native')", show=False),
        Binding("M", "span", show=False),
        Binding("y", "copy_frame", show=False),
    ]
    _wanted: Target | Compared | str | None = None
    """What is drawn or on its way; of an entry without a profile its id and state."""

    def forget(self) -> None:
        super().forget()
        self._wanted = None
        self.query_one(ProfileBody).forget()

    def body(self) -> Widget:
        return ProfileBody(id="body")

    def show(self, picture: Picture) -> None:
        super().show(picture)
        self._draw_wanted()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._draw_wanted()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_focus_graph()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        profiles = self.query_one(ProfileList)
        profiles.set_class(event.widget is not profiles, "-away")

    def _draw_wanted(self) -> None:
        """Draw what is wanted now, unless that is drawn."""
        entry = self.entry
        if entry is None:
            return
        what = self.choice.what(entry)
        wanted = f"{entry.id} {entry.state}" if what is None else what
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if what is None:
            self.workers.cancel_group(self, "draw")
            self.query_one(ProfileBody).say_of(entry)
        else:
            self._draw_anew()

    def _draw_anew(self) -> None:
        """The same may look different now: filters changed."""
        if self._wanted is not None and not isinstance(self._wanted, str):
            self.run_worker(self._draw(self._wanted), group="draw", exclusive=True)

    async def _draw(self, what: Target | Compared) -> None:
        body = self.query_one(ProfileBody)
        if not self.loader.holds(what, body.filters.side):
            body.say_asked(what)
            await asyncio.sleep(SETTLE_SECONDS)
        problem = await body.draw(self.loader, what)
        if problem is not None and problem.key in _LOST:
            self._wanted = None  # the next picture is a reason to try again

    def action_focus_graph(self) -> None:
        self.query_one(ProfileBody).focus_view()

    def action_leave(self) -> None:
        """From the search to the graph, from what was found to all, from the graph to the list."""
        if not self.query_one(ProfileBody).end_search():
            self.query_one(ProfileList).focus()

    def action_search(self) -> None:
        """Frames; the list searches its lines by itself."""
        self.query_one(ProfileBody).begin_search()

    @on(Input.Submitted, "#search")
    def _searched(self) -> None:
        self.query_one(ProfileBody).settle_search()

    def action_side(self, wanted: Literal["next", "gil", "wait"]) -> None:
        if self.query_one(ProfileBody).change_side(wanted):
            self._draw_anew()

    def action_filter(self, name: Literal["threads", "native"]) -> None:
        problem = self.query_one(ProfileBody).toggle(name)
        if problem is not None:
            self.post_message(Told(problem, good=False))
            return
        self._draw_anew()

    def action_copy_frame(self) -> None:
        node = self.query_one(Icicle).node
        if node is not None and node.name:
            self.post_message(CopyWanted(node.name, short(node.name)))

    def action_span(self) -> None:
        entry = self.entry
        if entry is not None and entry.service:
            self.choice.lengthen(entry, self.now)
            self.show_again()

    def action_compare(self) -> None:
        entry = self.entry
        if entry is not None:
            if self.choice.compare(entry):
                self.post_message(Told("this is the one before: go to the one after and press d again"))
            self.show_again()
