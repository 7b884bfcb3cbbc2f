"""Do the screens still look as they were accepted to look? `pytest --snapshot-update` accepts a new look."""

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from advisor.documents import Problem, Snapshot
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import (
    closed_snapshot,
    empty_snapshot,
    example_snapshot,
    gpu_snapshot,
    gpuless_snapshot,
    unreadable_gpu_snapshot,
)
from tests.snapshots_huge import FIRST_PID, THREADS, huge_snapshot, threads_of
from tests.tui.pictures import moment
from tests.tui.sizes import SIZES
from tests.tui.test_finding_series import CAUSE, grown
from tests.tui.worker_series import worker_answers
from tui.app import TopApp

STATES: dict[str, Snapshot | Problem] = {
    "live": example_snapshot(),
    "empty": empty_snapshot(),
    "unsupported": unreadable_gpu_snapshot(),
    "disconnected": REFUSED,
    "huge": huge_snapshot(),
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
    "huge": huge_snapshot(),
}
CHARTED = {"live": ("a", "j", "right", "end"), "huge": ("a", "right", "end")}
"""Keys to the charts of a finding."""
KNOWN = {
    **worker_answers(),
    f"workers/{FIRST_PID + 1}/threads": threads_of(FIRST_PID + 1, THREADS),
    **{f"advice/{one}/series": grown() for one in (CAUSE.id, f"{0:016x}")},
}
"""What is answered beside the pictures: of the huge node, all its threads are in one process."""


async def settle(pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and wait for what is asked of the agent."""
    for key in keys:
        await press(pilot, key)
        if asking := [one for one in pilot.app.workers if one.group in ("series", "threads", "history")]:
            await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


@SIZES
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("key", ["o", "a"], ids=["overview", "advice"])
def test_screen_looks_as_accepted(
    snap_compare: Callable[..., bool], key: str, state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    keys = (key, "j") if key == "a" and state == "live" else (key,)
    app = TopApp(FakeSource([STATES[state]], known=KNOWN), interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, *keys))


@SIZES
@pytest.mark.parametrize("state", CHARTED)
def test_a_finding_with_its_charts_looks_as_accepted(
    snap_compare: Callable[..., bool], state: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    app = TopApp(FakeSource([STATES[state]], known=KNOWN), interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, *CHARTED[state]))


@SIZES
def test_a_finding_without_colours_and_signs_looks_as_accepted(
    snap_compare: Callable[..., bool], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = TopApp(FakeSource([STATES["live"]], known=KNOWN), interval_seconds=3600, ascii_only=True)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, *CHARTED["live"]))


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
    app = TopApp(FakeSource([WORKER_STATES[state]], known=KNOWN), interval_seconds=3600)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: settle(pilot, *keys))
