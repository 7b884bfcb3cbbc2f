"""Which profiles are there? The highlighted one is drawn below."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from tui import format as fmt
from tui.lines import aligned, bar
from tui.palette import BAD, GOOD, QUIET
from tui.profiles import Entry
from tui.widgets.kept_list import KeptList

_RIGHT = frozenset({2, 3, 5})
_WHY = 4
_BAR = 10


class ProfileList(KeptList):
    """One line a profile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Graph", key_display="enter"),
        Binding("slash", "search", "Search", key_display="/"),
    ]

    def show(self, entries: Sequence[Entry], now: float, base: str | None, width: int) -> None:
        """Replace the lines; the highlight stays on the same profile. `base`: id of the one that others are compared with."""
        rows = aligned([_row(one, now, one.id == base) for one in entries], _RIGHT, max(20, width - 3), _WHY)
        self.put(Option(row, id=one.id) for row, one in zip(rows, entries, strict=True))


def _row(one: Entry, now: float, base: bool) -> tuple[Content | str, ...]:
    """State, service, process, age, kind and why, samples."""
    age = f"{fmt.duration(float(round(max(0.0, now - one.at_unix_seconds))))} ago"
    pid = f"pid {one.pid}" if one.pid else "workers"
    name = fmt.plain(one.service) or fmt.UNKNOWN
    match one.state:
        case "running":
            passed = min(one.seconds, max(0.0, now - one.at_unix_seconds))
            done = passed / one.seconds if one.seconds else 0.0
            told = Content.assemble(bar(done, _BAR), f" {passed:.0f} of {one.seconds:g} s")
            return Content.styled("●", GOOD), name, pid, "now", told, ""
        case "failed":
            return Content.styled("✗", BAD), name, pid, age, Content.styled("failed", BAD), ""
        case _:
            mark = Content.styled("b", GOOD) if base else Content(" ")
            samples = "" if one.samples is None else fmt.count(one.samples, "sample")
            return (
                mark,
                name,
                pid,
                age,
                Content.styled(f"{fmt.plain(one.kind)}: {fmt.plain(one.reason)}", QUIET),
                samples,
            )
