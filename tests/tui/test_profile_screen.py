"""Can profiles be looked at, searched, compared and asked for from the keyboard, and is it said where not?"""

from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Input

from advisor.documents import Problem
from advisor.profiling.header import header_of
from advisor.profiling.request import ProfileRequest, ProfileState
from tests.fakes_tui import REFUSED, FakeSource, press, until
from tests.flames import AT, ENCODE, READY, busy, done, later, other_service, profile, sample, source, with_profiling
from tests.snapshots import LOADED, empty_snapshot
from tests.tui.flame.test_boxes import HOSTILE
from tui import listed_profiles
from tui.app import TopApp
from tui.http_source import NO_TOKEN
from tui.screens import profile as profile_screen
from tui.screens import profile_listing
from tui.screens.ask_profile import AskProfileScreen, Tick
from tui.screens.profile import ProfileScreen
from tui.widgets.class_legend import ClassLegend
from tui.widgets.frame_detail import FrameDetail
from tui.widgets.icicle import Icicle
from tui.widgets.notice import Notice
from tui.widgets.profile_head import ProfileHead
from tui.widgets.profile_list import ProfileList
from tui.widgets.status_line import StatusLine

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=["80x24", "120x40", "200x50"])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_screen, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(profile_listing, "BEAT_SECONDS", 0.05)
    monkeypatch.delenv("NO_COLOR", raising=False)


def app_over(it: FakeSource) -> TopApp:
    return TopApp(it, interval_seconds=3600.0)


async def opened(pilot: Pilot[None], app: TopApp) -> None:
    """The screen with its first profile drawn."""
    await press(pilot, "p")
    await until(pilot, lambda: app.screen.query_one(Icicle).node is not None)
    await pilot.pause()


def told(app: TopApp, kind: type[Widget]) -> str:
    text: str = app.screen.query_one(kind).render().plain  # type: ignore[union-attr]
    return text


def rows(app: TopApp) -> list[str]:
    icicle = app.screen.query_one(Icicle)
    return [icicle.render_line(y).text.rstrip() for y in range(icicle.rows - icicle.top)]


def notice(app: TopApp) -> Notice:
    return app.screen.query_one("#notice", Notice)


async def to_second(pilot: Pilot[None], app: TopApp) -> None:
    await press(pilot, "j")
    await until(pilot, lambda: "burst" in told(app, ProfileHead))


@SIZES
async def test_the_newest_profile_is_drawn_with_its_numbers(size: tuple[int, int]) -> None:
    app = app_over(source(busy(), other_service()))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        assert isinstance(app.screen, ProfileScreen)
        head = told(app, ProfileHead).split("\n")
        assert head[0].startswith(f"{LOADED} pid 101 · burst: gil-bound-worker · 10 s at 50 Hz")
        assert head[1] == "samples:  [on CPU 1000]  native –  GIL held 250  waiting 90"
        assert head[2].startswith("whole profile · without native: perf events are not allowed (sysctl")
        drawn = rows(app)
        assert drawn[0].startswith("~▸all › <module> › run › handle")
        assert drawn[1].startswith("~ predict")
        assert drawn[2].startswith("k forward › addmm")
        assert told(app, ClassLegend).split("\n")[0].startswith(" k  kernel 43 %   t  tokenise 30 %")
        for kind in (ProfileHead, FrameDetail, ClassLegend):
            assert app.screen.query_one(kind).size.height >= 1


async def test_arrows_and_letters_move_and_the_lines_below_follow() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "j", "down", "l")
        assert told(app, FrameDetail).split("\n") == [
            "encode_batch",
            "tokenizers/implementations/base_tokenizer.py:203 · called through preprocess",
            "total 30.0 % ± 1.4 · self 30.0 % ± 1.4 · 300 of 1000 samples",
            " t  tokenise 100 %",
        ]
        await press(pilot, "k")
        assert told(app, FrameDetail).startswith("predict\napp.py:42\n")
        await press(pilot, "right")
        assert told(app, FrameDetail).startswith("iterencode\n")
        await press(pilot, "h", "up", "up", "left")
        assert told(app, FrameDetail).startswith("handle\n")


