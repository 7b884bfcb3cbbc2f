"""Does everything on the screens follow where somebody goes in time, and does the status line say so?"""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from advisor.documents import Problem, Snapshot, Timeline
from tests.fakes_tui import NOT_FOUND, REFUSED, FakeSource, press
from tests.snapshots import example_history
from tests.tui.pictures import START_SECONDS, moment
from tui.app import TopApp
from tui.screens.base import StateScreen
from tui.screens.jump import JumpScreen
from tui.source import Unreachable
from tui.travel import Travel, gap_before
from tui.widgets.core_strip import CoreStrip
from tui.widgets.status_line import StatusLine

NOTHING_OF_THE_PAST = Problem("past.not-kept", "a running agent tells the present only", "nodewright record")


def busy(second: float, ratio: float) -> Snapshot:
    found = moment(second)
    cores = tuple(msgspec.structs.replace(core, busy_ratio=ratio) for core in found.node.cores)
    return msgspec.structs.replace(found, node=msgspec.structs.replace(found.node, cores=cores))


class Recorded(FakeSource):
    """Answers of any of its moments as a replay does; its picture is the last one."""

    def __init__(self, moments: Mapping[float, Snapshot]) -> None:
        super().__init__([moments[max(moments)]], origin="recording node.db")
        self.moments = moments

    async def get(self, name: str, kind: type[Any]) -> Any:
        self.got.append(name)
        if name == "timeline":
            times = tuple(START_SECONDS + second for second in sorted(self.moments))
            return Timeline(first="", last="", ticks=len(times), judgements=len(times), moments=times)
        head, _, at = name.partition("?at=")
        if "/" in head:
            raise Unreachable(NOT_FOUND)
        snapshot = self.moments[float(at) - START_SECONDS if at else max(self.moments)]
        found = getattr(snapshot, {"self": "self_status"}.get(head, head))
        return msgspec.convert(msgspec.to_builtins(found), kind)


RECORDED = {second: busy(second, second / 400) for second in range(0, 241, 2)}


def recorded_app() -> TopApp:
    return TopApp(Recorded(RECORDED), interval_seconds=3600)


async def live_app(pilot: Pilot[None], count: int) -> None:
    """Let so many pictures come."""
    for _ in range(count - 1):
        await press(pilot, "r")


def live(*answers: Snapshot | Problem) -> TopApp:
    return TopApp(FakeSource(answers, known={"timeline": NOTHING_OF_THE_PAST}), interval_seconds=3600)


def status(app: TopApp) -> str:
    return app.screen.query_one(StatusLine).render().plain


def shown_ratio(app: TopApp) -> float | None:
    return app.screen.query_one(CoreStrip).cores[0].busy_ratio


async def test_pausing_holds_the_picture_while_newer_ones_come() -> None:
    app = live(*(busy(second, second / 10) for second in range(5)))
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space")
        assert status(app).startswith("‖ PAUSED · 10:00:00 UTC · the newest · 1/1 · node-1")
        await live_app(pilot, 4)
        assert shown_ratio(app) == 0.0
        assert status(app).startswith("‖ PAST, paused · 10:00:00 UTC · 3 s ago · 1/4 · node-1")
        assert app.screen.query_one(StatusLine).has_class("-past")
        await press(pilot, "full_stop")
        assert shown_ratio(app) == 0.3
        assert "PAST" not in status(app)
        assert not app.screen.query_one(StatusLine).has_class("-past")


async def test_the_line_says_it_in_eighty_columns_and_the_way_back_is_never_cut() -> None:
    name = "a-node-with-a-very-long-name.of-a-cluster.example"
    pictures = [busy(second, 0.1) for second in range(3)]
    long = [msgspec.structs.replace(p, node=msgspec.structs.replace(p.node, node=name)) for p in pictures]
    app = live(*long)
    async with app.run_test(size=(80, 24)) as pilot:
        await live_app(pilot, 3)
        await press(pilot, "left_square_bracket")
        line = status(app)
        assert line.startswith("‖ PAST, paused · 10:00:01 UTC · 1 s ago · 2/3 · a-node-")
        assert line.endswith("…  [ ] step  . now")


async def test_brackets_step_through_what_was_seen_and_stop_at_its_ends() -> None:
    app = live(*(busy(second, second / 10) for second in range(5)))
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 5)
        seen = []
        for key in ("left_square_bracket", "left_square_bracket", "right_square_bracket", "right_square_bracket"):
            await press(pilot, key)
            seen.append(shown_ratio(app))
        assert seen == [0.3, 0.2, 0.3, 0.4]
        await press(pilot, *["left_square_bracket"] * 5)
        assert shown_ratio(app) == 0.0
        assert "these screens have seen nothing before 2026-11-20 10:00:00 UTC" in status(app)


async def test_every_screen_shows_the_moment_and_asks_for_nothing_of_another() -> None:
    app = live(busy(0, 0.1), busy(1, 0.2))
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 2)
        await press(pilot, "left_square_bracket")
        for key in ("a", "g", "o"):
            await press(pilot, key)
            assert "10:00:00 UTC" in status(app)
            assert isinstance(app.screen, StateScreen)
            with pytest.raises(Unreachable, match="not kept of the past"):
                await app.screen.ask("migration", object)
        assert shown_ratio(app) == 0.1


async def test_nothing_is_acknowledged_on_a_picture_of_the_past() -> None:
    app = live(busy(0, 0.1), busy(1, 0.2))
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 2)
        await press(pilot, "left_square_bracket", "a", "m")
        assert "what is shown is past (press . for the present)" in status(app)


