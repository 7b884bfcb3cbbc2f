"""Does the agent answer of the past within bounds, whatever becomes of the process that works it out?"""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from advisor.documents import Problem
from agent.http.deps import NotNow
from agent.http.encoded import encode
from agent.http.past_snapshot import PastSnapshot
from agent.past import jobs
from agent.past.stored_past import StoredPast
from agent.past.worker import Failed, Moment, ProcessWorker, Told
from tests.agent.past.stores import SECOND, Storing, crowd_ticks, run_at
from tests.agent.running import LAUNCHER
from tests.snapshots import example_snapshot

START = 1_793_448_000
"""A multiple of a range's 300 s."""
RANGES = 7


class FakeWorker:
    """Works out what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.cancelled: list[int] = []
        self.go = asyncio.Event()
        self.trouble: Problem | None = None
        self.size = 0

    async def work_out(self, since_ms: int, until_ms: int, moment: Moment, progress: Told) -> None:
        self.asked.append((since_ms // 1000 - START) // 300)
        try:
            progress(4, 10)
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(self.asked[-1])
            raise
        if self.trouble is not None:
            raise Failed(self.trouble)
        for time_ms in range(since_ms + 1000, until_ms, 2000):
            moment(time_ms, packed(time_ms, self.size))


def packed(time_ms: int, size: int = 0) -> bytes:
    example = example_snapshot()
    shown = msgspec.structs.replace(
        example, node=msgspec.structs.replace(example.node, node=str(time_ms // 1000 - START))
    )
    body = zlib.compress(encode(shown), 1)
    return body + bytes(max(0, size - len(body)))


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half an hour and a little."""
    path = tmp_path_factory.mktemp("past") / "state.db"
    storing = Storing(path)
    storing.begin(run_at(START * SECOND))
    ticks = list(crowd_ticks(300 * RANGES, lambda second: (START + second) * SECOND))
    storing.clock.instant = ticks[-1].at
    for first in range(0, len(ticks), 100):
        some = ticks[first : first + 100]
        assert storing.writer.write([reading for tick in some for reading in tick.readings], {}, (), some)
    storing.close()
    return path


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker()


@pytest.fixture
async def past(db: Path, worker: FakeWorker) -> AsyncIterator[StoredPast]:
    found = StoredPast(db, worker, lambda: None)
    yield found
    await found.close()


async def when(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


async def test_many_who_ask_for_the_same_minutes_wait_for_one_process(past: StoredPast, worker: FakeWorker) -> None:
    asked = [asyncio.create_task(past.at(START + 10.5 + number % 20, 30)) for number in range(50)]
    await when(lambda: len(worker.asked) == 1)
    worker.go.set()
    found = await asyncio.gather(*asked)
    assert worker.asked == [0]
    seconds = [int(snapshot.node.node) for snapshot in found if snapshot is not None]
    assert seconds[:4] == [9, 11, 11, 13]
    again = await past.at(START + 200, 0)
    assert again is not None
    assert int(again.node.node) == 199
    assert worker.asked == [0]


async def test_who_does_not_wait_is_told_how_far_it_is(past: StoredPast, worker: FakeWorker) -> None:
    with pytest.raises(NotNow) as told:
        await past.at(START + 10, 0)
    await when(lambda: len(worker.asked) == 1)
    with pytest.raises(NotNow) as told:
        await past.at(START + 10, 0)
    assert told.value.problem == Problem("past.computing", "being worked out: 40 %", "ask again in a second")
    assert told.value.again_seconds == 1


async def test_moments_are_answered_as_they_come(db: Path) -> None:
    class Slow(FakeWorker):
        async def work_out(self, since_ms: int, until_ms: int, moment: Moment, progress: Told) -> None:
            moment(since_ms + 1000, packed(since_ms + 1000))
            await self.go.wait()

    past = StoredPast(db, Slow(), lambda: None)
    first = await past.at(START + 2, 20)
    assert first is not None
    assert int(first.node.node) == 1
    await past.close()


async def test_of_too_many_the_oldest_is_told_to_ask_again_and_the_newest_is_next(
    past: StoredPast, worker: FakeWorker
) -> None:
    asked = []
    for number in range(RANGES - 1):
        asked.append(asyncio.create_task(past.at(START + 300 * number + 100, 20)))
        await when(lambda number=number: START // 300 + number in past.jobs.wanted)
    with pytest.raises(NotNow) as told:
        await asked[1]
    assert told.value.problem.key == "past.busy"
    assert len(past.jobs.wanted) == jobs.MOST_WANTED
    worker.go.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, PastSnapshot) for one in found] == [True, False, False, True, True, True]
    assert worker.asked[:2] == [0, 5]