async def test_zoom_fills_the_width_and_goes_back_step_by_step_or_at_once() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "j", "enter")
        assert rows(app)[0].startswith("~▸predict")
        assert told(app, ProfileHead).endswith("zoom 90 %: <module> › run › handle › predict")
        await press(pilot, "j", "l", "enter")
        assert "zoom 30 %" in told(app, ProfileHead)
        assert len(rows(app)) == 1
        await press(pilot, "backspace")
        assert "zoom 90 %" in told(app, ProfileHead)
        await press(pilot, "j", "enter", "0")
        assert "whole profile" in told(app, ProfileHead)
        assert told(app, FrameDetail).startswith("encode_batch\n")


async def test_narrow_frames_are_entered_by_zooming() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "j", "l", "l")
        assert told(app, FrameDetail).startswith("10 frames, each too narrow to be drawn: enter zooms in\n")
        assert "total 1.0 % ± 0.3 · 10 of 1000 samples" in told(app, FrameDetail)
        await press(pilot, "enter", "j")
        assert told(app, FrameDetail).startswith("hook_")
        assert "total 0.1 % ± 0.1 · self 0.1 % ± 0.1 · 1 of 1000 samples" in told(app, FrameDetail)


async def test_a_click_zooms_and_the_wheel_scrolls() -> None:
    app = app_over(source(busy(), profile(sample(tuple(f"f{n} (a.py:{n})" for n in range(60)), 5), id="deep")))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.click(Icicle, offset=(50, 2))
        await pilot.pause()
        assert "zoom 30 %" in told(app, ProfileHead)
        await press(pilot, "escape", "j")
        await until(pilot, lambda: "f59" in told(app, FrameDetail))
        await press(pilot, "enter", "U")
        icicle = app.screen.query_one(Icicle)
        assert icicle.rows == 61
        icicle.action_unzoom_all()
        for _ in range(30):
            icicle.on_mouse_scroll_up()
        assert icicle.top == 0
        icicle.on_mouse_scroll_down()
        assert icicle.top == 3


async def test_a_search_tells_its_share_and_goes_to_what_it_found() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "slash", *"preprocess")
        assert told(app, ProfileHead).endswith("/preprocess matched 42.0 % ± 1.6 of CPU time of Python threads")
        await press(pilot, "enter")
        assert told(app, FrameDetail).startswith("encode_batch\n")
        await press(pilot, "right_square_bracket")
        assert told(app, FrameDetail).startswith("Image.resize\n")
        await press(pilot, "left_square_bracket")
        assert told(app, FrameDetail).startswith("encode_batch\n")
        assert "t▸… › encode_batch" in rows(app)[2]
        assert "d*" in rows(app)[2]
        await press(pilot, "slash", *"zzz")
        assert told(app, ProfileHead).endswith("/zzz matched nothing")
        await press(pilot, "escape")
        assert "whole profile" in told(app, ProfileHead)
        assert app.screen.focused is app.screen.query_one(Icicle)
        await press(pilot, "escape")
        assert app.screen.focused is app.screen.query_one(ProfileList)


async def test_sides_threads_and_native_frames_are_keys() -> None:
    app = app_over(source(busy()))
    async with app.run_test(size=(200, 50)) as pilot:
        await opened(pilot, app)
        await press(pilot, "G")
        await until(pilot, lambda: "[GIL held 250]" in told(app, ProfileHead))
        assert "250 of 250 samples" in told(app, FrameDetail)
        await press(pilot, "I")
        await until(pilot, lambda: "[waiting 90]" in told(app, ProfileHead))
        await press(pilot, "I")
        await until(pilot, lambda: "[on CPU 1000]" in told(app, ProfileHead))
        await press(pilot, "v")
        await until(pilot, lambda: "[GIL held 250]" in told(app, ProfileHead))
        await press(pilot, "v", "v", "T")
        await until(pilot, lambda: "· per thread" in told(app, ProfileHead))
        await until(pilot, lambda: "… › Image.resize" in rows(app)[1])
        await press(pilot, "T", "F")
        await until(pilot, lambda: "· native left out" in told(app, ProfileHead))
        assert not any("addmm" in row for row in rows(app))


