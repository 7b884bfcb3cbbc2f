"""Which services are on CPUs, and what is said of moving each in a word?"""

from collections.abc import Collection, Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from advisor.migration.result import MigrationEstimate
from tui import format as fmt
from tui.lines import lines
from tui.migration import in_a_word
from tui.palette import BAD, STRONG


class MigrationList(OptionList):
    """Two lines a service."""

    DEFAULT_CSS = """
    MigrationList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    MigrationList:focus { border: none; background: $background; }
    MigrationList > .option-list--option { padding: 0 1; }
    MigrationList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    MigrationList:focus > .option-list--option-highlighted {
        background: #2b3d55; color: $foreground; text-style: none;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def show(self, found: Mapping[str, MigrationEstimate], supposed: Collection[str]) -> None:
        """Replace the lines; the highlight stays on the same service. `supposed`: of which something else is supposed."""
        prompts = [prompt(name, one, name in supposed) for name, one in found.items()]
        ids = list(found)
        if ids == [option.id for option in self.options]:
            for index, text in enumerate(prompts):
                if text != self.get_option_at_index(index).prompt:
                    self.replace_option_prompt_at_index(index, text)
            return
        chosen = self.chosen
        self.set_options(Option(text, id=name) for text, name in zip(prompts, ids, strict=True))
        self.highlighted = ids.index(chosen) if chosen in ids else 0 if ids else None

    @property
    def chosen(self) -> str | None:
        """Name of the highlighted service."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id


def prompt(name: str, one: MigrationEstimate, supposed: bool) -> Content:
    asked = ("if so, " if supposed else "", BAD)
    return lines([Content.styled(fmt.plain(name), STRONG), Content.assemble(asked, in_a_word(one))])
