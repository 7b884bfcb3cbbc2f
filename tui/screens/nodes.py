"""Which nodes are there, what is the worst on each, and which one is to be shown?"""

import asyncio
from typing import ClassVar

from click import ClickException
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.documents import AdviceDocument, Problem
from tui import format as fmt
from tui.lines import dotted, lines
from tui.nodes import Node, Nodes
from tui.palette import BAD, GOOD, QUIET, SEVERITY_COLOURS, STRONG
from tui.source import Unreachable
from tui.widgets.finding_list import ranked

ASK_SECONDS = 5.0
Heard = AdviceDocument | Problem | None
"""What a node said last; None: nothing yet."""


class NodesScreen(ModalScreen[str | None]):
    """Two lines a node; answers with the name of the one that was entered, or None."""

    DEFAULT_CSS = """
    NodesScreen { align: center middle; }
    NodesScreen > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    NodesScreen OptionList {
        border: none; background: $surface; padding: 0; height: auto; max-height: 20; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    NodesScreen OptionList:focus { border: none; background: $surface; }
    NodesScreen OptionList > .option-list--option-highlighted { background: $cursor; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,N,q", "leave", show=False),
        Binding("j", "move('cursor_down')", show=False),
        Binding("k", "move('cursor_up')", show=False),
    ]

    def __init__(self, nodes: Nodes, shown: str) -> None:
        super().__init__()
        self._known, self._shown = nodes, shown
        self._heard: dict[str, Heard] = dict.fromkeys(nodes.all)

    def compose(self) -> ComposeResult:
        with Vertical() as form:
            form.border_title = "Nodes"
            form.border_subtitle = "enter: show it · esc: leave"
            yield OptionList(*(Option(self._prompt(node), id=node.name) for node in self._known.all.values()))

    def on_mount(self) -> None:
        names = list(self._known.all)
        self.query_one(OptionList).highlighted = names.index(self._shown) if self._shown in names else 0
        self.run_worker(self._ask_all())

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_move(self, action: str) -> None:
        getattr(self.query_one(OptionList), f"action_{action}")()

    @on(OptionList.OptionSelected)
    def _entered(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    async def _ask_all(self) -> None:
        while True:
            await asyncio.gather(*map(self._ask, self._known.all.values()))
            await asyncio.sleep(ASK_SECONDS)

    async def _ask(self, node: Node) -> None:
        try:
            heard: Heard = await self._known.source(node.name).get("advice", AdviceDocument)
        except Unreachable as error:
            heard = error.problem
        except (ValueError, ClickException) as error:
            heard = Problem("node", str(error), "")
        self._heard[node.name] = heard
        self.query_one(OptionList).replace_option_prompt(node.name, self._prompt(node))

    def _prompt(self, node: Node) -> Content:
        sign = "▸" if node.name == self._shown else " "
        name, address = fmt.plain(node.name), fmt.plain(node.address)
        first = Content.assemble(f"{sign} ", (name, STRONG), ("" if name == address else f"  {address}", QUIET))
        return lines([first, Content.assemble("    ", worst(self._heard[node.name]))])


def worst(heard: Heard) -> Content:
    """The open finding to act on first, and how many there are."""
    if heard is None:
        return Content.styled("asking", QUIET)
    if isinstance(heard, Problem):
        return Content.styled(f"✗ {fmt.plain(heard.message)}", BAD)
    found = [finding for finding in ranked(heard.findings) if finding.state == "open"]
    if not found:
        return Content.styled("nothing to change", GOOD)
    first = found[0]
    return dotted(
        (
            Content.styled(first.severity.value.upper(), SEVERITY_COLOURS[first.severity]),
            fmt.plain(first.title),
            Content.styled(f"{len(found)} open", QUIET) if len(found) > 1 else "",
        )
    )
