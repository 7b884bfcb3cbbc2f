"""Does the profile screen stand what agents, programs and people do to it: foreign names, nothing, failures, and haste?"""

import asyncio
from typing import Any

import pytest
from rich.cells import cell_len
from textual.widgets import ContentSwitcher

from advisor.documents import Problem
from advisor.profiling.header import header_of
from tests.fakes_tui import NOT_FOUND, REFUSED, FakeSource, press
from tests.flames import busy, done, later, other_service, profile, sample, source
from tests.tui.flame.test_boxes import HOSTILE
from tests.tui.test_profile_screen import app_over, opened, rows, told, until
from tui import listed_profiles
from tui.screens import profile as profile_screen
from tui.screens import profile_listing
from tui.screens.search import SearchScreen
from tui.state import State
from tui.travel import Travel
from tui.widgets.frame_detail import FrameDetail
from tui.widgets.icicle import Icicle
from tui.widgets.notice import Notice
from tui.widgets.profile_head import ProfileHead
from tui.widgets.profile_list import ProfileList
from tui.widgets.status_line import StatusLine


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_screen, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(profile_listing, "BEAT_SECONDS", 0.05)
    monkeypatch.delenv("NO_COLOR", raising=False)


class Slow(FakeSource):
    """Answers for single profiles when it is told to."""

    gate: asyncio.Event

    async def get(self, name: str, kind: type[Any]) -> Any:
        if name.startswith("profiles/"):
            await self.gate.wait()
        return await super().get(name, kind)


def slow(it: FakeSource) -> Slow:
    found = Slow(it.answers, known=it.known)
    found.gate = asyncio.Event()
    return found


def know(it: FakeSource, **changes: object) -> None:
    it.known = {**it.known, **{name.replace("_", "/"): value for name, value in changes.items()}}


async def test_the_list_searches_its_lines_and_the_graph_its_frames_and_n_goes_on_in_both() -> None:
    app = app_over(source(later(), busy(), other_service(), later(id="p4")))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        profiles = app.screen.query_one(ProfileList)
        await press(pilot, "slash", *"requested", "enter", "n")
        assert not isinstance(app.screen, SearchScreen)
        assert profiles.chosen == "p4"
        await press(pilot, "n")
        assert profiles.chosen == "p2"
        await press(pilot, "enter", "slash", *"addmm", "enter")
        assert profiles.chosen == "p2"
        assert told(app, FrameDetail).startswith("addmm\n")
        await press(pilot, "slash", *"app.py", "enter", "n")
        assert told(app, FrameDetail).startswith("check\n")
        await press(pilot, "left_square_bracket")
        assert told(app, FrameDetail).startswith("Image.resize\n")
        assert app.state.moment is None
        await press(pilot, "escape", "n")
        assert told(app, FrameDetail).startswith("Image.resize\n")


async def test_brackets_go_back_in_time_from_the_graph_while_nothing_is_searched() -> None:
    it = source(busy())
    it.known = {**it.known, "timeline": NOT_FOUND}
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "left_square_bracket")
        assert app.state.moment is not None


async def test_names_of_ten_thousand_characters_are_cut_and_copied_whole() -> None:
    name = f"{'very_' * 2000}long (/srv/{'folder/' * 1400}a.py:7)"
    deep = tuple(f"{'x' * 9_000}{row} (a.py:{row})" for row in range(300))
    stacks = (sample((name, *HOSTILE), 9), sample(("b (b.py:1)",), 1), sample(("c (c.py:1)", *deep), 40))
    app = app_over(source(profile(*stacks)))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "U", "j", "l", "y")
        assert app.clipboard == name
        assert "given to the terminal's clipboard: very_very_" in told(app, StatusLine)
        for key in ("enter", *"jjj", "0", *"kkkkkh", "j", "enter", *"jjjj", "slash", *"xx", "enter", "n"):
            await press(pilot, key)
            lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
            assert all(character.isprintable() for line in lines for character in line)
            assert all(cell_len(row) <= 80 for row in rows(app))


