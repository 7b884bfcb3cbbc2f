"""Does the profile screen show what there was at the moment that somebody went to?"""

import msgspec
import pytest

from advisor.documents import Problem
from tests.fakes_tui import FakeSource, press, until
from tests.flames import AT, READY, busy, later, source, with_profiling
from tests.tui.pictures import moment
from tui.app import TopApp
from tui.profile_choice import Choice
from tui.profiles import Compared, Entry, One, Span
from tui.screens import profile as profile_screen
from tui.screens import profile_listing
from tui.widgets.notice import Notice
from tui.widgets.profile_head import ProfileHead
from tui.widgets.profile_list import ProfileList
from tui.widgets.status_line import StatusLine

NOTHING_OF_THE_PAST = Problem("past.not-kept", "a running agent tells the present only", "nodewright record")
LATEST = 200


def travelled(*seconds: float) -> FakeSource:
    """An agent seen at so many seconds after `AT`; profiles were taken a minute before it, 50 s after it, and until 205 s
    after it."""
    it = source(
        busy(id="last", at_unix_seconds=AT + 195),
        busy(id="mid", at_unix_seconds=AT + 50),
        later(id="old", at_unix_seconds=AT - 60),
        timeline=NOTHING_OF_THE_PAST,
    )
    it.answers = [moment(second, self_status=with_profiling(READY).self_status) for second in seconds]
    return it


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_screen, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(profile_listing, "BEAT_SECONDS", 0.05)


def listed(app: TopApp) -> list[str]:
    return [" ".join(str(one.prompt).split()) for one in app.screen.query_one(ProfileList).options]


def head(app: TopApp) -> str:
    return app.screen.query_one(ProfileHead).render().plain


async def test_only_profiles_that_had_ended_are_listed_with_their_age_then() -> None:
    it = travelled(0, 100, LATEST)
    app = TopApp(it, interval_seconds=3600.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "p", "r", "r")
        await until(pilot, lambda: len(listed(app)) == 3 and "10:03:15 UTC" in head(app))
        assert "2 min ago" in listed(app)[1]
        assert it.got.count("profiles?limit=200") >= 1
        await press(pilot, "left_square_bracket")
        await until(pilot, lambda: "10:00:50 UTC" in head(app))
        assert ["50 s ago" in line for line in listed(app)] == [True, False]
        assert "3 min ago" in listed(app)[1]
        await until(pilot, lambda: f"profiles?limit=200&end={AT + 100:.3f}" in it.got)
        await press(pilot, "left_square_bracket")
        await until(pilot, lambda: "09:59:00 UTC" in head(app))
        assert len(listed(app)) == 1
        assert "60 s ago" in listed(app)[0]
        await press(pilot, "t")
        assert "what is shown is past (press . for the present)" in app.screen.query_one(StatusLine).render().plain
        await press(pilot, "full_stop")
        await until(pilot, lambda: len(listed(app)) == 3)
        assert app.screen.query_one(ProfileList).chosen == "old"


async def test_a_moment_before_all_profiles_says_so() -> None:
    app = TopApp(travelled(-600, LATEST), interval_seconds=3600.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "p", "r")
        await until(pilot, lambda: len(listed(app)) == 3)
        await press(pilot, "left_square_bracket")
        notice = app.screen.query_one("#notice", Notice)
        assert notice.headline == "No profile of node-1 from before 09:50:00 UTC"
        assert notice.sentences[-1] == "Press . for the present."
        await press(pilot, "full_stop")
        await until(pilot, lambda: app.screen.query_one(ProfileList).has_focus)


def entry(name: str, begun: float, state: str = "done") -> Entry:
    fields = {"id": name, "state": state, "service": "s", "pid": 1, "at_unix_seconds": begun, "seconds": 10.0}
    return msgspec.convert(fields | {"kind": "burst", "reason": ""}, Entry)


@pytest.mark.parametrize(("state", "there"), [("done", [False, False, True]), ("running", [False, True, True])])
def test_a_profile_is_there_when_it_has_ended_or_while_it_is_taken(state: str, there: list[bool]) -> None:
    one = entry("a", 100.0, state)
    assert [one.was_there(then) for then in (99.0, 109.0, 110.0)] == there
    assert one.was_there(None)


def test_what_is_compared_with_and_a_span_do_not_lie_after_the_moment() -> None:
    choice, before, after = Choice(), entry("a", 100.0), entry("b", 200.0)
    assert choice.compare(before)
    assert not choice.compare(after)
    assert choice.what(after) == Compared(One("a"), One("b"))
    choice.go_to(110.0)
    assert choice.what(after) == Compared(One("a"), One("b"))
    choice.go_to(109.0)
    assert choice.what(after) == One("b")
    choice.lengthen(after, 5000.0)
    choice.go_to(6000.0)
    assert choice.what(after) == Span("s", 4100.0, 5000.0)
    choice.go_to(3000.0)
    assert choice.what(after) == Span("s", 2100.0, 3000.0)