async def test_a_side_without_samples_says_why_and_what_helps() -> None:
    app = app_over(source(later(), busy()))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "G")
        await until(pilot, lambda: app.screen.query_one("#view", ContentSwitcher).current == "why")
        why = app.screen.query_one("#why", Notice)
        assert why.headline == "GIL held: no sample in this profile"
        assert why.sentences[0] == "No thread was seen in that state while it was taken."
        await to_second(pilot, app)
        await until(pilot, lambda: "250 of 250 samples" in told(app, FrameDetail))


async def test_frames_that_were_left_out_of_no_stack_are_not_pretended() -> None:
    app = app_over(source(other_service()))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await press(pilot, "F")
        assert "its Python stacks hold no native frames" in told(app, StatusLine)


async def test_two_profiles_are_compared_with_marks() -> None:
    it = source(later(), busy(), other_service())
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await to_second(pilot, app)
        await press(pilot, "d")
        assert "go to the one after and press d again" in told(app, StatusLine)
        await press(pilot, "k", "d")
        await until(pilot, lambda: "what changed" in told(app, ProfileHead))
        assert "profiles/diff?base=p1&other=p2" in it.got
        assert "· 09:57:00 UTC → 09:59:00 UTC · 1000 and 1000 samples" in told(app, ProfileHead)
        assert "[on CPU 1000 → 1000]" in told(app, ProfileHead)
        await press(pilot, "enter", "j", "j")
        assert "+▸+33.0 forward › addmm" in rows(app)[2]
        assert "- -30.0" in rows(app)[2]
        assert "here 43.0 → 76.0 %: +33.0 ± 2.1" in told(app, FrameDetail)
        assert "+  more than before" in told(app, ClassLegend)
        await press(pilot, "d")
        await until(pilot, lambda: "what changed" not in told(app, ProfileHead))


async def test_all_profiles_of_a_span_are_one_and_compared_with_the_span_before() -> None:
    it = source(busy())
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await press(pilot, "M")
        await until(pilot, lambda: "15 min as one" in told(app, ProfileHead))
        wanted = f"profiles/merged?service=gunicorn%2Fapp%3A8000&start={AT - 900:.3f}&end={AT:.3f}"
        assert wanted in it.got
        await press(pilot, "d")
        await until(pilot, lambda: "what changed" in told(app, ProfileHead))
        assert any(f"base_start={AT - 1800:.3f}&base_end={AT - 900:.3f}" in name for name in it.got)
        await press(pilot, "M", "M", "M", "M")
        await until(pilot, lambda: "burst" in told(app, ProfileHead))


def started(state: str = "running", **changes: Any) -> ProfileState:
    fields = {"id": "new", "state": state, "target": LOADED, "at_unix_seconds": AT, "seconds": 10.0}
    return msgspec.convert(fields | changes, ProfileState)


async def test_a_new_profile_is_asked_for_followed_and_drawn_when_it_is_done() -> None:
    it = source(busy())
    it.taken = {"profiles": started()}
    new = later(id="new")
    known = dict(it.known)
    it.known = known
    known["profiles/new"] = started()
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await press(pilot, "t")
        assert isinstance(app.screen, AskProfileScreen)
        assert app.screen.query_one("#target", Input).value == LOADED
        await press(pilot, "enter", "enter")
        await until(pilot, lambda: bool(it.posted))
        assert it.posted == [("profiles", ProfileRequest(target=LOADED, seconds=10.0))]
        await until(pilot, lambda: "is being taken; it takes 10 s" in told(app, StatusLine))
        why = app.screen.query_one("#why", Notice)
        await until(pilot, lambda: why.headline == f"A profile of {LOADED} is being taken")
        prompt = app.screen.query_one(ProfileList).get_option_at_index(0).prompt
        assert "0 of 10 s" in str(prompt)
        known["profiles/new"] = done(new)
        known["profiles"] = (header_of(new), header_of(busy()))
        await press(pilot, "r")
        await until(pilot, lambda: "request: requested" in told(app, ProfileHead))
        assert app.screen.query_one(ProfileList).chosen == "new"
        assert "is done" in told(app, StatusLine)


