"""What is everything that is said of the chosen device, or of the chosen form on these CPUs?"""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.migration.forms import Way
from advisor.migration.result import DeviceEstimate, MigrationEstimate
from tui import format as fmt
from tui.device_lines import cost_lines, memory_lines, smaller_lines, speed_lines, term_lines
from tui.lines import heading, indented, lines
from tui.migration import title, validity
from tui.palette import QUIET, STRONG
from tui.ratios import Scale, gain_of
from tui.widgets.alternative_list import WAY


class AlternativePage(VerticalScroll):
    """The parts below each other."""

    DEFAULT_CSS = """
    AlternativePage { padding: 0 1; scrollbar-size-vertical: 1; border-top: solid $panel-lighten-1; }
    AlternativePage:focus { border-top: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield _Details()

    def show(self, one: MigrationEstimate, chosen: str | None) -> None:
        """`chosen`: as the list names it."""
        details = self.query_one(_Details)
        if details.chosen != chosen or details.estimate is None or details.estimate.service != one.service:
            self.scroll_home(animate=False)
        details.estimate, details.chosen = one, chosen


class _Details(Widget):
    DEFAULT_CSS = """
    _Details { height: auto; }
    """
    estimate: reactive[MigrationEstimate | None] = reactive(None, layout=True)
    chosen: reactive[str | None] = reactive(None, layout=True)

    def render(self) -> Content:
        one, width = self.estimate, self.size.width or 80
        if one is None or self.chosen is None:
            return Content("")
        for way in one.here:
            if f"{WAY}{way.kind}" == self.chosen:
                return lines(way_lines(way, one, width))
        for device in one.devices:
            if device.device == self.chosen:
                return lines(device_lines(device, one, width))
        return Content("")


def way_lines(way: Way, one: MigrationEstimate, width: int) -> list[Content]:
    gain = gain_of(way.throughput, "throughput_ratio")
    told = "a worker answers so many times as much" if way.kind == "threads" else "throughput for the same CPU time"
    return [
        Content.assemble(("on these CPUs ", QUIET), (fmt.plain(way.what), STRONG)),
        *_section("what it would bring", [Scale.over([gain], width).axis(), Scale.over([gain], width).drawn("", gain)]),
        Content(told),
        Content(f"×{fmt.number(way.ceiling)} at most: what it does not touch stays (Amdahl)"),
        *_section("assumed", _bullets(one.assumes, width)),
    ]


def device_lines(device: DeviceEstimate, one: MigrationEstimate, width: int) -> list[Content]:
    return [
        title(device),
        Content.styled(validity(device), "$medium"),
        *_section("why", _bullets(device.reasons, width)),
        *_section("what would change it", _bullets(device.flips, width)),
        *_section("speed, after / before", speed_lines(device, width)),
        *_section("what takes longest, and how often", term_lines(device)),
        *_section("memory", memory_lines(device, width)),
        *_section("in fewer bits (what it does to the answers has to be measured)", smaller_lines(device, width)),
        *_section("cost of 1000 requests", cost_lines(device, one, width)),
        *_section("assumed", _bullets(one.assumes, width)),
    ]


def _section(name: str, rows: Iterable[Content]) -> list[Content]:
    """Nothing where there is nothing to say."""
    kept = list(rows)
    return [Content(""), heading(name), *kept] if kept else []


def _bullets(texts: Iterable[str], width: int) -> list[Content]:
    """Each wrapped beside its dot."""
    return [Content.assemble("· ", indented(Content(fmt.plain(text)), 2, width)[2:]) for text in texts]
