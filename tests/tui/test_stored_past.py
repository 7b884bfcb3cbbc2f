"""Do the screens go on into what the agent has stored, before what they have seen themselves?"""

from typing import Any

import msgspec
import pytest
from textual.widgets import Static

from advisor.documents import PastStatus, Problem, Snapshot, Timeline, TimelineStretch
from tests.fakes_tui import FakeSource, press
from tests.tui.pictures import START_SECONDS
from tests.tui.test_time_travel import busy, shown_ratio, status
from tui.app import TopApp
from tui.source import Unreachable

COMPUTING = Problem("past.computing", "being worked out: 40 %", "ask again in a second")
FAILED = Problem("past.hung", "it gave no sign for 60 s and was ended", "ask again")
SHORT = PastStatus(
    seen_seconds=40.0, wanted_seconds=1200.0, shorter="the agent was started", version="0", rules_changed=(), missing=()
)
SOME_HOURS = [*range(-14_400, -14_380, 2), *range(-3_700, 0, 2)]
"""Moments that are stored, in seconds before the first picture: a gap of hours lies between the tenth and the next."""


class Storing(FakeSource):
    """An agent that has stored `seconds`; `later`: how often it has to be asked for a moment."""

    def __init__(self, own: int, later: int = 0, trouble: Problem | None = None) -> None:
        super().__init__([busy(second, 0.9) for second in range(own)])
        self.later, self.trouble = later, trouble

    async def get(self, name: str, kind: type[Any]) -> Any:
        self.got.append(name)
        head, _, query = name.partition("?")
        if head == "timeline":
            return self.timeline(dict(part.split("=") for part in query.split("&")) if query else {})
        if self.later:
            self.later -= 1
            raise Unreachable(COMPUTING)
        if self.trouble is not None:
            raise Unreachable(self.trouble)
        found = self.then(float(query.partition("at=")[2]) - START_SECONDS)
        return msgspec.convert(msgspec.to_builtins(getattr(found, {"self": "self_status"}.get(head, head))), kind)

    def timeline(self, asked: dict[str, str]) -> Timeline:
        since, until = float(asked.get("since", START_SECONDS - 3600)), float(asked.get("until", 9e9))
        times = tuple(START_SECONDS + second for second in SOME_HOURS)
        return Timeline(
            first="", last="", ticks=0, judgements=0, moments=tuple(at for at in times if since <= at < until),
            stretches=(
                TimelineStretch(first=times[0], last=times[9]), TimelineStretch(first=times[10], last=times[-1]),
            ),
        )  # fmt: skip

    def then(self, second: float) -> Snapshot:
        found = busy(second, 0.5 if second > -4000 else 0.25)
        return msgspec.structs.replace(found, node=msgspec.structs.replace(found.node, past=SHORT))


async def seen(pilot: Any, count: int) -> None:
    for _ in range(count - 1):
        await press(pilot, "r")


async def arrived(app: TopApp, pilot: Any) -> None:
    """Wait until nothing is waited for any more."""
    while waiting := [one for one in app.workers if one.group == "moment" and not one.is_finished]:
        await app.workers.wait_for_complete(waiting)
    await pilot.pause()


async def test_the_brackets_go_on_from_what_was_seen_into_what_is_stored() -> None:
    app = TopApp(Storing(3), interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(pilot, 3)
        await press(pilot, *["left_square_bracket"] * 2)
        assert shown_ratio(app) == 0.9
        await press(pilot, "left_square_bracket")
        await arrived(app, pilot)
        assert shown_ratio(app) == 0.5
        assert status(app).startswith("‖ PAST, paused · 09:59:58 UTC · 4 s ago · judged on 40 s only · node-1")
        await press(pilot, "left_curly_bracket")
        await arrived(app, pilot)
        assert "09:58:58 UTC" in status(app)
        await press(pilot, "right_curly_bracket", "right_square_bracket")
        assert status(app).startswith("‖ PAST, paused · 10:00:00 UTC")
        assert shown_ratio(app) == 0.9


async def test_hours_back_are_jumped_to_and_a_gap_is_stepped_over() -> None:
    source = Storing(2)
    app = TopApp(source, interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(pilot, 2)
        await press(pilot, "at")
        told = "\n".join(str(one.render()) for one in app.screen.query(Static))
        assert "The agent has stored" in told
        assert "2026-11-20 06:00:00" in told
        await press(pilot, *"-3h", "enter")
        await arrived(app, pilot)
        assert "06:00:18 UTC" in status(app)  # the newest before a gap in which nothing was stored
        assert shown_ratio(app) == 0.25
        await press(pilot, "right_square_bracket")
        await arrived(app, pilot)
        assert "08:58:20 UTC" in status(app)
        assert "after a gap of 2 h" in status(app)
        await press(pilot, "left_square_bracket")
        await arrived(app, pilot)
        assert "06:00:18 UTC" in status(app)
        await press(pilot, *["left_square_bracket"] * 10)
        assert "the agent has stored nothing before 2026-11-20 06:00:00 UTC" in status(app)


async def test_while_a_moment_is_worked_out_the_line_says_so_and_the_keys_go_on() -> None:
    app = TopApp(Storing(1, later=10**6), interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "left_square_bracket")
        await pilot.pause()
        assert status(app).startswith(
            "… going to 2026-11-20 09:59:58 UTC · being worked out: 40 % · shown: 10:00:00 UTC"
        )
        assert shown_ratio(app) == 0.9
        await press(pilot, "a", "left_curly_bracket")
        await pilot.pause()
        assert status(app).startswith("… going to 2026-11-20 09:58:58 UTC")
        await press(pilot, "full_stop")
        await arrived(app, pilot)
        assert app.state.going is None
        assert "going" not in status(app)
        assert app.state.moment is None


async def test_a_moment_that_comes_late_is_shown_and_other_documents_are_of_it() -> None:
    source = Storing(1, later=1)
    app = TopApp(source, interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "left_square_bracket")
        await arrived(app, pilot)
        assert status(app).startswith("‖ PAST, paused · 09:59:58 UTC")
        assert app.travel.then("migration") == f"migration?at={START_SECONDS - 2}"
        await press(pilot, "right_square_bracket")
        assert app.travel.is_newest


async def test_of_a_picture_of_its_own_the_rest_is_asked_of_the_whole_second() -> None:
    app = TopApp(Storing(3), interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await seen(pilot, 3)
        await press(pilot, "left_square_bracket")
        assert app.travel.then("migration") == f"migration?at={START_SECONDS + 1.999}"


@pytest.mark.parametrize("trouble", [FAILED, Problem("past.not-kept", "what was stored of it is gone", "later")])
async def test_what_cannot_be_worked_out_is_told_in_a_line(trouble: Problem) -> None:
    app = TopApp(Storing(1, trouble=trouble), interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "left_square_bracket")
        await arrived(app, pilot)
        assert status(app) == f"✗ {trouble.message} ({trouble.hint})"
        assert app.state.going is None
        assert shown_ratio(app) == 0.9
