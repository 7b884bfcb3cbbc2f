"""Where else, or in which other form, could the service run, and what would that bring?"""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets.option_list import Option

from advisor.migration.forms import Way
from advisor.migration.result import DeviceEstimate, MigrationEstimate
from tui import format as fmt
from tui.lines import heading, lines, packed
from tui.migration import best, facts, gains, title
from tui.palette import QUIET, STRONG
from tui.ratios import LABEL_WIDTH, Scale, gain_of
from tui.widgets.kept_list import KeptList

_BESIDE = 3
"""Cells at the left and right of a line, and the scroll bar."""
WAY = "here/"


class AlternativeAxis(Widget):
    """The scale of all intervals below it."""

    DEFAULT_CSS = """
    AlternativeAxis { height: 2; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    estimate: reactive[MigrationEstimate | None] = reactive(None)

    def render(self) -> Content:
        if self.estimate is None or not gains(self.estimate):
            return Content("")
        scale = Scale.over(gains(self.estimate), (self.size.width or 80) - 1)
        first = "after / before: throughput against these CPUs set right, latency without a queue"
        return lines([heading(first if self.size.width >= len(first) else "after / before, log scale"), scale.axis()])


class AlternativeList(KeptList):
    """Other forms on these CPUs, then the devices; the highlighted one is the subject of the page."""

    DEFAULT_CSS = """
    AlternativeList { scrollbar-gutter: stable; }
    """
    _estimate: MigrationEstimate | None = None
    _width = 0

    def show(self, one: MigrationEstimate) -> None:
        """Replace the lines; the highlight stays on the same alternative."""
        width = (self.size.width or 80) - _BESIDE
        if one == self._estimate and width == self._width:
            return
        another = self._estimate is None or self._estimate.service != one.service
        self._estimate, self._width = one, width
        prompts = alternative_prompts(one, width)
        chosen = None if another else self.chosen
        if list(prompts) == [option.id for option in self.options]:
            for index, text in enumerate(prompts.values()):
                self.replace_option_prompt_at_index(index, text)
            if not another:
                return
        else:
            self.set_options(Option(text, id=name) for name, text in prompts.items())
        ids, worth = list(prompts), worth_a_look(one)
        self.highlighted = next((ids.index(name) for name in (chosen, worth) if name in ids), 0 if ids else None)

    def on_resize(self) -> None:
        if self._estimate is not None:
            self.show(self._estimate)


def worth_a_look(one: MigrationEstimate) -> str | None:
    """The device that is looked at first: one with the best verdict, where moving is worth a thought at all."""
    device = best(one)
    return device.device if device is not None and device.verdict in ("candidate", "possible") else None


def alternative_prompts(one: MigrationEstimate, width: int) -> dict[str, Content]:
    scale = Scale.over(gains(one), width)
    prompts = {f"{WAY}{way.kind}": way_prompt(way, scale) for way in one.here}
    return prompts | {device.device: device_prompt(device, scale, width) for device in one.devices}


def way_prompt(way: Way, scale: Scale) -> Content:
    what = Content.assemble(("on these CPUs ", QUIET), (fmt.plain(way.what), STRONG))
    return lines([what, scale.drawn("throughput", gain_of(way.throughput, "throughput_ratio"))])


def device_prompt(device: DeviceEstimate, scale: Scale, width: int) -> Content:
    seen = device.simulated
    drawn = (
        [Content.styled(f"{'throughput':<{LABEL_WIDTH}}– does not compute in 16 bits", QUIET)]
        if seen is None
        else [
            scale.drawn("throughput", gain_of(seen.throughput, "throughput_ratio")),
            scale.drawn("latency", gain_of(seen.latency, "latency_p50_ratio")),
        ]
    )
    told = packed((Content.styled(fact, QUIET) for fact in facts(device)), width)
    return lines([title(device), *drawn, *told])
