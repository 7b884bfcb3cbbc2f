"""Which profiles are there? The highlighted one is drawn below."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import format as fmt
from tui.lines import aligned, bar
from tui.palette import BAD, GOOD, QUIET
from tui.profiles import Entry

_RIGHT = frozenset({2, 3, 5})
_WHY = 4
_BAR = 10


class ProfileList(OptionList):
    """One line a profile."""

    DEFAULT_CSS = """
    ProfileList {
        border: none; background: $background; padding: 0; scrollbar-size-vertical: 1;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    ProfileList:focus { border: none; background: $background; }
    ProfileList > .option-list--option { padding: 0 1; }
    ProfileList > .option-list--option-highlighted { background: $boost; color: $foreground; text-style: none; }
    ProfileList:focus > .option-list--option-highlighted { background: $cursor; color: $foreground; text-style: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as every widget calls it
        super().__init__(id=id)
        self._prompts: list[tuple[object, ...]] = []

    def show(self, entries: Sequence[Entry], now: float, base: str | None, width: int) -> None:
        """Replace the lines that are others now; the highlight stays on the same profile. `base`: id of the one that others
        are compared with."""
        rows = aligned([_row(one, now, one.id == base) for one in entries], _RIGHT, max(20, width - 3), _WHY)
        ids = [one.id for one in entries]
        prompts: list[tuple[object, ...]] = [(row.plain, tuple(row.spans)) for row in rows]
        if ids == [option.id for option in self.options]:
            for index, prompt in enumerate(prompts):
                if prompt != self._prompts[index]:
                    self.replace_option_prompt_at_index(index, rows[index])
        else:
            chosen = self.chosen
            self.set_options(Option(row, id=name) for row, name in zip(rows, ids, strict=True))
            self.highlighted = ids.index(chosen) if chosen in ids else 0 if ids else None
        self._prompts = prompts

    def choose(self, name: str) -> None:
        if name in [option.id for option in self.options]:
            self.highlighted = self.get_option_index(name)

    @property
    def chosen(self) -> str | None:
        """Id of the highlighted profile."""
        return None if self.highlighted is None else self.get_option_at_index(self.highlighted).id


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
