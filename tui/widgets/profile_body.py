"""What stands below the list of profiles: the picture, what is said of it, and what it says of the box under the cursor?"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import ContentSwitcher, Input

from advisor.documents import Problem
from advisor.profiling.stored import Side
from tui import format as fmt
from tui.flame.graph import Graph
from tui.flame.loading import Loaded, Loader, first_side
from tui.flame.selection import ORDER, Filters
from tui.profile_titles import asked_title, nothing_text, problem_text, title_of
from tui.profiles import Compared, Entry, Target
from tui.source import Unreachable
from tui.widgets.class_legend import ClassLegend
from tui.widgets.frame_detail import FrameDetail
from tui.widgets.frame_search import FrameSearch
from tui.widgets.icicle import Icicle
from tui.widgets.notice import Notice
from tui.widgets.profile_head import Head, ProfileHead, way_to
from tui.widgets.profile_list import ProfileList


class ProfileBody(Vertical):
    """The list, and the picture of what `draw` was told to draw."""

    DEFAULT_CSS = """
    ProfileBody { layers: below above; }
    ProfileBody > * { layer: below; }
    ProfileBody #view { height: 1fr; }
    """

    def __init__(self, id: str) -> None:  # noqa: A002 - as every widget calls it
        super().__init__(id=id)
        self.filters = Filters()
        self._loaded: Loaded | None = None
        self._graph: Graph | None = None
        self._title: tuple[str, ...] = ()
        self._found: float | None = None
        self._samples: Mapping[Side, tuple[int, ...]] = {}
        self._has_native = False

    def compose(self) -> ComposeResult:
        yield ProfileList(id="profiles")
        yield ProfileHead()
        with ContentSwitcher(id="view", initial="why"):
            yield Icicle(id="icicle")
            why = Notice(id="why")
            why.can_focus = True  # in place of the picture: the focus stays where it is looked at
            yield why
        yield FrameDetail()
        yield ClassLegend()
        yield FrameSearch(id="search", placeholder="search: part of a function, file or library")

    async def draw(self, loader: Loader, what: Target | Compared) -> Problem | None:
        """Ask for what is not at hand and draw it, or say, and answer, why that cannot be."""
        try:
            loaded = await loader.load(what, self.filters.side)
        except Unreachable as error:
            self._graph = self._loaded = None
            self._say(*problem_text(error.problem))
            return error.problem
        side, icicle = self.filters.side or first_side(loaded), self.query_one(Icicle)
        has_some = any(one.samples[side] for one in loaded.profiles)
        size = icicle.size.width, icicle.fold
        graph = await loader.graph(loaded, self.filters, *size) if has_some else None
        self._loaded, self._graph, self._title = loaded, graph, title_of(loaded)
        self._samples = {one: tuple(profile.samples[one] for profile in loaded.profiles) for one in ORDER}
        self._has_native = any(one.has_native for one in loaded.profiles)
        if graph is None:
            self._say(*nothing_text(loaded.profiles[-1].head, side))
            self._show_head(side)
            return None
        self._turn("icicle")
        icicle.show(graph)
        self._search(self.query_one(Input).value)
        self.query_one(ClassLegend).entries = tuple(graph.legend())
        return None

    def forget(self) -> None:
        """Nothing is drawn."""
        self._graph = self._loaded = None
        self._say("")

    def say_asked(self, what: Target | Compared) -> None:
        """What is on its way; until it comes, the picture of before stays."""
        head = self.query_one(ProfileHead)
        if head.head is None:
            self._say("Asking for the profile", "It is on its way.")
        else:
            head.head = msgspec.structs.replace(head.head, title=asked_title(what))

    def say_of(self, entry: Entry) -> None:
        """Of a profile that is being taken, or that could not be."""
        about = fmt.plain(entry.service) or f"pid {entry.pid}"
        self._graph = self._loaded = None
        if entry.state == "running":
            lasts = f"It takes {entry.seconds:g} s and is drawn here when it is done."
            self._say(f"A profile of {about} is being taken", lasts)
        else:
            helps = f"What helps: {entry.hint}"
            self._say(f"A profile of {about} could not be taken", f"Reason: {entry.reason}.", helps)

    def change_side(self, wanted: Literal["next", "gil", "wait"]) -> bool:
        """`next`: of those that it has. Another: that, or back. Whether there is anything to draw anew."""
        if self._loaded is None:
            return False
        shown = self.filters.side or first_side(self._loaded)
        if wanted == "next":
            there = [side for side in ORDER if any(self._samples.get(side, ())) or side == shown]
            side: Side | None = there[(there.index(shown) + 1) % len(there)]
        else:
            side = None if shown == wanted else wanted
        self.filters = Filters(side, self.filters.threads, self.filters.native)
        return True

    def toggle(self, name: Literal["threads", "native"]) -> str | None:
        """Why that changes nothing here."""
        if name == "threads":
            self.filters = Filters(self.filters.side, not self.filters.threads, self.filters.native)
            return None
        if not self._has_native:
            return "its Python stacks hold no native frames: v shows native functions, t with native stacks takes both"
        self.filters = Filters(self.filters.side, self.filters.threads, not self.filters.native)
        return None

    def focus_view(self) -> None:
        """The picture, or what is said in its place."""
        view = self.query_one(ContentSwitcher).visible_content
        if view is not None:
            view.focus()

    def begin_search(self) -> None:
        if self._graph is not None:
            line = self.query_one(Input)
            line.add_class("-open")
            line.focus()

    def settle_search(self) -> None:
        """What was typed stays; the cursor goes to the first box that holds it."""
        self.query_one(Input).remove_class("-open")
        icicle = self.query_one(Icicle)
        icicle.focus()
        node = icicle.node
        if self._found and node is not None and self._graph is not None and not self._graph.flame.matches(node):
            icicle.action_next_match(1)

    def end_search(self) -> bool:
        """Whether there was one."""
        line = self.query_one(Input)
        if not line.value and not line.has_class("-open"):
            return False
        line.value = ""
        line.remove_class("-open")
        self.query_one(Icicle).focus()
        return True

    @on(Input.Changed, "#search")
    def _typed(self, event: Input.Changed) -> None:
        self._search(event.value)

    @on(Icicle.Moved)
    def _moved(self) -> None:
        icicle = self.query_one(Icicle)
        if self._graph is None or icicle.graph is not self._graph or icicle.node is None:
            return
        self.query_one(FrameDetail).shown = (self._graph, icicle.node, icicle.folded)
        self._show_head(self._graph.side)

    def _search(self, text: str) -> None:
        self._found = self.query_one(Icicle).search(text)
        if self._graph is not None:
            self._show_head(self._graph.side)

    def _show_head(self, side: Side) -> None:
        search, graph = self.query_one(Input).value, self._graph
        zoomed = self.query_one(Icicle).zoomed if graph is not None else None
        found = graph.found(self._found) if graph is not None and self._found else ""
        total = 0.0 if graph is None else graph.flame.total
        self.query_one(ProfileHead).head = Head(
            title=self._title, side=side, samples=self._samples, filters=self.filters, has_native=self._has_native,
            zoom=() if zoomed is None else way_to(zoomed),
            zoom_share=1.0 if zoomed is None or not total else zoomed.weight / total,
            search=search if graph is not None else "", found=found, missing=self._missing(),
        )  # fmt: skip

    def _missing(self) -> tuple[str, ...]:
        profiles = () if self._loaded is None else self._loaded.profiles
        return tuple(
            dict.fromkeys(f"{one.part}: {one.reason} ({one.hint})" for it in profiles for one in it.head.missing)
        )

    def _say(self, headline: str, *sentences: str) -> None:
        self._turn("why")
        self.query_one("#why", Notice).say(headline, *sentences)
        self.query_one(FrameDetail).shown = None
        self.query_one(ClassLegend).entries = ()
        self.query_one(ProfileHead).head = None

    def _turn(self, page: str) -> None:
        view = self.query_one(ContentSwitcher)
        before, view.current = view.visible_content, page
        if before is not None and before.has_focus and view.visible_content is not None:
            view.visible_content.focus()
