"""What do the workers spend their time on, and what changed between two profiles?"""

import asyncio
import time
from typing import ClassVar, Literal

from textual import on
from textual.binding import Binding, BindingType
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Input, OptionList

from advisor.documents import Problem
from advisor.profiling.header import ProfileHeader
from advisor.profiling.request import ProfileRequest, ProfileState
from tui import format as fmt
from tui.asked_profiles import AskedProfiles
from tui.flame.loading import Loader
from tui.messages import Refused, Told
from tui.profiles import SPANS, Compared, Entry, One, Span, Target, entries, none_text, unix_seconds, unreadable_text
from tui.screens.ask_profile import AskProfileScreen
from tui.screens.base import StateScreen
from tui.source import Picture, Source, Unreachable
from tui.state import State
from tui.widgets.icicle import Icicle
from tui.widgets.profile_body import ProfileBody
from tui.widgets.profile_list import ProfileList

LIST_SECONDS = 5.0
"""How often the list is asked for while it is looked at."""
BEAT_SECONDS = 1.0
"""The same while a profile is being taken."""
SETTLE_SECONDS = 0.12
"""For so long the highlight must rest on a profile that is not at hand before it is asked for."""
MOST_LISTED = 200


class ProfileScreen(StateScreen):
    """The profiles at the top, the chosen one below them as an icicle. On a low terminal the list makes room for it."""

    NAME, LETTER, LABEL = "profile", "p", "Profile"
    KEYS = (
        ("enter, esc", "from the list to the graph and back"),
        ("hjkl, ←↓↑→", "to what called, was called, and beside it"),
        ("enter", "in the graph, or a click: zoom in; backspace: back; 0: all"),
        ("/, ], [", "search frames; next and previous match"),
        ("v, G, I", "next side; GIL holders only; waiting threads"),
        ("T, F, U", "per thread; native frames out; unfold frames"),
        ("M", "all profiles of the service in 15 min … 24 h as one"),
        ("d", "difference: d on the one before, d on the one after"),
        ("n", "ask for a new profile"),
        ("y", "copy the whole name of the frame"),
    )
    DEFAULT_CSS = """
    ProfileScreen #profiles { height: auto; max-height: 5; border-bottom: none; }
    ProfileScreen.-tall #profiles { max-height: 10; }
    ProfileScreen.-short #profiles.-away { display: none; }
    ProfileScreen.-tall ProfileHead { margin: 1 0; }
    ProfileScreen.-tall ClassLegend { height: 2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New"),
        Binding("d", "compare", "Diff"),
        Binding("slash", "search", "Search"),
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

    def __init__(self) -> None:
        super().__init__()
        self._headers: tuple[ProfileHeader, ...] | None = None
        self._problem: Problem | None = None
        self._asked = AskedProfiles(self.ask)
        self._listed_at = 0.0
        self._listing = False
        self._base: str | None = None
        self._comparing = False
        self._span: Span | None = None
        self._wanted: Target | Compared | str | None = None
        """What is drawn or on its way; of an entry without a profile its id and state."""
        self._choice: str | None = None
        """A profile that is highlighted as soon as it is listed."""
        self.loader = Loader(self.ask)

    def body(self) -> Widget:
        return ProfileBody(id="body")

    def absence(self, picture: Picture) -> tuple[str, ...]:
        if self._entries():
            return ()
        if self._problem is not None:
            return unreadable_text(self._problem)
        if self._headers is None:
            return ("Asking for the profiles", "The list is on its way.")
        return none_text(picture, [service.name for service in picture.services])

    def show(self, picture: Picture) -> None:
        profiles = self.query_one(ProfileList)
        listed = self._entries()
        profiles.show(listed, self._now(), self._base, self.size.width)
        if self._choice is not None and any(one.id == self._choice for one in listed):
            profiles.choose(self._choice)
            self._choice = None
        if self.focused is None and self.is_current:
            profiles.focus()
        self._draw_chosen()

    def _show_state(self, state: State) -> None:
        super()._show_state(state)
        if self._headers is None:
            self._ask_for_list()

    def on_mount(self) -> None:
        self.set_interval(BEAT_SECONDS, self._ask_for_list)

    def on_screen_resume(self) -> None:
        if self.state is not None:
            self._show_state(self.state)
            self._ask_for_list()

    def on_resize(self) -> None:
        if self.state is not None:
            self._show_state(self.state)

    def _ask_for_list(self, now: bool = False) -> None:
        """Where that is due, and somebody looks."""
        if not self.is_current or self.state is None or self.state.picture is None or self.state.problem is not None:
            return
        due = self._listed_at + (0.0 if self._asked.running else LIST_SECONDS)
        if not self._listing and (now or self._headers is None or time.monotonic() >= due):
            self._listed_at, self._listing = time.monotonic(), True
            self.run_worker(self._list(), group="list")

    async def _list(self) -> None:
        """What is being taken first: what is done by then stands in the list."""
        try:
            for ended in await self._asked.follow():
                self._tell_of(ended)
            self._headers = await self.ask(f"profiles?limit={MOST_LISTED}", tuple[ProfileHeader, ...])
            self._problem = None
        except Unreachable as error:
            self._problem = error.problem
        finally:
            self._listing = False
        self._again()

    def _tell_of(self, ended: ProfileState) -> None:
        """It is drawn as soon as it is listed."""
        self._choice = ended.id
        if ended.profile is not None:
            self.loader.keep(ended.profile)
        done = ended.state == "done"
        how = "is done" if done else f"failed: {ended.reason} ({ended.hint})"
        self.post_message(Told(f"profile of {fmt.plain(ended.target)} {how}", good=done))

    def _again(self) -> None:
        if self.state is not None and self.is_mounted:
            super()._show_state(self.state)

    def _entries(self) -> list[Entry]:
        return entries(self._headers or (), self._asked.states)

    def _chosen(self) -> Entry | None:
        chosen = self.query_one(ProfileList).chosen
        return next((one for one in self._entries() if one.id == chosen), None)

    def _now(self) -> float:
        picture = None if self.state is None else self.state.picture
        return 0.0 if picture is None else unix_seconds(picture.node.at)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self) -> None:
        self._draw_chosen()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_focus_graph()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        profiles = self.query_one(ProfileList)
        profiles.set_class(event.widget is not profiles, "-away")

    def _draw_chosen(self) -> None:
        """Draw what is wanted now, unless that is drawn."""
        body, entry = self.query_one(ProfileBody), self._chosen()
        if entry is None:
            return
        if entry.state != "done" and self._span is None:
            if self._wanted != f"{entry.id} {entry.state}":
                self._wanted = f"{entry.id} {entry.state}"
                self.workers.cancel_group(self, "draw")
                body.say_of(entry)
            return
        wanted = self._what(entry)
        if wanted != self._wanted:
            self._wanted = wanted
            self.run_worker(self._draw(wanted), group="draw", exclusive=True)

    def _what(self, entry: Entry) -> Target | Compared:
        if self._span is not None:
            return Compared(self._span.before, self._span) if self._comparing else self._span
        if self._comparing and self._base is not None and self._base != entry.id:
            return Compared(One(self._base), One(entry.id))
        return One(entry.id)

    async def _draw(self, what: Target | Compared) -> None:
        if not self.loader.holds(what):
            await asyncio.sleep(SETTLE_SECONDS)
        await self.query_one(ProfileBody).draw(self.loader, what)

    def _redraw(self) -> None:
        """Filters changed."""
        if self._wanted is not None and not isinstance(self._wanted, str):
            self.run_worker(self._draw(self._wanted), group="draw", exclusive=True)

    def action_focus_graph(self) -> None:
        self.query_one(Icicle).focus()

    def action_leave(self) -> None:
        """From the search to the graph, from what was found to all, from the graph to the list."""
        if not self.query_one(ProfileBody).end_search():
            self.query_one(ProfileList).focus()

    def action_search(self) -> None:
        self.query_one(ProfileBody).begin_search()

    @on(Input.Submitted, "#search")
    def _searched(self) -> None:
        self.query_one(ProfileBody).settle_search()

    def action_side(self, wanted: Literal["next", "gil", "wait"]) -> None:
        if self.query_one(ProfileBody).change_side(wanted):
            self._redraw()

    def action_filter(self, name: Literal["threads", "native"]) -> None:
        problem = self.query_one(ProfileBody).toggle(name)
        if problem is not None:
            self.post_message(Told(problem, good=False))
            return
        self._redraw()

    def action_copy_frame(self) -> None:
        node = self.query_one(Icicle).node
        if node is not None and node.name:
            self.app.copy_to_clipboard(node.name)
            self.post_message(Told(f"copied: {fmt.plain(node.name)}"))

    def action_span(self) -> None:
        """All profiles of the service in a longer and longer span as one; after the longest, the chosen one again."""
        entry = self._chosen()
        if entry is None or not entry.service:
            return
        longer = [seconds for seconds in SPANS if self._span is None or seconds > self._span.seconds + 1]
        end = self._now() if self._span is None else self._span.end
        self._span = Span(entry.service, end - longer[0], end) if longer else None
        self._base, self._comparing = None, False
        self._again()

    def action_compare(self) -> None:
        entry = self._chosen()
        if entry is None:
            return
        if self._comparing:
            self._base, self._comparing = None, False
        elif self._span is not None:
            self._comparing = True
        elif self._base is None and entry.state == "done":
            self._base = entry.id
            self.post_message(Told("this is the one before: go to the one after and press d again"))
        elif self._base == entry.id:
            self._base = None
        else:
            self._comparing = entry.state == "done"
        self._again()

    def action_new(self) -> None:
        """Ask of what, where asking can come to something at all."""
        source: Source = self.app.source  # type: ignore[attr-defined]
        picture = None if self.state is None else self.state.picture
        problem = source.read_only or (None if self.state is None else self.state.problem)
        if problem is not None or picture is None:
            self.post_message(Refused(problem or Problem("no-picture", "there is no connection yet", "wait for it")))
            return
        names = [service.name for service in picture.services]
        entry = self._chosen()
        target = entry.service if entry is not None and entry.service in names else names[0] if names else ""
        self.app.push_screen(AskProfileScreen(target, names), self._begin)

    def _begin(self, asked: ProfileRequest | None) -> None:
        if asked is not None:
            self.run_worker(self._post(asked), group="post")

    async def _post(self, asked: ProfileRequest) -> None:
        source: Source = self.app.source  # type: ignore[attr-defined]
        try:
            state = await source.post("profiles", asked, ProfileState)
        except Unreachable as error:
            self.post_message(Refused(error.problem))
            return
        self._asked.begin(state)
        self._choice, self._span, self._comparing = state.id, None, False
        self.post_message(Told(f"a profile of {fmt.plain(state.target)} is being taken; it takes {state.seconds:g} s"))
        self._again()
