"""What came of changes, beside what was said of them before?"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from advisor.finding import Gain
from advisor.ledger.configuration import LeverChange
from advisor.ledger.outcome import Measured, Outcome, Promise
from advisor.ledger.scores import Score
from tui import format as fmt
from tui.lines import heading, indented, lines
from tui.palette import BAD, GOOD, QUIET, STRONG
from tui.ratios import LABEL_WIDTH, STACKED_BELOW, Scale

SHOWN = 3
_STATES = {"verified": ("✓", GOOD), "refuted": ("✗", BAD), "unclear": ("?", QUIET), "waiting": ("…", QUIET)}
_WRITTEN: Mapping[str, Callable[[float], str]] = {
    "throughput_ratio": fmt.rate, "latency_p50_ratio": fmt.duration, "latency_p99_ratio": fmt.duration,
    "memory_ratio": fmt.size,
}  # fmt: skip
"""What a metric is a ratio of: requests a second, seconds, bytes."""


class OutcomeList(Widget):
    """The newest first: what was promised and what was measured, on one scale."""

    DEFAULT_CSS = """
    OutcomeList { height: auto; padding: 1 0 0 0; }
    """
    outcomes: reactive[tuple[Outcome, ...]] = reactive((), layout=True)
    finding: reactive[str | None] = reactive(None, layout=True)
    """Only what this one promised; None = all promises."""
    scores: reactive[tuple[Score, ...]] = reactive((), layout=True)

    def render(self) -> Content:
        width = self.size.width or 80
        rows = [row for one in self.outcomes[:SHOWN] for row in outcome_lines(one, self.finding, width)]
        more = len(self.outcomes) - SHOWN
        older = [Content.styled(f"and {more} older: nodewright outcomes", QUIET)] if more > 0 else []
        return lines([heading("what came of it"), *rows, *older, *score_lines(self.scores)])


def of_finding(outcomes: Sequence[Outcome], finding: str) -> tuple[Outcome, ...]:
    """Changes that it had asked for."""
    return tuple(one for one in outcomes if any(promise.finding == finding for promise in one.promises))


def state_text(outcome: Outcome) -> Content:
    sign, colour = _STATES.get(outcome.state, ("?", QUIET))
    return Content.styled(f"{sign} {outcome.state}{'' if outcome.final else ' so far'}", colour)


def changes_text(outcome: Outcome) -> str:
    if not outcome.changes:
        return "a change that no lever shows"
    return ", ".join(_change(change) for change in outcome.changes)


def outcome_lines(outcome: Outcome, finding: str | None, width: int) -> Iterator[Content]:
    """`finding`: whose promise stands beside what was measured."""
    by_hand = ", by hand" if outcome.by_hand else ""
    yield Content.assemble(state_text(outcome), (f"  {fmt.moment(outcome.changed_at)}{by_hand}", QUIET))
    yield from Content.styled(changes_text(outcome), STRONG).wrap(width)
    if outcome.because:
        yield from Content(fmt.plain(outcome.because)).wrap(width)
    promises = [one for one in outcome.promises if finding in (None, one.finding)]
    drawn = [gain for promise in promises for gain in promise.gains]
    found = [_gain(one) for one in outcome.measured]
    if drawn or found:
        scale = Scale.over((*drawn, *found), width, STACKED_BELOW)
        yield scale.axis()
        yield from _compared(promises, outcome, scale, width)
    if outcome.rollback:
        yield Content.styled(f"to undo it: {', '.join(_change(one) for one in outcome.rollback)}", BAD)


def _compared(promises: Sequence[Promise], outcome: Outcome, scale: Scale, width: int) -> Iterator[Content]:
    """Each metric: what was said, and below it what was measured."""
    measured = {one.metric: one for one in outcome.measured}
    for promise in promises:
        for gain in promise.gains:
            yield from scale.rows(fmt.gain_name(gain), gain)
            if (one := measured.pop(gain.metric, None)) is not None:
                yield from _measured("measured", one, outcome, scale, width)
    for one in measured.values():
        yield from _measured(fmt.gain_name(_gain(one)), one, outcome, scale, width)


def _measured(label: str, one: Measured, outcome: Outcome, scale: Scale, width: int) -> Iterator[Content]:
    yield from scale.rows(label, _gain(one))
    held = outcome.covered.get(one.metric)
    text = {True: "inside what was said", False: "outside what was said", None: "nothing was said of it"}[held]
    if not one.matched:
        text = f"not compared: {fmt.plain(one.because or '')}"
    write = _WRITTEN.get(one.metric, fmt.number)
    numbers = f"{text} · {fmt.plain(one.what)}, {write(one.before)} → {write(one.after)}"
    yield indented(Content.styled(numbers, BAD if held is False else QUIET), LABEL_WIDTH, width)


def score_lines(scores: Sequence[Score]) -> Iterator[Content]:
    """How often what was said held, so far."""
    for one in scores:
        metric = "" if one.metric is None else f" of {one.metric.removesuffix('_ratio').replace('_', ' ')}"
        inside = round(one.coverage * one.outcomes)
        text = f"{fmt.plain(one.rule)}{metric}: {inside} of {one.outcomes} measured inside what was said"
        yield Content.styled(text, QUIET)


def _change(change: LeverChange) -> str:
    return f"{fmt.metric_name(change.lever)}: {fmt.value(change.old)} → {fmt.value(change.new)}"


def _gain(one: Measured) -> Gain:
    return Gain(metric=one.metric, p10=one.low, p50=one.ratio, p90=one.high)
