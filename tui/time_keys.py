"""What do the keys for pausing and going back do? The part of the app that moves it in time."""

from typing import ClassVar

import msgspec
from textual.app import App
from textual.binding import Binding, BindingType

from advisor.documents import Problem
from tui import format as fmt
from tui.messages import GoingOn, Refused, Went
from tui.past import instant
from tui.screens.jump import JumpScreen
from tui.source import Source, Unreachable
from tui.state import Going, State
from tui.travel import Travel

PLAY_SECONDS = 1.0
"""Between two steps while it plays, and how far it goes on."""
NOTHING_KEPT = Problem("past.none", "nothing was seen yet", "wait for the first picture")


class TimeTraveller(App[None]):
    """Needs `source`, `state` and `travel`."""

    source: Source
    travel: Travel
    state: State
    TIME_BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause", show=False),
        Binding("left_square_bracket", "step(-1)", "A judgement back", show=False),
        Binding("right_square_bracket", "step(1)", "A judgement on", show=False),
        Binding("left_curly_bracket", "move(-60)", "A minute back", show=False),
        Binding("right_curly_bracket", "move(60)", "A minute on", show=False),
        Binding("at", "jump", "Go to a moment", show=False),
        Binding("full_stop,end", "now", "The present", show=False),
    ]

    def start_time(self) -> None:
        """Call it once, when the app has started."""
        self.play_timer = self.set_interval(PLAY_SECONDS, self._play_on)

    async def action_pause(self) -> None:
        """Hold what is shown; from a moment of the past, play on from it or hold again."""
        if self.travel.at is None:
            if await self._can_travel():
                self.travel.step(0)
                self._go()
        elif self.travel.is_newest:
            self.action_now()
        else:
            self.travel.playing = not self.travel.playing
            self.state = self.state.kept_up(self.travel.moment())

    async def action_step(self, by: int) -> None:
        if await self._can_travel():
            self._went(self.travel.step(by))

    async def action_move(self, seconds: float) -> None:
        if await self._can_travel(seconds):
            self._went(self.travel.move(seconds))

    def action_now(self) -> None:
        self.workers.cancel_group(self, "moment")
        self.travel.now()
        if self.travel.newest is not None:
            self.state = self.state.returned(self.travel.newest)

    async def action_jump(self) -> None:
        if await self._can_travel():
            newest = self.travel.times[-1]
            shown = newest if self.travel.at is None else self.travel.at
            self.push_screen(JumpScreen(kept_text(self.travel), shown, newest), self._jumped)

    def on_went(self, message: Went) -> None:
        if self.travel.at == message.at:  # else somebody has gone on meanwhile
            self.state = self.state.went(message.picture, self.travel.moment())

    def on_going_on(self, message: GoingOn) -> None:
        if self.travel.at == message.at:
            going = None if message.said is None else Going(message.at, message.said)
            self.state = msgspec.structs.replace(self.state, going=going)

    async def _jumped(self, at: float | None) -> None:
        if at is not None and await self._can_travel(at=at):
            self._went(self.travel.to(at))

    def _went(self, found: bool) -> None:
        """Show where `travel` is now; say so where it could go no further."""
        self.travel.playing = False
        if not found:
            self.post_message(Refused(oldest_problem(self.travel)))
        self._go()

    def _go(self) -> None:
        picture = self.travel.remembered()
        if picture is not None:
            self.workers.cancel_group(self, "moment")
            self.state = self.state.went(picture, self.travel.moment())
        else:
            if self.travel.stored is not None and self.travel.at is not None:
                self.state = msgspec.structs.replace(self.state, going=Going(self.travel.at))
            self.run_worker(self._fetch(), group="moment", exclusive=True)

    async def _fetch(self) -> None:
        """Wait for the picture; the keys go on, and the next one that goes elsewhere ends this."""
        at = self.travel.at
        if at is None:
            return
        try:
            picture = await self.travel.picture(lambda far: self._tell_far(at, far))
            self.post_message(Went(at, picture))
        except Unreachable as error:
            self.post_message(GoingOn(at, None))
            self.post_message(Refused(error.problem))

    def _tell_far(self, at: float, far: Problem) -> None:
        self.post_message(GoingOn(at, far.message))

    async def _can_travel(self, seconds: float = 0.0, at: float | None = None) -> bool:
        """Learn which moments there are, also around where one goes."""
        try:
            await self.travel.learn()
            await self.travel.look_around(seconds, at)
        except Unreachable as error:
            if not self.travel.times:
                self.post_message(Refused(error.problem))
        if not self.travel.times:
            self.post_message(Refused(NOTHING_KEPT))
        return bool(self.travel.times)

    def _play_on(self) -> None:
        if not self.travel.playing or self.travel.at is None or self.state.going is not None:
            return
        before = self.travel.at
        self.travel.move(PLAY_SECONDS)
        if self.travel.at == before or self.travel.is_newest:
            self.action_now()
        else:
            self._go()


def kept_text(travel: Travel) -> tuple[str, ...]:
    """What can be shown, and where more would be."""
    if travel.stored is not None:
        return ("The agent has stored", f"{fmt.span(travel.stored.span[0], travel.newest_time)}.")
    span = f"{fmt.count(len(travel.times), 'moment')}, {fmt.span(travel.times[0], travel.times[-1])}."
    if travel.recorded:
        return ("The recording has", span)
    return (
        "These screens have seen",
        span,
        "The agent has stored no earlier ones yet.",
    )


def oldest_problem(travel: Travel) -> Problem:
    if travel.stored is not None:
        stored = fmt.instant(travel.stored.span[0])
        return Problem("past.before", f"the agent has stored nothing before {stored}", "] goes on from there")
    oldest = fmt.instant(travel.times[0])
    if travel.recorded:
        return Problem("past.before", f"the recording begins at {oldest}", "] goes on from there")
    return Problem("past.before", f"these screens have seen nothing before {oldest}", "wait, or ask for a later moment")


def gap_text(before: str, now: str) -> str | None:
    """What is said where pictures come again, with the times of the last and of the new one; None for a short while."""
    first, last = instant(before), instant(now)
    if first is None or last is None or last - first <= 5:
        return None
    return f"back: nothing was seen for {fmt.age(last - first)}, from {fmt.clock(before)} to {fmt.clock(now)}"
