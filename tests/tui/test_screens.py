"""Do the screens still look as they were accepted to look? `pytest --snapshot-update` accepts a new look."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from advisor.documents import Problem, Snapshot
from tests.fakes_tui import REFUSED, FakeSource
from tests.snapshots import (
    closed_snapshot,
    empty_snapshot,
    example_snapshot,
    gpu_snapshot,
    gpuless_snapshot,
    unreadable_gpu_snapshot,
)
from tests.tui.pictures import moment
from tests.tui.worker_series import worker_answers
from tui.app import TopApp

STATES: dict[str, Snapshot | Problem] = {
    "live": example_snapshot(),
    "empty": empty_snapshot(),
    "disconnected": REFUSED,
}


GPU_STATES: dict[str, Snapshot | Problem] = {
    "live": gpu_snapshot(),
    "empty": gpuless_snapshot(),
    "unsupported": unreadable_gpu_snapshot(),
    "disconnected": REFUSED,
}
WORKER_STATES: dict[str, Snapshot | Problem] = {
    "live": gpu_snapshot(),
    "empty": empty_snapshot(),
    "unsupported": closed_snapshot(),
    "disconnected": REFUSED,
}
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


@SIZES
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["o", "a"], ids=["overview", "advice"])
def test_screen_looks_as_accepted(
    snap_compare: Callable[..., bool], key: str, state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    async def settle(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        if key == "a" and state == "live":
            await pilot.press("j")
        await pilot.pause()

    app = TopApp(FakeSource([STATES[state]]), interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, run_before=settle)


@SIZES
@pytest.mark.parametrize("state", GPU_STATES)
def test_gpu_screen_looks_as_accepted(
    snap_compare: Callable[..., bool], state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = TopApp(FakeSource([GPU_STATES[state]]), interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, press=["g"])


@SIZES
@pytest.mark.parametrize("state", ["live", "unsupported"])
def test_overview_of_a_node_with_gpus_looks_as_accepted(
    snap_compare: Callable[..., bool], state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert snap_compare(TopApp(FakeSource([GPU_STATES[state]]), interval_seconds=3600), terminal_size=size)


@SIZES
@pytest.mark.parametrize("keys", [["space"], ["space", "at"]], ids=["paused", "jump"])
def test_the_past_looks_as_accepted(
    snap_compare: Callable[..., bool], keys: list[str], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    pictures = FakeSource([moment(0), moment(250)])
    assert snap_compare(TopApp(pictures, interval_seconds=3600), terminal_size=size, press=[*keys[:1], "r", *keys[1:]])


@SIZES
@pytest.mark.parametrize("state", WORKER_STATES)
@pytest.mark.parametrize("keys", [("w",), ("w", "j", "j", "enter")], ids=["tree", "page"])
def test_workers_look_as_accepted(
    snap_compare: Callable[..., bool],
    keys: tuple[str, ...],
    state: str,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    source = FakeSource([WORKER_STATES[state]], known=worker_answers())

    async def settle(pilot: Pilot[None]) -> None:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause(0.1)

    app = TopApp(source, interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, run_before=settle)
