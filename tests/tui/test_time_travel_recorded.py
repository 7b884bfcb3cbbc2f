"""Is each moment of a real recording shown as its replay answers it?"""

import asyncio
from pathlib import Path

import pytest

from tests.agent.pieces import QUOTA, write_pieces
from tests.fakes_tui import press
from tui.app import TopApp
from tui.past import instant
from tui.recording import RecordingSource
from tui.widgets.core_strip import CoreStrip, summary
from tui.widgets.evidence_charts import EvidenceCharts
from tui.widgets.finding_list import FindingList
from tui.widgets.status_line import StatusLine


async def until(app: TopApp, at: str) -> None:
    async with asyncio.timeout(30):
        while app.state.picture is None or app.state.picture.node.at != at:
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_recording_is_scrubbed_and_every_screen_follows(tmp_path: Path) -> None:
    source = RecordingSource(write_pieces(tmp_path))
    app = TopApp(source, interval_seconds=0.2)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            await until(app, "2026-11-26T14:55:23Z")
            await press(pilot, "at", *"14:53:31", "enter")
            await until(app, "2026-11-26T14:53:30Z")
            await pilot.pause()
            assert (
                "‖ PAST, paused · 14:53:30 UTC · 113 s before its end"
                in app.screen.query_one(StatusLine).render().plain
            )
            shown = app.state.picture
            assert shown is not None
            assert shown == await app.travel.picture()
            assert summary(app.screen.query_one(CoreStrip).cores).plain.startswith("2.00 of 2 busy")
            await press(pilot, "a")
            listed = [option.id for option in app.screen.query_one(FindingList).options]
            quota = next(one.id for one in shown.advice.findings if one.rule == QUOTA)
            assert quota in listed
            app.screen.query_one(FindingList).choose(quota)
            async with asyncio.timeout(30):
                while not (drawn := app.screen.query_one(EvidenceCharts).plots):
                    await pilot.pause(0.02)
            throttled = next(one for one in drawn if one.evidence.metric == "throttled_ratio")
            found = next(one for one in shown.advice.findings if one.id == quota)
            assert throttled.series.judged_to == instant(found.last_seen)
            judged = [value for value in throttled.series.values[slice(*throttled.judged)] if value is not None]
            assert len(judged) >= 8
            assert sum(judged) / len(judged) == pytest.approx(throttled.evidence.observed, abs=0.1)
            await press(pilot, "left_curly_bracket", "left_curly_bracket")
            await until(app, "2026-11-26T14:51:50Z")
            await press(pilot, "full_stop")
            await until(app, "2026-11-26T14:55:23Z")
    finally:
        source.close()