async def test_what_nobody_waits_for_any_more_gives_way(
    past: StoredPast, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ABANDONED_SECONDS", 0.0)
    with pytest.raises(NotNow):
        await past.at(START + 100, 0)
    await when(lambda: worker.asked == [0])
    other = asyncio.create_task(past.at(START + 400, 20))
    await when(lambda: worker.cancelled == [0])
    worker.go.set()
    assert await other is not None
    assert worker.asked == [0, 1]


async def test_at_the_end_of_the_agent_whoever_waits_is_told(past: StoredPast, worker: FakeWorker) -> None:
    asked = [asyncio.create_task(past.at(START + second, 60)) for second in (100, 400)]
    await when(lambda: len(worker.asked) == 1 and len(past.jobs.wanted) == 2)
    await past.close()
    for one in (*asked, past.at(START + 700, 60)):
        with pytest.raises(NotNow) as told:
            await one
        assert told.value.problem.message == "the agent ends"
    assert (worker.cancelled, len(worker.asked)) == (worker.asked, 1)


async def test_what_failed_is_told_and_not_tried_again_at_once(past: StoredPast, worker: FakeWorker) -> None:
    worker.trouble = Problem("past.failed", "it has broken", "mend it")
    worker.go.set()
    for _ in range(3):
        with pytest.raises(NotNow) as told:
            await past.at(START + 10, 20)
        assert told.value.problem == worker.trouble
    assert worker.asked == [0]


async def test_times_before_the_store_in_gaps_and_after_the_present(db: Path, worker: FakeWorker) -> None:
    newest = example_snapshot()
    at = START + 300 * RANGES + 7200
    shown = msgspec.structs.replace(newest, node=msgspec.structs.replace(newest.node, at="2026-10-31T14:35:00Z"))
    past = StoredPast(db, worker, lambda: shown)
    worker.go.set()
    assert await past.at(START - 1, 20) is None
    last = await past.at(at - 3000, 20)
    assert last is not None
    assert int(last.node.node) == 300 * RANGES - 1
    assert await past.at(at + 300, 0) is shown
    await past.close()


async def test_what_was_worked_out_is_kept_within_its_bound(
    past: StoredPast, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 20_000
    past.jobs.results._most_bytes = 2 * 150 * size
    worker.size = size
    worker.go.set()
    for number in range(4):
        await past.at(START + 300 * number + 200, 20)
    await past.at(START + 300 + 100, 20)
    assert worker.asked == [0, 1, 2, 3, 1]
    await past.at(START + 900 + 100, 0)
    assert len(past.jobs.results._kept) == 2


async def test_the_timeline_names_an_hour_of_moments_and_all_stretches(past: StoredPast) -> None:
    timeline = await past.timeline(None, None)
    assert timeline is not None
    assert (timeline.first, timeline.last) == ("2026-10-31T12:00:00Z", "2026-10-31T12:34:59Z")
    assert (timeline.ticks, timeline.judgements, len(timeline.moments)) == (2100, 1050, 1050)
    assert [(one.first, one.last) for one in timeline.stretches] == [(START, START + 2099)]
    some = await past.timeline(START + 5, START + 10)
    assert some is not None
    assert some.moments == (START + 5, START + 7, START + 9)


async def test_a_store_without_ticks_has_no_timeline(tmp_path: Path, worker: FakeWorker) -> None:
    past = StoredPast(tmp_path / "state.db", worker, lambda: None)
    assert await past.timeline(None, None) is None
    assert await past.at(START, 0) is None


@pytest.mark.parametrize(
    ("program", "key", "said"),
    [
        ("import time; time.sleep(1000)", "past.hung", "gave no sign for"),
        ("pass", "past.failed", "ended too early (status 0)"),
        ("raise SystemExit(3)", "past.failed", "ended too early (status 3)"),
        ("import os; os.kill(os.getpid(), 9)", "past.failed", "was killed, as when memory runs out"),
        (
            "import socket, sys; socket.socket(fileno=int(sys.argv[-1])).sendall(b'X' * 5000); input()",
            "past.failed",
            "ended too early",
        ),
    ],
)
async def test_a_process_that_hangs_dies_or_talks_nonsense_is_told_in_a_line(
    db: Path, program: str, key: str, said: str
) -> None:
    worker = ProcessWorker(db, [sys.executable, "-c", program], silent_seconds=1.0)
    with pytest.raises(Failed) as told:
        await worker.work_out(START * 1000, START * 1000 + 1, lambda time_ms, packed: None, lambda done, of: None)
    assert told.value.problem.key == key
    assert said in told.value.problem.message
    assert "\n" not in told.value.problem.message


async def test_a_command_or_a_socket_that_is_not_there_is_told(db: Path, tmp_path: Path) -> None:
    for worker in (ProcessWorker(db, [str(tmp_path / "none")]), ProcessWorker(db, [], str(tmp_path / "none.sock"))):
        with pytest.raises(Failed) as told:
            await worker.work_out(0, 1, lambda time_ms, packed: None, lambda done, of: None)
        assert told.value.problem.key == "past.failed"


async def test_the_real_process_works_a_stretch_out_and_is_the_least_of_all(db: Path) -> None:
    worker = ProcessWorker(db, [sys.executable, "-I", str(LAUNCHER), "past"])
    found: list[int] = []
    told: list[tuple[int, int]] = []
    kinds: list[tuple[int, int, str]] = []

    def progress(done: int, of: int) -> None:
        if not told:
            (child,) = psutil.Process().children()
            limit, _ = child.rlimit(psutil.RLIMIT_DATA)
            kinds.append((child.nice(), limit, Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip()))
        told.append((done, of))

    since = (START + 300) * 1000
    await worker.work_out(since, since + 20_000, lambda time_ms, packed: found.append(time_ms), progress)
    assert found == list(range(since + 1000, since + 20_000, 2000))
    assert told[-1] == (320, 320)
    assert kinds == [(19, 256 << 20, "1000")]
    assert psutil.Process().children() == []
