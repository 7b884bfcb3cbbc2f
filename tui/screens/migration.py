"""Which services should move to a device, what would that bring, and what if things were otherwise?"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import OptionList

from advisor.documents import Problem
from advisor.migration.result import MigrationEstimate
from tui.lately import Lately
from tui.screens.base import StateScreen
from tui.screens.what_if import WhatIfScreen
from tui.source import Picture, Unreachable
from tui.state import State
from tui.what_if import Supposed, worked_out
from tui.widgets.alternative_list import AlternativeAxis, AlternativeList
from tui.widgets.alternative_page import AlternativePage
from tui.widgets.migration_head import MigrationHead
from tui.widgets.migration_list import MigrationList


class MigrationScreen(StateScreen):
    """The services at the left; at the right what could move of the chosen one, where to, and the chosen alternative's page.
    Where there is little room the page takes the place of the rest."""

    NAME, LETTER, LABEL = "migration", "c", "CPU/GPU"
    KEYS = (
        ("enter, →, ←", "from services to alternatives to a page, and back"),
        ("i", "what if: other devices, load, objective, cores, part, batch"),
        ("x", "as it is seen again"),
    )
    DEFAULT_CSS = """
    MigrationScreen #services { width: 24; height: 1fr; }
    MigrationScreen.-wide #services { width: 30; }
    MigrationScreen #right { width: 1fr; height: 1fr; border-left: solid $panel-lighten-1; }
    MigrationScreen AlternativeList { height: 1fr; }
    MigrationScreen AlternativePage { height: 1fr; }
    MigrationScreen.-tall AlternativeList { height: auto; max-height: 50%; }
    MigrationScreen.-short AlternativePage { display: none; }
    MigrationScreen.-short.-page AlternativePage { display: block; border-top: none; }
    MigrationScreen.-short.-page AlternativeList { display: none; }
    MigrationScreen.-short.-page AlternativeAxis { display: none; }
    MigrationScreen.-short.-page MigrationHead { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "deeper", show=False),
        Binding("left,h,escape", "back", show=False),
        Binding("i", "what_if", "What if"),
        Binding("x", "as_seen", "As seen"),
        Binding("r", "ask_again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[str, MigrationEstimate] | None = None
        """By name of the service, as the agent said last; None: it has not answered yet."""
        self._problem: Problem | None = None
        self._lately = Lately()
        self._supposed: dict[str, Supposed] = {}
        """By name of the service."""
        self._worked_out: dict[str, MigrationEstimate] = {}

    def body(self) -> Widget:
        return _Body(id="body")

    def absence(self, picture: Picture) -> tuple[str, ...]:
        if absent := super().absence(picture):
            return absent
        if self._found is None:
            return absence_text(self._problem)
        return () if self._found else no_service_text()

    def show(self, picture: Picture) -> None:
        self._show_services()

    def _show_state(self, state: State) -> None:
        super()._show_state(state)
        self._ask_if_due()

    def on_screen_resume(self) -> None:
        self._ask_if_due()

    def _ask_if_due(self) -> None:
        picture = self.state.picture if self.state is not None else None
        if picture is not None and self.is_current and self._lately.due(picture.node.at):
            self.run_worker(self._ask(), group="migration", exclusive=True)

    async def _ask(self) -> None:
        try:
            self._found = by_name(await self.ask("migration", tuple[MigrationEstimate, ...]))
        except Unreachable as error:
            self._problem = error.problem
            self._lately.forget()
        else:
            self._problem = None
            await self._work_out()
        if self.state is not None:
            super()._show_state(self.state)

    async def _work_out(self) -> None:
        """What is supposed, of what was seen last."""
        found = self._found or {}
        wanted = {name: supposed for name, supposed in self._supposed.items() if name in found}
        again = [asyncio.to_thread(worked_out, supposed, found[name]) for name, supposed in wanted.items()]
        self._worked_out = dict(zip(wanted, await asyncio.gather(*again), strict=True))

    def action_ask_again(self) -> None:
        self._lately.forget()
        self._ask_if_due()
        self.app.action_ask()  # type: ignore[attr-defined]

    def action_deeper(self) -> None:
        if isinstance(self.focused, MigrationList):
            alternatives = self.query_one(AlternativeList)
            if alternatives.option_count:
                alternatives.focus()
        elif isinstance(self.focused, AlternativeList):
            self.add_class("-page")
            self.query_one(AlternativePage).focus()

    def action_back(self) -> None:
        self.remove_class("-page")
        if isinstance(self.focused, AlternativePage):
            self.query_one(AlternativeList).focus()
        else:
            self.query_one(MigrationList).focus()

    def action_what_if(self) -> None:
        name, one = self._chosen, self._seen(self._chosen)
        if name is None or one is None or one.situation is None:
            return
        form = WhatIfScreen(one, self._supposed.get(name, Supposed()))
        self.app.push_screen(form, lambda answer: self._suppose(name, answer))

    def action_as_seen(self) -> None:
        if self._chosen is not None:
            self._suppose(self._chosen, Supposed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing can be supposed of a service of which nothing can be told."""
        if not super().check_action(action, parameters):
            return False
        if action == "what_if":
            one = self._seen(self._chosen)
            return one is not None and one.situation is not None
        return action != "as_seen" or self._chosen in self._supposed

    def _suppose(self, service: str, supposed: Supposed | None) -> None:
        if supposed is None:
            return
        if supposed:
            self._supposed[service] = supposed
        else:
            self._supposed.pop(service, None)
        self.run_worker(self._supposed_anew(), group="what-if", exclusive=True)

    async def _supposed_anew(self) -> None:
        await self._work_out()
        self._show_services()
        self.refresh_bindings()

    @property
    def _chosen(self) -> str | None:
        return self.query_one(MigrationList).chosen if self.is_mounted else None

    def _seen(self, service: str | None) -> MigrationEstimate | None:
        return (self._found or {}).get(service or "")

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if isinstance(event.option_list, MigrationList):
            self._show_service()
            self.refresh_bindings()
        else:
            self._show_page()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        self.action_deeper()

    def _show_services(self) -> None:
        self.query_one(MigrationList).show({**(self._found or {}), **self._worked_out}, self._worked_out)
        self._show_service()

    def _show_service(self) -> None:
        name = self._chosen or ""
        one = self._worked_out.get(name) or self._seen(name)
        if one is None:
            return
        head = self.query_one(MigrationHead)
        supposed = self._supposed.get(name, Supposed()) if name in self._worked_out else Supposed()
        head.estimate, head.supposed = one, supposed.told
        self.query_one(AlternativeAxis).estimate = one
        self.query_one(AlternativeList).show(one)
        self._show_page()

    def _show_page(self) -> None:
        one = self.query_one(MigrationHead).estimate
        if one is not None:
            self.query_one(AlternativePage).show(one, self.query_one(AlternativeList).chosen)


class _Body(Horizontal):
    def compose(self) -> ComposeResult:
        yield MigrationList(id="services")
        with Vertical(id="right"):
            yield MigrationHead()
            yield AlternativeAxis()
            yield AlternativeList()
            yield AlternativePage()


def by_name(found: Sequence[MigrationEstimate]) -> dict[str, MigrationEstimate]:
    """Of several services of one name each has its number."""
    named: dict[str, MigrationEstimate] = {}
    for one in found:
        name, number = one.service, 2
        while name in named:
            name, number = f"{one.service} #{number}", number + 1
        named[name] = one
    return named


def absence_text(problem: Problem | None) -> tuple[str, ...]:
    """What is said before the first answer, and where there is none."""
    if problem is None:
        return ("Asking what could move to a device", "The first answer is on its way.")
    return (
        "What could move to a device is not known",
        f"Reason: {problem.message}.",
        f"What helps: {problem.hint}",
    )


def no_service_text() -> tuple[str, ...]:
    """What is said where every service is on a device, or serves no model."""
    return (
        "No service on CPUs",
        "A service that computes a model on CPUs is judged here.",
        "Devices: those of this node, and those in [devices] of the configuration.",
        "What runs on a GPU already: press g. What to change: press a.",
    )
