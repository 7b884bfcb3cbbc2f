"""Can a finding be acknowledged, put off and opened again from the screen, and is it said where it cannot?"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from advisor.documents import Problem
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import example_history, example_snapshot
from tui.app import TopApp
from tui.http_source import NO_TOKEN
from tui.recording import READ_ONLY
from tui.screens.act import ActScreen
from tui.screens.advice import AdviceScreen
from tui.source import Act
from tui.widgets.finding_head import FindingHead
from tui.widgets.history_list import HistoryList
from tui.widgets.status_line import StatusLine

CAUSE, MUTED = example_snapshot().advice.findings[0], example_snapshot().advice.findings[3]
TO_CAUSE = ("a", "j")
TO_MUTED = ("a", "j", "j", "j", "j")


def app_over(source: FakeSource) -> TopApp:
    return TopApp(source, interval_seconds=3600.0, owner="grace")


def status(app: TopApp) -> str:
    screen = app.screen_stack[0] if isinstance(app.screen, ActScreen) else app.screen
    return screen.query_one(StatusLine).render().plain


def keys_shown(app: TopApp) -> set[str]:
    return {key for key, active in app.screen.active_bindings.items() if active.binding.action.startswith("act(")}


async def settled(pilot: Pilot[None]) -> None:
    """Wait for what runs beside the screens."""
    running = [one for one in pilot.app.workers if one.group in ("act", "history")]
    if running:  # of an empty list it would wait for all
        await pilot.app.workers.wait_for_complete(running)
    await pilot.pause()


async def test_a_finding_is_acknowledged_with_a_reason_for_a_time() -> None:
    source = FakeSource([example_snapshot()])
    app = app_over(source)
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "m", *"q1", "enter", *"7d", "enter")
        await settled(pilot)
        assert source.acts == [(CAUSE.id, Act(state="acknowledged", owner="grace", reason="q1", expires_in="7d"))]
        assert isinstance(app.screen, AdviceScreen)
        assert status(app) == f"✓ acknowledged: {CAUSE.title}"
        head = app.screen.query_one(FindingHead).render().plain
        assert "acknowledged by grace: q1" in head


async def test_a_picture_from_before_does_not_take_it_back() -> None:
    app = app_over(FakeSource([example_snapshot()]))
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "m", "x", "enter", "enter")
        await settled(pilot)
        states = []
        for _ in range(4):
            await press(pilot, "r")
            assert app.state.picture is not None
            states.append(app.state.picture.advice.findings[0].state)
        assert states[0] == "acknowledged"
        assert states[-1] == "open", "the agent knows better in the end"


async def test_a_snooze_needs_a_time_and_both_need_a_reason() -> None:
    source = FakeSource([example_snapshot()])
    app = app_over(source)
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "z", "enter")
        assert "say why" in problem_of(app)
        await press(pilot, *"later", "enter", "enter")
        assert "say for how long" in problem_of(app)
        await press(pilot, *"soon", "enter")
        assert "soon is no duration" in problem_of(app)
        app.screen.query_one("#lasts", Input).value = "2d"
        await press(pilot, "enter")
        await settled(pilot)
        assert source.acts == [(CAUSE.id, Act(state="snoozed", owner="grace", reason="later", expires_in="2d"))]


def problem_of(app: TopApp) -> str:
    return str(app.screen.query_one("#problem").render())


async def test_escape_leaves_everything_as_it_is() -> None:
    source = FakeSource([example_snapshot()])
    app = app_over(source)
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "m", *"known", "escape")
        assert isinstance(app.screen, AdviceScreen)
        assert source.acts == []


async def test_what_is_acknowledged_can_only_be_opened_again() -> None:
    source = FakeSource([example_snapshot()])
    app = app_over(source)
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE)
        assert keys_shown(app) == {"m", "z"}
        await press(pilot, "j", "j", "j")
        assert keys_shown(app) == {"u"}
        assert "acknowledged by ada until 2026-11-27 09:45 UTC: new node on Friday" in (
            app.screen.query_one(FindingHead).render().plain
        )
        await press(pilot, "u")
        await settled(pilot)
        assert source.acts == [(MUTED.id, Act(state="open", owner="grace"))]
        assert status(app) == f"✓ open again: {MUTED.title}"


async def test_a_rule_without_a_conclusion_cannot_be_acknowledged() -> None:
    app = app_over(FakeSource([example_snapshot()]))
    async with app.run_test() as pilot:
        await press(pilot, "a", "k", "m")
        assert keys_shown(app) == set()
        assert isinstance(app.screen, AdviceScreen)


@pytest.mark.parametrize("problem", [NO_TOKEN, READ_ONLY], ids=["no-permission", "recording"])
async def test_where_nothing_can_be_changed_it_is_said_at_once(problem: Problem) -> None:
    source = FakeSource([example_snapshot()], read_only=problem)
    app = app_over(source)
    async with app.run_test(size=(120, 36)) as pilot:
        for key in ("m", "z"):
            await press(pilot, *TO_CAUSE, key)
            assert isinstance(app.screen, AdviceScreen)
            assert status(app) == f"✗ {problem.message} ({problem.hint})"
        assert source.acts == []


async def test_without_a_connection_nothing_is_asked() -> None:
    source = FakeSource([example_snapshot(), REFUSED])
    app = app_over(source)
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "r", "m")
        assert isinstance(app.screen, AdviceScreen)
        assert status(app).startswith("✗ nothing listens there")
        assert source.acts == []


async def test_what_the_agent_refuses_is_told_with_its_remedy() -> None:
    ended = Problem("finding.ended", "the finding is not open", "acknowledge it when it is seen again")
    app = app_over(FakeSource([example_snapshot()], refuses=ended))
    async with app.run_test() as pilot:
        await press(pilot, *TO_CAUSE, "m", "x", "enter", "enter")
        await settled(pilot)
        assert status(app) == "✗ the finding is not open (acknowledge it when it is seen again)"
        assert "acknowledged" not in app.screen.query_one(FindingHead).render().plain


async def test_the_page_ends_with_what_became_of_the_finding() -> None:
    events = example_history()
    app = app_over(FakeSource([example_snapshot()], events=(*events, *events)))
    async with app.run_test(size=(160, 48)) as pilot:
        await press(pilot, *TO_CAUSE)
        await settled(pilot)
        told = app.screen.query_one(HistoryList).render().plain.splitlines()
        assert told[:3] == [
            "history",
            "2026-11-20 09:50 UTC  severity changed to high: was medium",
            "2026-11-20 09:45 UTC  opened as medium",
        ]
        assert told[4] == "2026-11-18 09:00 UTC  expired by ada: after the release"
        assert told[-1] == "and 4 older: nodewright history"
        await press(pilot, "j")
        await settled(pilot)
        assert not app.screen.query_one(HistoryList).display


async def test_hostile_reasons_are_shown_as_text() -> None:
    evil = "\x1b[31m[bold]x[/]"
    events = tuple(msgspec.structs.replace(one, note=evil, owner=evil) for one in example_history())
    app = app_over(FakeSource([example_snapshot()], events=events))
    async with app.run_test(size=(160, 48)) as pilot:
        await press(pilot, *TO_CAUSE)
        await settled(pilot)
        told = app.screen.query_one(HistoryList).render().plain
        assert "[bold]x[/]" in told
        assert "\x1b" not in told


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ((*TO_CAUSE, "z", *"later", "enter", *"soon", "enter"), {}),
        (TO_MUTED, {}),
        ((*TO_CAUSE, "m"), {"read_only": NO_TOKEN}),
        ((*TO_CAUSE, "right", "end"), {"events": example_history()}),
    ],
    ids=["form", "acknowledged", "no-permission", "history"],
)
def test_acting_looks_as_accepted(
    snap_compare: Callable[..., bool], keys: tuple[str, ...], more: dict[str, Any], size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def settle(pilot: Pilot[None]) -> None:
        await pilot.press(*keys[:2])
        await settled(pilot)
        await pilot.press(*keys[2:])
        await settled(pilot)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert snap_compare(app_over(FakeSource([example_snapshot()], **more)), terminal_size=size, run_before=settle)
