"""How does a list keep its place while what it lists comes, goes and changes, and how is something found in it?"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.visual import VisualType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.lines import lines
from tui.screens.search import SearchScreen

_PADDING = 1
"""Cells at each side of a line."""


class KeptList(OptionList):
    """The highlight stays on what somebody chose, also over a time in which that was not there."""

    DEFAULT_CSS = """
    KeptList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    KeptList:focus { border: none; background: $background; }
    KeptList > .option-list--option { padding: 0 1; }
    KeptList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    KeptList:focus > .option-list--option-highlighted { background: $cursor; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("n", "find_next", "Next found", show=False),
    ]
    _whole: Sequence[VisualType] = ()
    """The lines before they were cut."""
    _wanted: str | None = None
    _is_put = False
    _searched = ""

    def put(self, options: Iterable[Option]) -> None:
        """Replace the lines; what is the same line by its id is only written anew. What has no room is cut at the end of a
        word."""
        options = list(options)
        ids = [option.id for option in options]
        self._whole = [option.prompt for option in options]
        options = [Option(self._cut(option.prompt), id=option.id) for option in options]
        if ids == [option.id for option in self.options]:
            for index, option in enumerate(options):
                if not is_same(option.prompt, self.get_option_at_index(index).prompt):  # else all lines are made anew
                    self.replace_option_prompt_at_index(index, option.prompt)
            return
        if bool(ids) is not bool(self.option_count):
            self.call_after_refresh(self.refresh_bindings)
        top, wanted = self.scroll_y, next((one for one in (self._wanted, self.chosen) if one in ids), None)
        self._is_put = True
        try:
            self.set_options(options)
            self.highlighted = ids.index(wanted) if wanted is not None else 0 if ids else None
        finally:
            self._is_put = False
        if wanted is not None:
            self.scroll_to(y=top, animate=False, immediate=True)
            self.scroll_to_highlight()

    def on_resize(self) -> None:
        for index, prompt in enumerate(self._whole):
            self.replace_option_prompt_at_index(index, self._cut(prompt))

    @property
    def line_width(self) -> int:
        """Cells that a line has."""
        return (self.scrollable_content_region.width or 80) - 2 * _PADDING

    def _cut(self, prompt: VisualType) -> VisualType:
        return lines([prompt], self.line_width) if isinstance(prompt, Content) else prompt

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "select" or self.option_count > 0

    @property
    def chosen(self) -> str | None:
        """Id of the highlighted line."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id

    def choose(self, id_of_line: str) -> None:
        if id_of_line in [option.id for option in self.options]:
            self.highlighted = self.get_option_index(id_of_line)

    def watch_highlighted(self, highlighted: int | None) -> None:
        super().watch_highlighted(highlighted)
        if not self._is_put:
            self._wanted = self.chosen

    def find(self, text: str, start: int = 0) -> bool:
        """Go to the first line from `start` on, and around, that has `text` in it, in whatever case."""
        self._searched = text
        found = matches([str(prompt) for prompt in self._whole], text)
        if not found:
            return False
        self.highlighted = next((number for number in found if number >= start), found[0])
        return True

    def action_search(self) -> None:
        """Ask for what to find; the highlight follows while it is written."""
        self.app.push_screen(SearchScreen(self.find, self.highlighted or 0), self._searched_for)

    def action_find_next(self) -> None:
        if self._searched:
            self.find(self._searched, (self.highlighted or 0) + 1)

    def _searched_for(self, back_to: int | None) -> None:
        if back_to is not None and back_to < self.option_count:
            self.highlighted = back_to


def is_same(one: object, other: object) -> bool:
    """Whether two prompts look alike; `==` compares their text alone."""
    if isinstance(one, Content) and isinstance(other, Content):
        return one.plain == other.plain and one.spans == other.spans
    return one == other


def matches(prompts: Sequence[str], text: str) -> list[int]:
    """Indices of those that have `text` in them; none for an empty one."""
    wanted = text.casefold()
    return [number for number, prompt in enumerate(prompts) if wanted and wanted in prompt.casefold()]
