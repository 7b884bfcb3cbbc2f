"""How does the terminal interface run: which screens, which keys, and when is the source asked?"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import ClassVar

import msgspec
from click import ClickException
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen

from advisor.documents import Problem
from advisor.finding import Finding
from tui.ascii import AsciiFilter
from tui.commands import commands_of
from tui.export import svg_of, text_of, usual_name
from tui.messages import (
    Acted,
    ActWanted,
    AdviceWanted,
    Arrived,
    CopyWanted,
    HistoryArrived,
    HistoryWanted,
    Lost,
    Refused,
    Told,
    Verifying,
    VerifyWanted,
    WorkersWanted,
)
from tui.nodes import Nodes
from tui.screens.act import ActScreen
from tui.screens.advice import AdviceScreen
from tui.screens.base import StateScreen
from tui.screens.export import ExportScreen
from tui.screens.gpus import GpusScreen
from tui.screens.help import HelpScreen
from tui.screens.migration import MigrationScreen
from tui.screens.nodes import NodesScreen
from tui.screens.overview import OverviewScreen
from tui.screens.profile import ProfileScreen
from tui.screens.verify import VerifyScreen
from tui.screens.workers import WorkersScreen
from tui.source import Act, Source, Unreachable
from tui.state import Notice, State
from tui.themes import DEFAULT, THEMES, theme_name
from tui.time_keys import TimeTraveller, gap_text
from tui.travel import PAST, Travel

SCREENS: tuple[type[StateScreen], ...] = (
    OverviewScreen,
    WorkersScreen,
    AdviceScreen,
    GpusScreen,
    ProfileScreen,
    MigrationScreen,
)
"""In the order of their numbers."""
NOTICE_SECONDS = 8.0
SWITCHING_SECONDS = 0.001
"""In which nothing is written when another screen is opened. Textual waits 50 ms."""
ONE_NODE = Problem("nodes", "no other node is known", 'name them in the configuration: [nodes."NAME"] url = "…"')
_DONE = {"acknowledged": "acknowledged", "snoozed": "snoozed"}


class TopApp(TimeTraveller):
    """`nodewright top`. Asks `source` every `interval_seconds`; keeps asking when it has nothing. `owner` is who
    acknowledges."""

    TITLE = "nodewright"
    CSS = """
    TopApp:nocolor OptionList > .option-list--option-highlighted { background: #5a5a5a; }
    TopApp:nocolor WorkerTree > .worker-tree--cursor { background: #5a5a5a; }
    """
    screens_in_order = SCREENS
    MODES = {screen.NAME: screen for screen in SCREENS}
    DEFAULT_MODE = SCREENS[0].NAME
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number},{screen.LETTER}", f"switch_mode('{screen.NAME}')", screen.LABEL, show=False)
            for number, screen in enumerate(SCREENS, 1)
        ),
        *TimeTraveller.TIME_BINDINGS,
        Binding("ctrl+p,colon", "command_palette", "All that can be done", show=False),
        Binding("E", "export", "Write this view into a file", show=False),
        Binding("N", "nodes", "Nodes", show=False),
        Binding("r", "ask", "Refresh"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
    ]
    state: reactive[State] = reactive(State(origin=""), repaint=False)
    """Whoever shows a part of it draws that anew, not the whole screen each second."""

    def __init__(
        self,
        source: Source,
        interval_seconds: float = 1.0,
        owner: str = "top",
        nodes: Nodes | None = None,
        node: str = "",
        theme: str = "default",
        ascii_only: bool = False,
    ) -> None:
        """`nodes`: those that can be switched to, `source` being that of `node`. `theme`: one of THEMES."""
        self._ascii = AsciiFilter(ascii_only)
        super().__init__()
        self._theme = theme
        self.source = source
        self.travel = Travel(source)
        self.nodes, self._node = nodes or Nodes(()), node
        self._owner = owner
        self._interval_seconds = interval_seconds
        self._asked = asyncio.Event()
        self.state = State(origin=source.origin)

    def on_mount(self) -> None:
        for name, colours in THEMES.items():
            self.register_theme(colours.theme(theme_name(name)))
        self.theme = theme_name(self._theme)
        self.run_worker(self._poll(self.source), group="poll", exclusive=True)
        self.start_time()

    async def _poll(self, source: Source) -> None:
        while True:
            self._asked.clear()
            try:
                self.post_message(Arrived(await source.picture(), source))
            except Unreachable as error:
                self.post_message(Lost(error.problem, source))
            try:
                async with asyncio.timeout(self._interval_seconds):
                    await self._asked.wait()
            except TimeoutError:
                continue

    def on_arrived(self, message: Arrived) -> None:
        if message.source is not self.source:  # somebody has switched to another node meanwhile
            return
        before, self.travel.newest = self.travel.newest, message.picture
        self.travel.arrived(message.picture)
        was_lost = self.state.problem is not None
        if self.travel.at is None:
            self.state = self.state.arrived(message.picture)
        else:
            shown = self.state.moment if self.state.going is not None else self.travel.moment()
            self.state = self.state.kept_up(shown)
        if was_lost and before is not None and (gap := gap_text(before.node.at, message.picture.node.at)):
            self._tell(Notice(gap, good=True))

    def on_lost(self, message: Lost) -> None:
        if message.source is self.source:
            self.state = self.state.lost(message.problem)

    async def on_advice_wanted(self, message: AdviceWanted) -> None:
        await self.switch_mode("advice")
        if isinstance(self.screen, AdviceScreen):
            self.screen.choose(message.service)

    async def on_workers_wanted(self, message: WorkersWanted) -> None:
        await self.switch_mode("workers")
        if isinstance(self.screen, WorkersScreen):
            self.screen.choose(message.service)

    def on_history_wanted(self, message: HistoryWanted) -> None:
        self.run_worker(self._history(message.finding), group="history", exclusive=True)

    async def _history(self, finding: str) -> None:
        try:
            self.post_message(HistoryArrived(await self.source.history(finding)))
        except Unreachable:  # it is no more than an addition to the page
            self.post_message(HistoryArrived(()))

    def on_history_arrived(self, message: HistoryArrived) -> None:
        events = tuple(event for event in message.events if self.travel.is_past(event.at))
        self.state = msgspec.structs.replace(self.state, history=events)

    def on_act_wanted(self, message: ActWanted) -> None:
        """Ask for reason and time, where acting can come to something at all."""
        problem = self.source.read_only or self.state.problem or (PAST if self.state.moment is not None else None)
        if problem is not None:
            self.post_message(Refused(problem))
        elif message.state == "open":
            self._start(message.finding.id, Act(state="open", owner=self._owner))
        else:
            screen = ActScreen(message.finding, message.state, self._owner)
            self.push_screen(screen, lambda act: self._start(message.finding.id, act))

    def _start(self, finding: str, act: Act | None) -> None:
        if act is not None:
            self.run_worker(self._act(finding, act), group="act")

    async def _act(self, finding: str, act: Act) -> None:
        try:
            self.post_message(Acted(await self.source.act(finding, act)))
        except Unreachable as error:
            self.post_message(Refused(error.problem))

    def on_acted(self, message: Acted) -> None:
        finding = message.finding
        self.state = self.state.changed(finding)
        self._tell(Notice(f"{_DONE.get(finding.state, 'open again')}: {finding.title}", good=True))
        self.action_ask()

    def on_refused(self, message: Refused) -> None:
        self._tell(Notice(f"{message.problem.message} ({message.problem.hint})", good=False))

    def on_told(self, message: Told) -> None:
        self._tell(Notice(message.text, good=message.good))

    def on_verify_wanted(self, message: VerifyWanted) -> None:
        """Ask when it was done, where that can come to something at all."""
        problem = self.source.read_only or self.state.problem or (PAST if self.state.moment is not None else None)
        if problem is not None:
            self.post_message(Refused(problem))
            return

        def begin(since: str | None) -> None:
            if since is not None:
                self.run_worker(self._verify(message.finding, since or None), group="act")

        self.push_screen(VerifyScreen(message.finding), begin)

    async def _verify(self, finding: Finding, since: str | None) -> None:
        try:
            self.post_message(Verifying(finding, await self.source.verify(finding.id, since)))
        except Unreachable as error:
            self.post_message(Refused(error.problem))

    def on_verifying(self, message: Verifying) -> None:
        self._tell(Notice(f"{message.outcome.state}: what came of {message.finding.title} is measured", good=True))
        if isinstance(self.screen, AdviceScreen):
            self.screen.ask_for_outcomes()

    def on_copy_wanted(self, message: CopyWanted) -> None:
        """The terminal puts it into the clipboard (OSC 52), on whatever machine that is; it does not say whether it did."""
        self.copy_to_clipboard(message.text)
        self._tell(Notice(f"given to the terminal's clipboard: {message.what}", good=True))

    def _tell(self, notice: Notice) -> None:
        self.state = msgspec.structs.replace(self.state, notice=notice)
        self.set_timer(NOTICE_SECONDS, lambda: self._forget(notice))

    def _forget(self, notice: Notice) -> None:
        if self.state.notice is notice:
            self.state = msgspec.structs.replace(self.state, notice=None)

    def action_ask(self) -> None:
        """Ask the source now instead of at the next second."""
        self._asked.set()

    def action_nodes(self) -> None:
        """Choose another node."""
        if len(self.nodes.all) < 2:
            self.post_message(Refused(ONE_NODE))
        else:
            self.push_screen(NodesScreen(self.nodes, self._node), self._switch)

    def _switch(self, node: str | None) -> None:
        if node is None or node == self._node:
            return
        try:
            self.source = self.nodes.source(node)
        except (ValueError, ClickException) as error:
            self.post_message(Refused(Problem("node", str(error), "see its section in the configuration")))
            return
        self._node, self.travel = node, Travel(self.source)
        self.state = State(origin=self.source.origin)
        self.run_worker(self._poll(self.source), group="poll", exclusive=True)

    def delay_update(self, delay: float = SWITCHING_SECONDS) -> None:
        """Screens follow the node while others are open: there is no more to hide at a switch than its first drawing."""
        super().delay_update(min(delay, SWITCHING_SECONDS))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DEFAULT.variables()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *([self._ascii] if self._ascii.enabled else [])]

    def action_use_theme(self, name: str) -> None:
        self.theme = theme_name(name)

    def action_ascii(self) -> None:
        """Draw with ASCII only, or with all signs again."""
        self._ascii.enabled = not self._ascii.enabled
        self.refresh_css()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from commands_of(self, screen)
        for name in THEMES:
            yield SystemCommand(f"Theme: {name}", f"--theme {name}", partial(self.action_use_theme, name))
        yield SystemCommand("ASCII only, on or off", "--ascii", self.action_ascii)

    def action_export(self) -> None:
        """Write what is on the screen into a file."""
        screen, picture = self.screen, self.state.picture
        if isinstance(screen, StateScreen):
            node, at = (None, None) if picture is None else (picture.node.node, picture.node.at)
            name = usual_name(node, screen.NAME, at)
            if self.is_web:  # whoever sits there may not write files here
                self.deliver_text(StringIO(text_of(screen)), save_filename=name)
                return
            asked = ExportScreen(text_of(screen), svg_of(screen, self.TITLE), name)
            self.push_screen(asked, self._exported)

    def _exported(self, path: Path | None) -> None:
        if path is not None:
            self._tell(Notice(f"written: {path}", good=True))

    def action_help(self) -> None:
        self.push_screen(HelpScreen(SCREENS, self.screen))
