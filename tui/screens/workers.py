"""Which processes does each service have, what does each of them do, and where may its threads run?"""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from advisor.documents import ThreadStatus, WorkerStatus
from tui import format as fmt
from tui.lately import Lately
from tui.messages import AdviceWanted
from tui.palette import QUIET
from tui.screens.base import StateScreen
from tui.source import Picture, Unreachable
from tui.widgets.worker_page import WorkerPage
from tui.widgets.worker_tree import WorkerTree
from tui.worker_history import History, ask_history
from tui.worker_rows import worker_id

HISTORY_EVERY_SECONDS = 10.0


class WorkersScreen(StateScreen):
    """The tree; beside it, or in its place where there is no room, the page of the process that was entered."""

    AUTO_FOCUS = "WorkerTree"
    NAME, LETTER, LABEL = "workers", "w", "Workers"
    KEYS = (
        ("enter", "fold or unfold a service; open the page of a process"),
        ("esc", "back: close the page, then forget what was looked for"),
        ("s, S", "sort by the next column; turn the order round"),
        ("/", "look for words in service, command, pid and role"),
        ("[, ]", "on the page: to the part before, to the next part"),
        ("←, →", "on the page: move the map of many CPUs"),
    )
    DEFAULT_CSS = """
    WorkersScreen #looking { height: 1; border: none; padding: 0 1; background: $boost; display: none; }
    WorkersScreen #looking:focus { border: none; background: $cursor; }
    WorkersScreen #body.-looking #looking { display: block; }
    WorkersScreen #told { height: auto; max-height: 3; padding: 0 1; }
    WorkersScreen WorkerTree { width: 1fr; height: 1fr; }
    WorkersScreen WorkerPage { width: 1fr; height: 1fr; display: none; }
    WorkersScreen #body.-page WorkerPage { display: block; }
    WorkersScreen #body.-page #left { display: none; }
    WorkersScreen.-wide #body.-page #left { display: block; width: 2fr; }
    WorkersScreen.-wide #body.-page WorkerPage { width: 3fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", show=False),
        Binding("slash", "look", "Find", key_display="/"),
        Binding("escape", "back", "Back"),
        Binding("a", "advice", show=False),
    ]
    _wanted: str | None = None
    """Id of the line to go to."""
    _threads: tuple[str, tuple[ThreadStatus, ...]] | None = None
    """The last answer, and of which line it is."""
    _history: History | None = None

    def body(self) -> Widget:
        return _Body(id="body")

    def __init__(self) -> None:
        super().__init__()
        self._history_lately = Lately(HISTORY_EVERY_SECONDS)

    def show(self, picture: Picture) -> None:
        tree = self.query_one(WorkerTree)
        tree.show(picture)
        if self._wanted is not None:
            tree.choose(self._wanted)
            self._wanted = None
        self._show_told()
        self._ask_threads()
        self._ask_history()

    def choose(self, service: str) -> None:
        """Go to the service of this id, now or as soon as there is a picture."""
        self._wanted = f"service/{service}"
        if self.is_mounted and self.state is not None and self.state.picture is not None:
            self._change(page=False)
            self.show(self.state.picture)

    @property
    def has_page(self) -> bool:
        return self.query_one("#body").has_class("-page")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action != "back" or not self.is_mounted:
            return super().check_action(action, parameters)
        return self.has_page or self.query_one("#body").has_class("-looking")

    def action_advice(self) -> None:
        """To what there is to change on the service that is meant."""
        row = self.query_one(WorkerTree).row
        self.post_message(AdviceWanted("" if row is None else row.service.name))

    def action_sort(self) -> None:
        self.query_one(WorkerTree).sort_next()

    def action_reverse(self) -> None:
        tree = self.query_one(WorkerTree)
        tree.sort(tree.sorted_by, reverse=not tree.reverse)

    def action_look(self) -> None:
        self._change(page=False, looking=True)
        self.query_one("#looking", Input).focus()

    def action_back(self) -> None:
        """One thing at a time: the page, then what was looked for."""
        if self.has_page:
            self._change(page=False)
            self.query_one(WorkerTree).focus()
            return
        self.query_one("#looking", Input).value = ""
        self._change(looking=False)
        self.query_one(WorkerTree).look_for("")
        self.query_one(WorkerTree).focus()

    @on(Input.Changed, "#looking")
    def _looked(self, event: Input.Changed) -> None:
        self.query_one(WorkerTree).look_for(event.value)
        self._show_told()

    @on(Input.Submitted, "#looking")
    def _found(self) -> None:
        """What was looked for stays; without words there is nothing to keep."""
        if not self.query_one("#looking", Input).value.strip():
            self._change(looking=False)
        self.query_one(WorkerTree).focus()

    @on(WorkerTree.Entered)
    def _entered(self) -> None:
        self._change(page=True)
        self._show_page()
        self.query_one(WorkerPage).focus()
        self._ask_threads()
        self._history_lately.forget()
        self._ask_history()

    @on(WorkerTree.Moved)
    def _moved(self) -> None:
        if not self.has_page:
            return
        before, row = self.query_one(WorkerPage).row, self.query_one(WorkerTree).row
        self._show_page()
        if row is not None and (before is None or before.id != row.id):
            self._ask_threads()
            self._history_lately.forget()
            self._ask_history()

    def _change(self, *, page: bool | None = None, looking: bool | None = None) -> None:
        """Which parts are on the screen; None = as it is."""
        for name, wanted in (("-page", page), ("-looking", looking)):
            if wanted is not None:
                self.query_one("#body").set_class(wanted, name)
        self.refresh_bindings()

    def _show_page(self) -> None:
        row = self.query_one(WorkerTree).row
        if row is None or self.state is None or self.state.picture is None:
            return
        threads = self._threads[1] if self._threads is not None and self._threads[0] == row.id else None
        self.query_one(WorkerPage).show(row, self.state.picture, threads, self._history)

    def _show_told(self) -> None:
        """What was found, and what nobody could look into."""
        told = self.query_one("#told", Static)
        text = told_text(self.query_one(WorkerTree), self.state.picture if self.state else None)
        told.display = bool(text.plain)
        told.update(text)

    def _worker(self) -> WorkerStatus | None:
        """Whose page is on the screen."""
        if not self.has_page or self.app.screen is not self:
            return None
        row = self.query_one(WorkerTree).row
        return None if row is None else row.worker

    def _ask_threads(self) -> None:
        if (worker := self._worker()) is not None:
            self.run_worker(self._take_threads(worker), group="threads", exclusive=True)

    async def _take_threads(self, worker: WorkerStatus) -> None:
        try:
            found = await self.ask(f"workers/{worker.pid}/threads", tuple[ThreadStatus, ...])
        except Unreachable:  # an older agent tells the busiest alone
            self._threads = None
        else:
            self._threads = (worker_id(worker), found)
        self._show_page()

    async def _threads_of(self, worker: WorkerStatus) -> tuple[ThreadStatus, ...]:
        """All of them; the last answer may still be another process's."""
        if self._threads is not None and self._threads[0] == worker_id(worker):
            return self._threads[1]
        try:
            return await self.ask(f"workers/{worker.pid}/threads", tuple[ThreadStatus, ...])
        except Unreachable:
            return worker.busiest

    def _ask_history(self) -> None:
        """Where that is due, by the time of the picture: also after a jump into the past."""
        worker, picture = self._worker(), None if self.state is None else self.state.picture
        if worker is not None and picture is not None and self._history_lately.due(at := picture.node.at):
            self.run_worker(self._take_history(worker, at), group="history", exclusive=True)

    async def _take_history(self, worker: WorkerStatus, at: str) -> None:
        classes = {thread.thread_class for thread in await self._threads_of(worker)}
        self._history = await ask_history(self.ask, worker, classes, at, worker_id(worker))
        self._show_page()


class _Body(Horizontal):
    def compose(self) -> ComposeResult:
        with Vertical(id="left"):
            yield Input(placeholder="service, command, pid or role", id="looking")
            yield WorkerTree()
            yield Static(id="told")
        yield WorkerPage()


def told_text(tree: WorkerTree, picture: Picture | None) -> Content:
    """`3 of 128 processes` while something is looked for; else what nobody could look into, with what to grant."""
    if picture is None:
        return Content("")
    if tree.sought.strip():
        found = sum(not row.is_service for row in tree.rows)
        processes = fmt.count(len(picture.workers), "process", "processes")
        return Content.styled(f"{found} of {processes} · esc: all again", QUIET)
    closed = [worker for worker in picture.workers if worker.missing]
    if not closed:
        return Content("")
    reasons = {reason for worker in closed for reason in worker.missing}
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    text = f"inside {len(closed)} of {fmt.count(len(picture.workers), 'process', 'processes')} not readable: "
    return Content.styled(f"{text}{fmt.plain(min(reasons))}{more}", QUIET)
