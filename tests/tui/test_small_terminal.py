"""Is what matters in sight on 80x24: keys that are not cut, lines that end at words, the setting to change after few keys?"""

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget

from tests.fakes_tui import FakeSource, press
from tests.snapshots import gpu_snapshot
from tests.snapshots_advice import example_outcomes, planned_snapshot
from tests.snapshots_huge import huge_snapshot, name_of
from tests.tui.test_screens import KNOWN, STATES, WORKER_STATES
from tui.app import TopApp
from tui.screens.help import HelpScreen
from tui.widgets.key_line import KeyLine
from tui.widgets.line_view import LineView
from tui.widgets.worker_page import WorkerPage

SIZE = (80, 24)
ALL = {**STATES, "closed": WORKER_STATES["unsupported"], "gpus": gpu_snapshot(), "plan": planned_snapshot()}
WAYS = {
    "overview": ("o",), "tree": ("w",), "page": ("w", "j", "j", "enter"), "advice": ("a",),
    "finding": ("a", "j", "right", "end"),
}  # fmt: skip


def app_over(state: str) -> TopApp:
    known = {**KNOWN, "outcomes": example_outcomes()} if state == "plan" else KNOWN
    return TopApp(FakeSource([ALL[state]], known=known), interval_seconds=3600.0)


def drawn(app: TopApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def settle(pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and wait for what is asked of the agent."""
    for key in keys:
        await press(pilot, key)
    if asking := [one for one in pilot.app.workers if one.group in ("series", "threads", "history", "outcomes")]:
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


@pytest.mark.parametrize("state", ["live", "empty", "gpus", "plan"])
async def test_no_key_of_a_footer_is_cut_and_those_that_lead_on_are_there(state: str) -> None:
    app = app_over(state)
    async with app.run_test(size=SIZE) as pilot:
        for keys in (*WAYS.values(), ("g",), ("p",), ("c",)):
            await settle(pilot, *keys)
            line = app.screen.query_one(KeyLine).render()
            assert line.cell_length <= SIZE[0], keys
            assert line.plain.endswith(" ? Help  q Quit "), line.plain
            await settle(pilot, "escape")


@pytest.mark.parametrize(
    ("way", "label"), [("overview", "enter Advice"), ("tree", "enter Open"), ("advice", "enter Read")]
)
async def test_what_enter_does_is_told(way: str, label: str) -> None:
    app = app_over("live")
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot, *WAYS[way])
        assert label in drawn(app)[-1]


@pytest.mark.parametrize("state", ["unsupported", "closed", "gpus", "plan", "huge"])
async def test_every_line_ends_where_its_widget_ends_or_at_a_word(state: str) -> None:
    app = app_over(state)
    async with app.run_test(size=SIZE) as pilot:
        for keys in WAYS.values():
            await settle(pilot, *keys)
            for one in app.screen.query(Widget):
                if one.styles.text_wrap == "nowrap" and one.region and isinstance(told := one.render(), Content):
                    assert max(line.cell_length for line in told.split("\n")) <= one.size.width, one
                if isinstance(one, LineView) and one.region:
                    lines = [one.render_line(y) for y in range(one.size.height)]
                    assert {strip.cell_length for strip in lines} == {one.size.width}
            await settle(pilot, "escape")


@pytest.mark.parametrize(("state", "least"), [("live", 4), ("gpus", 4), ("closed", 4), ("huge", 4)])
async def test_the_page_of_a_process_shows_its_facts_and_the_first_threads_at_once(state: str, least: int) -> None:
    app = app_over(state)
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot, *WAYS["page"])
        page, text = app.screen.query_one(WorkerPage), "\n".join(drawn(app))
        assert page.scroll_offset.y == 0
        assert page.map is not None
        in_sight = [thread for thread in page.map.threads if f"{thread.tid:>7} " in text]
        assert len(in_sight) >= least
        assert in_sight == list(page.map.threads[: len(in_sight)])
        for fact in ("0.97 cores", "threads, 2 active", "#1 ", "affinity 0-1", "busy with anything"):
            assert fact in text, fact


async def test_the_map_and_what_follows_it_are_reached_by_part_and_its_head_leaves_with_it() -> None:
    app = app_over("huge")
    async with app.run_test(size=(80, 9)) as pilot:
        await settle(pilot, *WAYS["page"], "right_square_bracket")
        assert drawn(app)[2].startswith(" threads · 2000")
        await settle(pilot, *["pagedown"] * 3)
        assert "busy with anything" in drawn(app)[5]
        await settle(pilot, "right_square_bracket")
        assert drawn(app)[2].startswith(" last 15 min")
        assert not any("busy with anything" in line for line in drawn(app))
        await settle(pilot, "left_square_bracket")
        assert drawn(app)[2].startswith(" threads · 2000")


@pytest.mark.parametrize("state", ["live", "huge"])
async def test_from_the_start_the_exact_setting_is_three_keys_away_and_help_says_which(state: str) -> None:
    """As somebody goes who knows `?` alone."""
    app = app_over(state)
    pressed: list[str] = []
    async with app.run_test(size=SIZE) as pilot:

        async def key(name: str) -> None:
            pressed.append(name)
            await settle(pilot, name)

        await settle(pilot)
        assert drawn(app)[-1].endswith("? Help  q Quit")
        await key("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert any("enter       to the advice for the service" in line for line in drawn(app))
        await key("escape")
        await key("enter")
        told = [line.partition("│")[2].strip() for line in drawn(app)]
        assert "compute threads: 2 → 1, after a restart" in told
        assert "OMP_NUM_THREADS=1" in told
        assert told[told.index("OMP_NUM_THREADS=1") - 1] == "✓ environment of gunicorn"
        assert len(pressed) <= 5
    assert pressed == ["question_mark", "escape", "enter"]


def test_the_huge_node_is_as_large_as_it_says() -> None:
    snapshot = huge_snapshot()
    assert (len(snapshot.services), len(snapshot.workers), len(snapshot.node.cores)) == (16, 128, 64)
    assert (len(snapshot.node.gpus), len(snapshot.advice.findings), len(name_of(15))) == (8, 60, 300)
    assert len(KNOWN["workers/1000002/threads"]) == 2000  # type: ignore[arg-type]
