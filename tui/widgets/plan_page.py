"""What is to be done about a service, in which order, and what is all of it worth together?"""

from collections.abc import Iterator, Mapping

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Gain
from advisor.plan import Plan, Step
from tui import format as fmt
from tui.lines import clipped, heading, indented, lines
from tui.palette import CODE, QUIET, STRONG
from tui.places import change_text, place_text
from tui.ratios import STACKED_BELOW, Scale

_INDENT = 3


class PlanPage(Widget):
    """The steps below each other, all gains on one scale."""

    DEFAULT_CSS = """
    PlanPage { height: auto; }
    """
    plan: reactive[Plan | None] = reactive(None, layout=True)
    titles: reactive[Mapping[str, str]] = reactive({}, layout=True)
    """Of the findings, by id."""

    def render(self) -> Content:
        if self.plan is None:
            return Content("")
        return lines(plan_lines(self.plan, self.titles, self.size.width or 80))


def plan_lines(plan: Plan, titles: Mapping[str, str], width: int) -> Iterator[Content]:
    scale = Scale.over(
        (*plan.total, *(gain for step in plan.steps for gain in step.gains)), width - _INDENT, STACKED_BELOW
    )
    yield Content.styled(fmt.plain(plan.verdict), STRONG)
    count = f", {fmt.count(len(plan.steps), 'step')}"
    yield clipped(Content.styled(f"plan of {fmt.plain(plan.service)}", QUIET), width - len(count)) + Content.styled(
        count, QUIET
    )
    for number, step in enumerate(plan.steps, 1):
        yield Content("")
        yield from _step(number, step, scale, width)
    if plan.total:
        yield Content("")
        yield heading("all steps together, after / before")
        yield _moved(scale.axis())
        yield from _drawn(plan.total, scale)
    yield from _in_vain(plan, titles)
    yield Content("")
    yield Content.styled(fmt.plain(plan.assumes), QUIET)


def place_in(plan: Plan, finding: str) -> str:
    """Which step it is, and what it brings after those before it; empty where it is none."""
    for number, step in enumerate(plan.steps, 1):
        if step.finding == finding and len(plan.steps) > 1:
            brings = ", ".join(f"{fmt.gain_name(gain)} {fmt.times(gain.p50)}" for gain in step.gains)
            after = f"; after those before it {brings}" if number > 1 and brings else ""
            return f"step {number} of {len(plan.steps)} of the plan{after}"
    return ""


def _step(number: int, step: Step, scale: Scale, width: int) -> Iterator[Content]:
    yield Content.styled(f"{number}  {fmt.plain(step.title)}", STRONG)
    for change in step.changes:
        yield indented(Content(change_text(change)), _INDENT, width)
        place = next((one for one in change.how if one.effective), next(iter(change.how), None))
        if place is not None:
            where, what = place_text(place)
            yield indented(Content.styled(where, QUIET), _INDENT, width)
            yield _moved(Content.styled(what, CODE))
    yield from _drawn(step.gains, scale)


def _drawn(gains: tuple[Gain, ...], scale: Scale) -> Iterator[Content]:
    return (_moved(row) for gain in gains for row in scale.rows(fmt.gain_name(gain), gain))


def _in_vain(plan: Plan, titles: Mapping[str, str]) -> Iterator[Content]:
    known = [titles[one] for one in plan.will_not_help if one in titles]
    if known:
        yield Content("")
        yield heading("will not help")
        yield from (Content(fmt.plain(title)) for title in known)


def _moved(line: Content) -> Content:
    return Content.assemble(" " * _INDENT, line)
