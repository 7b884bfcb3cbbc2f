"""Does the profile screen still look as it was accepted to look? `pytest --snapshot-update` accepts a new look."""

from collections.abc import Callable

import msgspec
import pytest
from textual.app import App
from textual.pilot import Pilot

from advisor.documents import Problem
from tests.fakes_tui import REFUSED, FakeSource
from tests.flames import AT, READY, busy, later, other_service, source, with_profiling
from tests.huge_flames import huge_source
from tests.snapshots import LOADED
from tests.tui.sizes import SIZES
from tui.app import TopApp
from tui.screens import profile as profile_screen
from tui.screens import profile_listing
from tui.widgets.notice import Notice

PROBLEM = "the process may not be traced (grant CAP_SYS_PTRACE to the sidecar)"
SMALL = pytest.mark.parametrize(
    "size",
    [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40", marks=pytest.mark.heavy)],
)


def live() -> FakeSource:
    return source(later(), busy(), other_service())


def disconnected() -> FakeSource:
    return FakeSource([REFUSED])


def empty() -> FakeSource:
    return source()


def unsupported() -> FakeSource:
    return source(snapshot=with_profiling(msgspec.structs.replace(READY, failed=2, problem=PROBLEM)))


def failed() -> FakeSource:
    asked = {"id": "new", "state": "running", "target": LOADED, "at_unix_seconds": AT, "seconds": 10.0}
    ended = asked | {"state": "failed", "reason": "the process may not be traced", "hint": "grant CAP_SYS_PTRACE"}
    it = source(busy())
    it.taken, it.known = {"profiles": asked}, {**it.known, "profiles/new": ended}
    return it


def refused() -> FakeSource:
    it = source(busy())
    it.read_only = Problem("no-token", "this user may only read", "run as the agent's user, or give --token-file")
    return it


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_screen, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(profile_listing, "BEAT_SECONDS", 0.1)
    monkeypatch.delenv("NO_COLOR", raising=False)


def asked(app: App[object]) -> bool:
    return any("sking for" in one.headline for one in app.screen.query(Notice) if one.display)


def looks(snap_compare: Callable[..., bool], it: FakeSource, size: tuple[int, int], *keys: str) -> bool:
    async def settle(pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await pilot.pause(0.3)
        while asked(pilot.app):  # a large one takes a while
            await pilot.pause(0.1)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.2)

    return snap_compare(TopApp(it, interval_seconds=3600), terminal_size=size, run_before=settle)


@SIZES
def test_a_profile_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, live(), size, "j", "enter", "j", "j")


@SIZES
@pytest.mark.parametrize("state", [empty, unsupported, disconnected], ids=lambda state: state.__name__)
def test_its_absence_looks_as_accepted(
    snap_compare: Callable[..., bool], state: Callable[[], FakeSource], size: tuple[int, int]
) -> None:
    assert looks(snap_compare, state(), size)


@SIZES
def test_a_large_node_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, huge_source(), size, "enter", "j", "l")


@SMALL
def test_a_difference_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, live(), size, "j", "d", "k", "d")


@SMALL
def test_a_search_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, live(), size, "j", "enter", "slash", *"preproc")


@SMALL
def test_without_colours_it_looks_as_accepted(
    snap_compare: Callable[..., bool], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert looks(snap_compare, live(), size, "j", "enter", "j")


@SMALL
def test_the_form_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, live(), size, "t")


@SMALL
def test_a_failed_one_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, failed(), size, "t", "enter", "enter", "r", "r")


@SMALL
def test_a_refusal_looks_as_accepted(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    assert looks(snap_compare, refused(), size, "t")
