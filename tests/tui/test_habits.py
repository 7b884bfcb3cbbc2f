"""Are things found and done by name, and is what is seen written to a file without harm to another?"""

from pathlib import Path

import msgspec
import pytest
from textual.command import CommandPalette
from textual.widgets import Input, Static

from tests.fakes_tui import app_with, press
from tests.snapshots import empty_snapshot, example_snapshot, gpu_snapshot
from tui.app import TopApp
from tui.commands import commands_of
from tui.export import usual_name
from tui.screens.advice import AdviceScreen
from tui.screens.base import StateScreen
from tui.screens.export import ExportScreen
from tui.screens.search import SearchScreen
from tui.state import Notice
from tui.widgets.finding_list import FindingList
from tui.widgets.gpu_list import GpuList
from tui.widgets.kept_list import matches
from tui.widgets.service_list import ServiceList


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_leads_to_a_screen(key: str) -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, key)
        assert isinstance(app.screen, CommandPalette)
        await press(pilot, *"advice")
        await pilot.pause(0.3)
        await press(pilot, "down", "enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, AdviceScreen)


async def test_every_screen_and_action_with_a_key_is_in_the_palette_once() -> None:
    app = app_with(example_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "a")
        titles = [command.title for command in commands_of(app, app.screen)]
        assert titles[:6] == ["Overview", "Workers", "Advice", "GPUs", "Profile", "CPU/GPU"]
        for title in (
            "Ack",
            "Snooze",
            "Pause",
            "Go to a moment",
            "Nodes",
            "Write this view into a file",
            "Help",
            "Quit",
        ):
            assert titles.count(title) == 1, titles
        assert "Reopen" not in titles


async def test_search_goes_to_what_is_found_and_escape_goes_back() -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "a", "slash", *"POOL")
        assert isinstance(app.screen, SearchScreen)
        await press(pilot, "enter")
        assert isinstance(app.screen, AdviceScreen)
        findings = app.screen.query_one(FindingList)
        assert "Pool sized by the host" in str(findings.get_option_at_index(findings.highlighted or 0).prompt)
        before = findings.highlighted
        await press(pilot, "slash", *"memory", "escape")
        assert findings.highlighted == before
        await press(pilot, "slash", *"thread", "enter")
        first = findings.highlighted
        await press(pilot, "n")
        assert findings.highlighted != first
        await press(pilot, "slash", *"no such thing")
        assert str(app.screen.query_one("#told", Static).render()) == "not found"


async def test_devices_are_searched_too() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "g", "slash", *"l40s", "enter")
        chosen = app.screen.query_one(GpuList)
        assert "L40S" in str(chosen.get_option_at_index(chosen.highlighted or 0).prompt)


def test_a_search_is_for_text_in_whatever_case() -> None:
    assert matches(["Straße", "STRASSE", "weg"], "strasse") == [0, 1]
    assert matches(["a"], "") == []


async def test_the_highlight_comes_back_to_what_was_chosen_once_that_is_there_again() -> None:
    example = example_snapshot()
    partial = msgspec.structs.replace(example, services=example.services[:1])
    app = app_with(example, partial, empty_snapshot(), partial, example)
    async with app.run_test() as pilot:
        await press(pilot, "j")
        chosen = app.screen.query_one(ServiceList).chosen
        for _ in range(4):
            await press(pilot, "r")
        await pilot.pause()
        assert app.screen.query_one(ServiceList).chosen == chosen == example.services[1].id
        assert app.screen.query_one(ServiceList).has_focus


async def exported(app: TopApp, name: str) -> None:
    app.screen.query_one(Input).value = name


async def test_a_view_is_written_as_text_and_as_svg(tmp_path: Path) -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "E")
        assert app.screen.query_one(Input).value == "nodewright-node-1-overview-2026-11-20T100000Z.txt"
        await exported(app, str(tmp_path / "view.txt"))
        await press(pilot, "enter")
        assert isinstance(app.screen, StateScreen)
        assert app.state.notice == Notice(f"written: {tmp_path}/view.txt", good=True)
        await press(pilot, "E")
        await exported(app, str(tmp_path / "view.svg"))
        await press(pilot, "enter")
    lines = (tmp_path / "view.txt").read_text().splitlines()
    assert len(lines) == 24
    assert lines[2] == " ● gunicorn/app:8000  loaded  HIGH"
    svg = (tmp_path / "view.svg").read_text()
    assert svg.startswith("<svg")
    assert (
        "http"
        not in svg.replace("http://www.w3.org", "").replace("http://127.0.0.1:9753", "").split("<style>")[1][:2000]
    )
    assert "Write this view" not in svg


async def test_a_file_that_is_there_is_written_over_only_when_that_is_said_twice(tmp_path: Path) -> None:
    file = tmp_path / "view.txt"
    file.write_text("of somebody")
    app = app_with(example_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "E")
        await exported(app, str(file))
        await press(pilot, "enter")
        assert isinstance(app.screen, ExportScreen)
        assert "It is there already" in str(app.screen.query_one("#problem", Static).render())
        assert file.read_text() == "of somebody"
        await press(pilot, "enter")
    assert "gunicorn/app:8000" in file.read_text()


@pytest.mark.parametrize("name", ["/nonexistent/folder/view.txt", "", "/tmp", "~nobody-of-that-name/x", "a\0b"])
async def test_a_file_that_cannot_be_written_is_said_so(name: str) -> None:
    app = app_with(example_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "E")
        app.screen.query_one(Input).value = name
        await press(pilot, "enter")
        assert isinstance(app.screen, ExportScreen)
        told = str(app.screen.query_one("#problem", Static).render())
        assert told.startswith(("Not written: ", "It is there already"))


def test_a_name_of_a_node_never_leads_out_of_the_folder() -> None:
    assert usual_name("../../etc/x y", "advice", None) == "nodewright-etc-x-y-advice.txt"


async def test_the_list_of_findings_has_the_focus_again_after_there_were_none() -> None:
    example = example_snapshot()
    quiet = msgspec.structs.replace(
        example, advice=msgspec.structs.replace(example.advice, findings=(), inconclusive=())
    )
    app = app_with(example, quiet, example)
    async with app.run_test() as pilot:
        await press(pilot, "a", "j", "j")
        chosen = app.screen.query_one(FindingList).chosen
        await press(pilot, "r", "r")
        await pilot.pause()
        assert app.screen.query_one(FindingList).chosen == chosen
        assert app.screen.query_one(FindingList).has_focus
