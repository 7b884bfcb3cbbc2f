"""Which screens are there, which key leads to each, and which one is this?"""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

_GAP = "  "


class TabLine(Widget):
    """One line below the status: number and name of every screen. A click on one goes there."""

    DEFAULT_CSS = """
    TabLine { height: 1; padding: 0 1; background: $boost; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, tabs: Sequence[tuple[str, str]], here: str) -> None:
        """`tabs`: name of the mode and label of each screen; `here`: name of this one."""
        super().__init__()
        self._tabs, self._here = tabs, here

    def render(self) -> Content:
        return Content(_GAP).join(
            tab(number, name, label, self._here) for number, (name, label) in enumerate(self._tabs, 1)
        )


def tab(number: int, name: str, label: str, here: str) -> Content:
    """Not by colour alone: the present one is in brackets. Names and labels are our own, so that markup may be made of them."""
    if name == here:
        return Content.styled(f"[{number} {label}]", "bold")
    return Content.from_markup(f"[@click=\"app.switch_mode('{name}')\"][b]{number}[/b] {label}[/]")
