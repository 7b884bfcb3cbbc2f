"""What is to be changed, in which places, and which of them wins here?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Change
from collectors.levers import Place
from tui.lines import heading, indented, lines
from tui.palette import BAD, CODE, GOOD, QUIET, STRONG
from tui.places import change_text, effect_text, place_text

_SIGNS = {True: ("✓", GOOD), False: ("✗", BAD), None: ("?", QUIET)}


class ChangeList(Widget):
    """Each lever with every place in which it can be set."""

    DEFAULT_CSS = """
    ChangeList { height: auto; padding: 1 0 0 0; }
    """
    changes: reactive[tuple[Change, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width = self.size.width or 80
        rows = [line for change in self.changes for line in change_lines(change, width)]
        return lines([heading("what to change"), *rows])


def change_lines(change: Change, width: int) -> list[Content]:
    return [
        Content.styled(change_text(change), STRONG),
        *(line for place in change.how for line in place_lines(place, width)),
    ]


def place_lines(place: Place, width: int) -> tuple[Content, Content, Content]:
    """Where; what to write, alone on its line so that it can be copied; whether that wins here."""
    sign, colour = _SIGNS[place.effective]
    where, what = place_text(place)
    return (
        Content.assemble((f"{sign} ", colour), where),
        Content.styled(f"    {what}", CODE),
        indented(Content.styled(effect_text(place), QUIET), 4, width),
    )