async def test_a_profile_that_fails_says_why_and_what_helps() -> None:
    it = source()
    it.taken = {"profiles": started()}
    it.known = {
        **it.known,
        "profiles/new": started("failed", reason="ptrace is forbidden", hint="grant CAP_SYS_PTRACE"),
    }
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "p", "t", "enter", "enter")
        await until(pilot, lambda: app.screen.query_one(ProfileList).chosen == "new")
        await press(pilot, "r")
        why = app.screen.query_one("#why", Notice)
        await until(pilot, lambda: "could not be taken" in why.headline)
        assert why.sentences == ("Reason: ptrace is forbidden.", "What helps: grant CAP_SYS_PTRACE")


async def test_an_agent_that_was_restarted_does_not_know_it_any_more() -> None:
    it = source()
    it.taken = {"profiles": started()}
    it.known = {**it.known, "profiles/new": Problem("profile.unknown", "there is no profile 'new'", "the ids are …")}
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "p", "t", "enter", "enter")
        await until(pilot, lambda: app.screen.query_one(ProfileList).chosen == "new")
        await press(pilot, "r")
        await until(pilot, lambda: "could not be taken" in app.screen.query_one("#why", Notice).headline)


async def test_a_refusal_is_told_with_its_hint() -> None:
    it = source(busy())
    it.refuses = Problem("profile.busy", "2 processes are being profiled", "ask again when that is done")
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await press(pilot, "t", "enter", "enter")
        await until(pilot, lambda: "2 processes are being profiled (ask again" in told(app, StatusLine))


async def test_who_may_not_ask_is_told_so_before_any_form() -> None:
    it = source(busy())
    it.read_only = NO_TOKEN
    app = app_over(it)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, app)
        await press(pilot, "t")
        assert isinstance(app.screen, ProfileScreen)
        assert NO_TOKEN.hint in told(app, StatusLine)


async def test_the_form_checks_what_it_is_told_and_can_be_left() -> None:
    it = source(busy())
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await press(pilot, "t", "enter")
        app.screen.query_one("#seconds", Input).value = "9000"
        await press(pilot, "enter")
        assert "9000 is not possible: a number, 1 to 300" in app.screen.query_one("#problem").render().plain  # type: ignore[union-attr]
        app.screen.query_one("#seconds", Input).value = "5"
        app.screen.query_one("#target", Input).value = "812"
        await press(pilot, "down", "space")
        assert app.screen.query_one(Tick).value
        await press(pilot, "enter")
        await until(pilot, lambda: bool(it.posted))
        assert it.posted == [("profiles", ProfileRequest(target=812, seconds=5.0, native=True))]
        await press(pilot, "t", "escape")
        assert isinstance(app.screen, ProfileScreen)


@SIZES
async def test_no_profiles_yet_says_why_and_how_to_get_them(size: tuple[int, int]) -> None:
    problem = "the process may not be traced (grant CAP_SYS_PTRACE to the sidecar)"
    status = msgspec.structs.replace(READY, failed=2, problem=problem)
    app = app_over(source(snapshot=with_profiling(status)))
    async with app.run_test(size=size) as pilot:
        await press(pilot, "p")
        await until(pilot, lambda: notice(app).headline == "No profiles yet on node-1")
        assert problem in notice(app).sentences[0]
        assert notice(app).sentences[-1] == "Press t to take one now."


async def test_profiles_are_shown_where_no_server_runs_any_more() -> None:
    it = source(busy())
    it.answers = [empty_snapshot()]
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        assert app.screen.query_one(ProfileList).option_count == 1


