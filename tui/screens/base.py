"""What is the same on every screen: the status line, the footer, and the page that stands in for missing data?"""

import pkgutil
from abc import abstractmethod
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from advisor.documents import NodeStatus
from collectors import frameworks
from tui import format as fmt
from tui.source import Answer, Picture
from tui.state import State
from tui.travel import Travel
from tui.widgets.key_line import KeyLine
from tui.widgets.notice import Notice
from tui.widgets.status_line import StatusLine
from tui.widgets.tab_line import TabLine


class StateScreen(Screen[None]):
    """Shows the app's `state`: a body where there is something to show, a notice where there is not."""

    DEFAULT_CSS = """
    StateScreen { overflow: hidden; }
    StateScreen > ContentSwitcher { height: 1fr; }
    """
    NAME: ClassVar[str]
    """Of its mode, in one word."""
    LETTER: ClassVar[str]
    """The key that leads there, beside its number."""
    LABEL: ClassVar[str]
    """In the line of screens and on the help page."""
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Its own keys and what they do, for the help page."""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]
    WITHOUT_BODY: ClassVar[frozenset[str]] = frozenset()
    """Its own actions that are possible where there is nothing to show."""
    state: State | None = None
    """As last shown."""

    _own_actions: ClassVar[frozenset[str]] = frozenset()
    """Of its BINDINGS: asked for each key of each line of keys."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        bindings = [one for one in cls.BINDINGS if isinstance(one, Binding)]
        cls._own_actions = frozenset(one.action.partition("(")[0] for one in bindings)

    def __init__(self) -> None:
        super().__init__()
        self._focused_on: dict[str, Widget] = {}
        """By page."""

    @abstractmethod
    def body(self) -> Widget:
        """The widget that shows a picture; its id is `body`."""

    @abstractmethod
    def show(self, picture: Picture) -> None:
        """Fill the body."""

    def absence(self, picture: Picture) -> tuple[str, ...]:
        """Headline and sentences where `picture` has nothing to fill the body with; empty where it has."""
        return () if picture.services else no_server_text(picture.node)

    async def ask(self, name: str, kind: type[Answer]) -> Answer:
        """What the source answers to `GET /v1/NAME`, of the moment that is shown. Raises Unreachable."""
        travel: Travel = self.app.travel  # type: ignore[attr-defined]
        return await travel.get(name, kind)

    def compose(self) -> ComposeResult:
        yield StatusLine()
        yield TabLine([(one.NAME, one.LABEL) for one in self.app.screens_in_order], self.NAME)  # type: ignore[attr-defined]
        with ContentSwitcher(initial="notice"):
            yield Notice(id="notice")
            yield self.body()
        yield KeyLine()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with what is shown is not offered where nothing is."""
        if action in self.WITHOUT_BODY or action not in self._own_actions or not self.is_mounted:
            return True
        return self.query_one(ContentSwitcher).current == "body"

    def on_mount(self) -> None:
        self.watch(self.app, "state", self._show_state)

    def _show_state(self, state: State) -> None:
        self.state = state
        self.query_one(StatusLine).state = state
        switcher, notice = self.query_one(ContentSwitcher), self.query_one(Notice)
        absence = connection_text(state) if state.picture is None else self.absence(state.picture)
        if state.picture is not None and not absence:
            self.turn(switcher, "body")
            self.show(state.picture)
            return
        self.turn(switcher, "notice")
        notice.say(*absence)

    def turn(self, switcher: ContentSwitcher, page: str) -> None:
        """Show a page of `switcher`; what had the focus when it was left has it again."""
        if switcher.current == page:
            return
        if switcher.current is not None and self.focused is not None:
            self._focused_on[switcher.current] = self.focused
        switcher.current = page
        self.refresh_bindings()
        before = self._focused_on.get(page)
        if before is not None and before.is_attached:
            self.call_after_refresh(self.set_focus, before, False)


def no_server_text(node: NodeStatus) -> tuple[str, ...]:
    """What is said of a node on which nothing is served."""
    return (
        f"No model server runs on {node.node}",
        f"Looked for: {', '.join(framework_names())}.",
        "A server that starts appears here within a few seconds.",
        "One that is not recognised can be named in the configuration: nodewright config schema.",
        *([f"It has {fmt.count(len(node.gpus), 'GPU')}: press g."] if node.gpus else []),
    )


def connection_text(state: State) -> tuple[str, ...]:
    """What is said before the first picture."""
    if state.problem is None:
        return (f"Connecting to {state.origin}", "The first answer is on its way.")
    return (
        f"No connection to {state.origin}",
        f"Reason: {state.problem.message}.",
        f"What helps: {state.problem.hint}",
        f"Trying again every second; {fmt.count(state.failures, 'attempt')} so far. Press r to try now.",
    )


def framework_names() -> list[str]:
    """The serving frameworks that there is a file for; nothing is imported."""
    return sorted(info.name.replace("_", "-") for info in pkgutil.iter_modules(frameworks.__path__))