async def test_what_happened_to_a_finding_later_is_not_told_of_the_past() -> None:
    source = FakeSource([busy(0, 0.1), busy(1, 0.2)], events=example_history(), known={"timeline": NOT_FOUND})
    app = TopApp(source, interval_seconds=3600)
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 2)
        app.travel.at = START_SECONDS - 3600 * 24 * 365
        await press(pilot, "a", "j")
        assert app.state.history == ()


async def test_a_recording_is_gone_through_by_judgement_and_by_minute() -> None:
    app = recorded_app()
    async with app.run_test(size=(120, 40)) as pilot:
        for key, second in (
            ("left_square_bracket", 238), ("left_curly_bracket", 178), ("left_curly_bracket", 118),
            ("right_square_bracket", 120), ("right_curly_bracket", 180), ("right_curly_bracket", 240),
        ):  # fmt: skip
            await press(pilot, key)
            await pilot.pause()
            assert shown_ratio(app) == second / 400, key
        await press(pilot, *["left_curly_bracket"] * 3)
        await pilot.pause()
        assert "‖ PAST, paused · 10:01:00 UTC · 3 min 00 s before its end · 31/121" in status(app)


async def test_other_documents_are_asked_of_the_moment() -> None:
    app = recorded_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "left_square_bracket")
        assert app.travel.then("migration") == f"migration?at={START_SECONDS + 238}"
        assert app.travel.then("workers?service=x") == f"workers?service=x&at={START_SECONDS + 238}"
        assert app.travel.then("workers/12/threads") == f"workers/12/threads?at={START_SECONDS + 238}"
        assert app.travel.then("series?kind=core&entity=core:0") == "series?kind=core&entity=core:0"
        assert app.travel.then("advice/ab12/history?limit=2") == "advice/ab12/history?limit=2"
        assert app.travel.then("advice/ab12/series?until=9") == f"advice/ab12/series?until=9&at={START_SECONDS + 238}"
        with pytest.raises(Unreachable):
            app.travel.then("advice/ab12")
        await press(pilot, "full_stop")
        assert app.travel.then("migration") == "migration"


async def test_a_time_is_asked_for_and_gone_to() -> None:
    app = recorded_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "at")
        assert isinstance(app.screen, JumpScreen)
        told = "\n".join(str(one.render()) for one in app.screen.query(Static))
        assert "121 moments, 2026-11-20 10:00:00 to 10:04:00 UTC." in told
        app.screen.query_one(Input).value = "never"
        await press(pilot, "enter")
        assert "not a time" in str(app.screen.query_one("#problem", Static).render())
        app.screen.query_one(Input).value = "10:01:41"
        await press(pilot, "enter")
        await pilot.pause()
        assert shown_ratio(app) == 100 / 400


async def test_before_the_first_moment_the_first_is_shown_and_that_is_said() -> None:
    app = recorded_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "at")
        app.screen.query_one(Input).value = "-1d"
        await press(pilot, "enter")
        await pilot.pause()
        assert shown_ratio(app) == 0.0
        assert "the recording begins at 2026-11-20 10:00:00 UTC" in status(app)


async def test_space_plays_on_from_the_past_until_the_present() -> None:
    app = recorded_app()
    async with app.run_test(size=(120, 40)) as pilot:
        app.play_timer.stop()  # the test plays on itself
        await press(pilot, *["left_square_bracket"] * 3, "space")
        assert status(app).startswith("► PAST, playing · 10:03:54 UTC")
        app._play_on()
        await pilot.pause()
        assert app.travel.at == START_SECONDS + 236
        await press(pilot, "space")
        assert status(app).startswith("‖ PAST, paused · 10:03:56 UTC")
        await press(pilot, "space")
        for _ in range(3):
            app._play_on()
            await pilot.pause()
        assert app.travel.at is None
        assert app.state.moment is None


async def test_a_connection_that_is_lost_meanwhile_is_told_and_the_past_stays() -> None:
    app = live(busy(0, 0.1), busy(1, 0.2), REFUSED)
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 2)
        await press(pilot, "left_square_bracket", "r")
        assert shown_ratio(app) == 0.1
        assert "✗ nothing listens there" in status(app)


async def test_a_gap_is_told_when_pictures_come_again_and_where_it_is_stepped_over() -> None:
    app = live(*(busy(second, 0.1) for second in range(4)), REFUSED, busy(61, 0.2))
    async with app.run_test(size=(120, 40)) as pilot:
        await live_app(pilot, 6)
        assert "back: nothing was seen for 58 s, from 10:00:03 UTC to 10:01:01 UTC" in status(app)
        app.state = msgspec.structs.replace(app.state, notice=None)
        await press(pilot, "space")
        assert "after a gap of 58 s" in status(app)
        await press(pilot, "left_square_bracket")
        assert "after a gap" not in status(app)


async def test_before_the_first_picture_there_is_nothing_to_go_to() -> None:
    app = live(REFUSED)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "space", "at", "left_curly_bracket")
        assert isinstance(app.screen, StateScreen)
        assert app.state.moment is None


def test_a_gap_is_what_is_much_longer_than_usual() -> None:
    slow = [600.0 * number for number in range(10)]
    assert gap_before(slow, 5) is None
    assert gap_before([0, 2, 4, 6, 8, 13, 15], 5) is None
    assert gap_before([0, 2, 4, 6, 8, 19, 21], 5) == 11
    assert gap_before([0, 2], 0) is None


async def test_an_answer_that_does_not_come_is_asked_for_again() -> None:
    source = FakeSource([busy(0, 0.1)], known={"timeline": REFUSED})
    travel = Travel(source)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await travel.learn()
    source.known = {"timeline": NOT_FOUND}
    await travel.learn()
    await travel.learn()
    assert source.got == ["timeline"] * 3
