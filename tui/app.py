"""How does the terminal interface run: which screens, which keys, and when is the source asked?"""

import asyncio
from typing import ClassVar

import msgspec
from textual.app import App
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.theme import Theme

from tui.messages import (
    Acted,
    ActWanted,
    AdviceWanted,
    Arrived,
    HistoryArrived,
    HistoryWanted,
    Lost,
    Refused,
    WorkersWanted,
)
from tui.screens.act import ActScreen
from tui.screens.advice import AdviceScreen
from tui.screens.base import StateScreen
from tui.screens.gpus import GpusScreen
from tui.screens.help import HelpScreen
from tui.screens.overview import OverviewScreen
from tui.screens.workers import WorkersScreen
from tui.source import Act, Source, Unreachable
from tui.state import Notice, State

THEME = Theme(
    name="nodewright",
    primary="#7cc4f0",
    secondary="#f2b84b",
    accent="#7cc4f0",
    warning="#f0e442",
    error="#ff9e64",
    success="#7cc4f0",
    foreground="#e3e8ef",
    background="#12161c",
    surface="#1a2029",
    panel="#232b36",
    dark=True,
)


SCREENS: tuple[type[StateScreen], ...] = (OverviewScreen, WorkersScreen, AdviceScreen, GpusScreen)
"""In the order of their numbers."""
NOTICE_SECONDS = 8.0
_DONE = {"acknowledged": "acknowledged", "snoozed": "snoozed"}


class TopApp(App[None]):
    """`nodewright top`. Asks `source` every `interval_seconds`; keeps asking when it has nothing. `owner` is who
    acknowledges."""

    TITLE = "nodewright"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    TopApp:nocolor OptionList > .option-list--option-highlighted { background: #5a5a5a; }
    TopApp:nocolor WorkerTree > .worker-tree--cursor { background: #5a5a5a; }
    """
    MODES = {screen.NAME: screen for screen in SCREENS}
    DEFAULT_MODE = SCREENS[0].NAME
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(f"{number},{screen.LETTER}", f"switch_mode('{screen.NAME}')", screen.LABEL)
            for number, screen in enumerate(SCREENS, 1)
        ),
        Binding("r", "ask", "Refresh"),
        Binding("question_mark", "help", "Help"),
        Binding("q", "quit", "Quit"),
    ]
    state: reactive[State] = reactive(State(origin=""))

    def __init__(self, source: Source, interval_seconds: float = 1.0, owner: str = "top") -> None:
        super().__init__()
        self.source = source
        self._owner = owner
        self._interval_seconds = interval_seconds
        self._asked = asyncio.Event()
        self.state = State(origin=source.origin)

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self.run_worker(self._poll(), exclusive=True)

    async def _poll(self) -> None:
        while True:
            self._asked.clear()
            try:
                self.post_message(Arrived(await self.source.picture()))
            except Unreachable as error:
                self.post_message(Lost(error.problem))
            try:
                async with asyncio.timeout(self._interval_seconds):
                    await self._asked.wait()
            except TimeoutError:
                continue

    def on_arrived(self, message: Arrived) -> None:
        self.state = self.state.arrived(message.picture)

    def on_lost(self, message: Lost) -> None:
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
        self.state = msgspec.structs.replace(self.state, history=message.events)

    def on_act_wanted(self, message: ActWanted) -> None:
        """Ask for reason and time, where acting can come to something at all."""
        problem = self.source.read_only or self.state.problem
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

    def _tell(self, notice: Notice) -> None:
        self.state = msgspec.structs.replace(self.state, notice=notice)
        self.set_timer(NOTICE_SECONDS, lambda: self._forget(notice))

    def _forget(self, notice: Notice) -> None:
        if self.state.notice is notice:
            self.state = msgspec.structs.replace(self.state, notice=None)

    def action_ask(self) -> None:
        """Ask the source now instead of at the next second."""
        self._asked.set()

    def action_help(self) -> None:
        self.push_screen(HelpScreen(SCREENS, self.screen))