async def test_a_profile_without_a_sample_says_so_and_keeps_the_keys() -> None:
    app = app_over(source(profile(id="p0"), busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        why = lambda: app.screen.query_one("#why", Notice)  # noqa: E731
        await press(pilot, "p")
        await until(pilot, lambda: why().headline == "on CPU: no sample in this profile")
        await press(pilot, "v", "T", "G", "slash", "escape", "enter", "slash", "n", "y", "0", "U", "escape", "j")
        await until(pilot, lambda: "250 of 250 samples" in told(app, FrameDetail))


async def test_the_focus_stays_below_the_list_while_there_is_nothing_to_draw() -> None:
    app = app_over(source(other_service()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "G")
        await until(pilot, lambda: app.screen.query_one("#view", ContentSwitcher).current == "why")
        assert not app.screen.query_one(ProfileList).has_focus
        await press(pilot, "G")
        await until(pilot, lambda: app.screen.query_one("#view", ContentSwitcher).current == "icicle")
        assert app.screen.query_one(Icicle).has_focus


async def test_what_failed_as_nobody_answered_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_profiles, "LIST_SECONDS", 0.0)
    it = source(busy())
    know(it, profiles_p1=REFUSED)
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p")
        await until(pilot, lambda: app.screen.query_one("#why", Notice).headline == "There is nothing to draw")
        know(it, profiles_p1=done(busy()))
        await until(pilot, lambda: app.screen.query_one(Icicle).node is not None)
        assert "burst" in told(app, ProfileHead)


async def test_a_profile_that_goes_while_it_is_drawn_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_profiles, "LIST_SECONDS", 0.0)
    it = source(later(), busy())
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        assert "requested" in told(app, ProfileHead)
        gone = Problem("profile.unknown", "there is no profile 'p2'", "the ids are in /v1/profiles")
        know(it, profiles=(header_of(busy()),), profiles_p2=gone)
        await until(pilot, lambda: "burst" in told(app, ProfileHead))
        assert [option.id for option in app.screen.query_one(ProfileList).options] == ["p1"]


async def test_a_terminal_that_changes_its_size_meanwhile_gets_the_whole_picture() -> None:
    it = slow(source(busy()))
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p")
        await until(pilot, lambda: "Asking for the profile" in app.screen.query_one("#why", Notice).headline)
        await pilot.resize_terminal(30, 10)
        await pilot.resize_terminal(120, 40)
        it.gate.set()
        await until(pilot, lambda: app.screen.query_one(Icicle).node is not None)
        await pilot.resize_terminal(40, 12)
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        icicle = app.screen.query_one(Icicle)
        assert icicle.size.width == 100
        assert [row[0].width for row in icicle._layout.rows[:1]] == [100]  # type: ignore[union-attr]


async def test_what_is_on_its_way_is_named_while_the_picture_before_stays() -> None:
    it = slow(source(later(), busy()))
    it.gate.set()
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        it.gate.clear()
        before = rows(app)
        await press(pilot, "j")
        await until(pilot, lambda: told(app, ProfileHead).startswith("asking for this profile\n"))
        assert rows(app) == before
        await press(pilot, "M")
        await until(pilot, lambda: "asking for 15 min as one" in told(app, ProfileHead))
        it.gate.set()
        await until(pilot, lambda: "15 min as one · up to" in told(app, ProfileHead))


async def test_nothing_of_one_node_is_shown_for_another() -> None:
    first, second = source(busy()), slow(source(later()))
    second.origin = "http://other:9753"
    app = app_over(first)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        app.source, app.travel = second, Travel(second)
        app.state = State(origin=second.origin)
        await pilot.pause()
        app.state = app.state.arrived(await second.picture())
        await until(pilot, lambda: app.screen.query_one(ProfileList).chosen == "p2")
        assert "burst" not in told(app, ProfileHead)
        second.gate.set()
        await until(pilot, lambda: "requested" in told(app, ProfileHead))
