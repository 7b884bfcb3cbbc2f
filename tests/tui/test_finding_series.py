"""Is it asked how the figures of the chosen finding developed, when, and what if nobody tells?"""

from collections.abc import Mapping

import pytest
from textual.pilot import Pilot

from advisor.series import EvidenceSeries
from tests.fakes_tui import FakeSource, press
from tests.snapshots import example_snapshot
from tests.tui.pictures import START_SECONDS, moment
from tui.app import TopApp
from tui.widgets.evidence_charts import EvidenceCharts
from tui.widgets.finding_list import FindingList

CAUSE = example_snapshot().advice.findings[0]
ASKED = f"advice/{CAUSE.id}/series?until=2026-11-20T10%3A00%3A00Z"


def grown(judged_to: float = START_SECONDS) -> tuple[EvidenceSeries, ...]:
    values = tuple(0.05 * step if step != 11 else None for step in range(30))
    return (
        EvidenceSeries(
            metric="waiting_cores", start=judged_to - 58, step_seconds=2.0, judged_from=judged_to - 15,
            judged_to=judged_to, values=values,
        ),
        EvidenceSeries(
            metric="usable_cores", start=judged_to - 58, step_seconds=2.0, judged_from=judged_to - 15,
            judged_to=judged_to, values=(2.0,) * 30,
        ),
    )  # fmt: skip


def charted() -> Mapping[str, object]:
    return {f"advice/{CAUSE.id}/series": grown()}


async def settle(pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and wait for what is asked of the agent."""
    for key in keys:
        await press(pilot, key)
    if asking := [one for one in pilot.app.workers if one.group == "series"]:
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


def charts(app: TopApp) -> EvidenceCharts:
    return app.screen.query_one(EvidenceCharts)


async def test_figures_are_drawn_below_the_evidence_and_asked_for_again_after_a_while() -> None:
    source = FakeSource([moment(0), moment(2), moment(12)], known=charted())
    app = TopApp(source, interval_seconds=3600.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot, "a", "j")
        assert source.got.count(ASKED) == 1
        assert [one.evidence.metric for one in charts(app).plots] == ["waiting_cores", "usable_cores"]
        assert charts(app).display
        await settle(pilot, "r")
        assert source.got.count(ASKED) == 1
        await settle(pilot, "r")
        assert source.got.count(ASKED) == 2
        app.screen.query_one(FindingList).choose(example_snapshot().advice.findings[1].id)
        await settle(pilot)
        assert not charts(app).display


async def test_what_came_while_another_screen_was_looked_at_is_a_reason_to_ask_when_it_is_shown_again() -> None:
    """Of the past no further picture comes: the figures would not be drawn at all."""
    source = FakeSource([moment(0), moment(12)], known=charted())
    app = TopApp(source, interval_seconds=3600.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot, "a", "j", "o", "r")
        assert (source.asked, source.got.count(ASKED)) == (2, 1)
        await settle(pilot, "a")
        assert source.got.count(ASKED) == 2


async def test_a_finding_that_is_only_passed_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.screens.advice.REST_SECONDS", 3600.0)
    source = FakeSource([example_snapshot()], known=charted())
    async with TopApp(source, interval_seconds=3600.0).run_test(size=(120, 40)) as pilot:
        await press(pilot, "a", "j", "k")
        assert [one.group for one in pilot.app.workers].count("series") == 1
        assert not any("/series" in name for name in source.got)


async def test_an_agent_that_does_not_tell_leaves_the_table_alone() -> None:
    app = TopApp(FakeSource([example_snapshot()]), interval_seconds=3600.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, "a", "j")
        assert not charts(app).display