async def test_a_list_that_cannot_be_read_says_so() -> None:
    it = source()
    it.known = {"profiles": Problem("store.damaged", "state.db cannot be read", "it is set aside")}
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p")
        await until(pilot, lambda: notice(app).headline == "The profiles cannot be read")
        assert notice(app).sentences == ("Reason: state.db cannot be read.", "What helps: it is set aside")


async def test_without_a_connection_it_says_so_and_later_keeps_what_it_had() -> None:
    it = source(busy())
    it.answers = [REFUSED, it.answers[0], REFUSED]
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p")
        assert notice(app).headline == "No connection to http://127.0.0.1:9753"
        await press(pilot, "r")
        await until(pilot, lambda: app.screen.query_one(Icicle).node is not None)
        await press(pilot, "r")
        assert app.state.problem is not None
        assert app.screen.query_one(ContentSwitcher).current == "body"
        await press(pilot, "t")
        assert REFUSED.hint in told(app, StatusLine)


async def test_a_profile_that_is_gone_is_told_in_place_of_its_picture() -> None:
    it = source(busy())
    known = dict(it.known)
    known["profiles/p1"] = Problem("profile.unknown", "there is no profile 'p1'", "the ids are in /v1/profiles")
    it.known = known
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p")
        why = lambda: app.screen.query_one("#why", Notice)  # noqa: E731
        await until(pilot, lambda: why().headline == "There is nothing to draw")
        assert why().sentences[0] == "Reason: there is no profile 'p1'."


async def test_cursor_zoom_and_highlight_stay_when_the_list_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listed_profiles, "LIST_SECONDS", 0.0)
    it = source(later(), busy())
    app = app_over(it)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await to_second(pilot, app)
        await press(pilot, "enter", "j", "enter", "j", "l")
        before = told(app, FrameDetail)
        known = dict(it.known)
        known["profiles"] = (header_of(later(id="p9")), *map(header_of, [later(), busy()]))
        it.known = known
        screen = app.screen
        assert isinstance(screen, ProfileScreen)
        await until(pilot, lambda: screen.query_one(ProfileList).option_count == 3)
        assert screen.query_one(ProfileList).chosen == "p1"
        assert told(app, FrameDetail) == before
        assert "zoom 90 %" in told(app, ProfileHead)


@SIZES
async def test_hostile_names_break_no_line(size: tuple[int, int]) -> None:
    stacks = [sample(("root (a.py:1)", name, f"{name}x"), 10 + n, name) for n, name in enumerate(HOSTILE)]
    bad = profile(*stacks, service="\x1b[31m[red]x[/]\u202e" * 9, reason=HOSTILE[0], missing=busy().missing)
    app = app_over(source(bad))
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter", "j", *"lllllllllll", "T", "slash", *"[red")
        await pilot.pause()
        lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
        assert all(c.isprintable() for line in lines for c in line)
        for kind in (ProfileHead, FrameDetail, ClassLegend):
            assert "\x1b" not in told(app, kind)


async def test_of_ten_thousand_stacks_every_key_draws_what_is_in_sight() -> None:
    stacks = [
        sample((*ENCODE[: n % 5 + 1], f"f{n % 331} (x.py:{n % 97})", f"g{n} (y.py:{n})"), 1 + n % 9)
        for n in range(10_000)
    ]
    app = app_over(source(profile(*stacks)))
    async with app.run_test(size=(200, 50)) as pilot:
        await opened(pilot, app)
        await press(pilot, "enter")
        icicle = app.screen.query_one(Icicle)

        steps = (
            lambda: icicle.action_step(1), lambda: icicle.action_aside(1), icicle.action_zoom, icicle.action_unzoom_all,
            lambda: icicle.search("f1"), lambda: icicle.action_next_match(1), icicle.action_fold,
        )  # fmt: skip
        for step in steps:
            step()  # type: ignore[operator]
            drawn = [icicle.render_line(y).text for y in range(icicle.size.height)]
            assert drawn[0].strip()
            assert all(len(line) == icicle.size.width for line in drawn)
