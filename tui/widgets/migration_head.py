"""What could move of the chosen service, or what is missing to tell?"""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.migration.result import MigrationEstimate
from tui import format as fmt
from tui.lines import lines, packed
from tui.migration import share_bar, share_text, situation_text, supposed_text
from tui.palette import BAD, QUIET, STRONG

_LABEL = "could move  "
_WIDEST = 40
_HELP = {
    "privilege": "What grants it: nodewright doctor",
    "profile": "One is taken when its workers are busy; at once: nodewright profile SERVICE",
    "metrics": "What switches them on: nodewright doctor",
    "load": "It is judged as soon as it is busy.",
    "time": "It is judged as soon as that has passed.",
    "kernel": "What enables it: nodewright doctor",
}


class MigrationHead(Widget):
    """Its numbers, the share that could move, what is supposed, and the GPUs that cannot be judged."""

    DEFAULT_CSS = """
    MigrationHead { height: auto; padding: 0 1; }
    """
    estimate: reactive[MigrationEstimate | None] = reactive(None, layout=True)
    supposed: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=True)

    def render(self) -> Content:
        if self.estimate is None:
            return Content("")
        return lines(head_lines(self.estimate, self.supposed, (self.size.width or 80)))


def head_lines(one: MigrationEstimate, supposed: Sequence[tuple[str, str]], width: int) -> list[Content]:
    now = one.situation
    name = Content.styled(fmt.plain(one.service), STRONG)
    if now is None:
        return [name, *_needs(one, width), *_left_out(one)]
    share = now.work.part.share
    cells = max(6, min(_WIDEST, width - len(_LABEL) - len(share_text(share)) - 1))
    asked = (
        [Content.assemble(("what if ", BAD), (supposed_text(supposed), STRONG), ("  x: as it is", QUIET))]
        if supposed
        else []
    )
    return [
        name,
        *asked,
        *packed((Content.styled(part, QUIET) for part in situation_text(now)), width),
        Content.assemble((_LABEL, QUIET), share_bar(share, cells), f" {share_text(share)}"),
        *_left_out(one),
    ]


def _needs(one: MigrationEstimate, width: int) -> list[Content]:
    """What is missing, and how to get it."""
    if one.needs is None:
        return [Content("cannot tell, needs more load")]
    told = Content(f"cannot tell, needs {fmt.plain(one.needs.text)}").wrap(width)
    return [*told, *Content.styled(_HELP[one.needs.kind], QUIET).wrap(width)]


def _left_out(one: MigrationEstimate) -> list[Content]:
    return [Content.styled(fmt.plain(why), QUIET) for why in one.left_out]
