"""Does the agent get what a reader process reads, and know how it is when that hangs, dies or has nothing to read?"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.readers.reader import Reader
from agent.readers.readers import Readers
from collectors.collector import Collector
from collectors.gpu.samples import GpuHealthSample, GpuProcessSample, GpuSample
from collectors.host import Host
from collectors.reading import Ok, Reading, Unsupported
from tests.agent.readers.sources.slow_twin import SlowTwin
from tests.agent.readers.sources.steered import Steered


class Watched:
    """A reader and everything that it brought."""

    def __init__(self, order: Path, *collectors: Collector) -> None:
        self._order = order
        self.reader = Reader("steered", collectors or (Steered(),), Host.real())
        self.seen: list[Reading] = []
        self.reader.start()

    def tell(self, word: str) -> None:
        part = self._order.with_suffix(".part")
        part.write_text(word)
        part.rename(self._order)

    def until(self, holds: Callable[[], bool], seconds: float = 10.0) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, (self.reader.health, self.seen[-3:])
            self.seen += self.reader.readings()
            time.sleep(0.01)
        return time.monotonic() - began

    def in_state(self, state: str) -> float:
        return self.until(lambda: self.reader.health.state == state)

    def newest(self) -> Reading:
        self.seen += self.reader.readings()
        return self.seen[-1]


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "order"
    path.write_text("ok")
    monkeypatch.setenv("STEERED", str(path))
    return path


@pytest.fixture
def watched(order: Path) -> Iterator[Watched]:
    one = Watched(order)
    yield one
    one.tell("ok")
    one.reader.stop(2.0)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_samples_arrive_each_second_as_they_were_read(watched: Watched) -> None:
    watched.until(lambda: len(watched.seen) >= 2)
    first, second = watched.seen[:2]
    assert 0.8 < (second.at.mono_ns - first.at.mono_ns) * 1e-9 < 1.5
    device, process = first.samples
    assert isinstance(device, GpuSample)
    assert (device.entity, device.state, device.busy_ppm, device.memory_used_bytes) == (
        "gpu:GPU-1",
        "ok",
        250_000,
        7 << 30,
    )
    assert device.sm_active_ppm is None
    assert isinstance(process, GpuProcessSample)
    assert (process.worker, process.context, process.memory_bytes) == ("worker:1:2", "compute+mps", None)
    assert process.entity == f"gpu-process:GPU-1/{watched.reader.health.pid}", "it is read in the process of its own"
    assert watched.reader.health.pid != os.getpid()


def test_collectors_of_one_process_come_at_their_own_pace(order: Path) -> None:
    one = Watched(order, Steered(), SlowTwin())
    try:
        one.until(lambda: sum(r.collector == "steered" for r in one.seen) >= 3)
        health = [r for r in one.seen if r.collector == "slow-twin"]
        assert len(health) == 1
        assert isinstance(health[0].samples[0], GpuHealthSample)
    finally:
        one.reader.stop(2.0)


def test_a_call_that_does_not_return_is_named_within_five_seconds_and_ends_without_a_restart(watched: Watched) -> None:
    watched.in_state("ok")
    pid = watched.reader.health.pid
    watched.tell("hang")
    assert watched.in_state("unresponsive") < 5.0
    watched.until(lambda: "driverGetEverything has not returned for" in watched.reader.health.detail)
    assert not isinstance(watched.newest().outcome, Ok)
    watched.tell("ok")
    assert watched.in_state("ok") < 5.0
    assert watched.reader.health.pid == pid


def test_a_process_that_stands_still_is_unresponsive_too(watched: Watched) -> None:
    watched.in_state("ok")
    pid = watched.reader.health.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        assert watched.in_state("unresponsive") < 5.0
        assert "no answer" in watched.reader.health.detail
    finally:
        os.kill(pid, signal.SIGCONT)
    assert watched.in_state("ok") < 5.0


def test_a_driver_that_is_out_of_order_is_that_state_and_recovers(watched: Watched) -> None:
    watched.in_state("ok")
    watched.tell("lost")
    assert watched.in_state("lost") < 5.0
    assert watched.reader.health.detail == "it fell off the bus"
    watched.tell("ok")
    assert watched.in_state("ok") < 5.0
    assert watched.reader.health.restarts == 0


def test_a_process_that_dies_is_started_again(watched: Watched) -> None:
    watched.in_state("ok")
    watched.tell("exit")
    watched.in_state("failed")
    assert "status 3" in watched.reader.health.detail
    watched.tell("ok")
    watched.in_state("ok")
    assert watched.reader.health.restarts >= 1


def test_where_nothing_is_to_be_read_no_process_runs(order: Path) -> None:
    order.write_text("absent")
    one = Watched(order)
    try:
        one.in_state("absent")
        assert one.reader.health.pid is None
        one.until(lambda: bool(one.seen))
        assert one.newest().outcome == Unsupported("no such device", "")
    finally:
        one.reader.stop(2.0)


def test_a_hanging_process_does_not_keep_the_agent(watched: Watched) -> None:
    watched.in_state("ok")
    pid = watched.reader.health.pid
    assert pid is not None
    watched.tell("hang")
    watched.in_state("unresponsive")
    began = time.monotonic()
    watched.reader.stop(0.5)
    assert time.monotonic() - began < 1.5
    assert gone(pid)


def test_an_answer_that_is_too_long_is_a_fault_that_is_told_and_passes(watched: Watched) -> None:
    watched.in_state("ok")
    pid = watched.reader.health.pid
    watched.tell("long")
    watched.in_state("failed")
    assert "longer than a frame may be" in watched.reader.health.detail
    watched.tell("ok")
    watched.in_state("ok")
    assert watched.reader.health.pid == pid


def test_a_reader_whose_answers_make_no_sense_is_ended_and_started_again(watched: Watched) -> None:
    watched.in_state("ok")
    watched.tell("nonsense")
    watched.in_state("failed")
    assert "broke the protocol" in watched.reader.health.detail
    watched.tell("ok")
    watched.in_state("ok")
    assert watched.reader.health.restarts >= 1


def test_an_agent_with_many_files_open_reads_all_the_same(order: Path) -> None:
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        one = Watched(order)
        try:
            one.in_state("ok")
        finally:
            one.reader.stop(2.0)
    finally:
        for descriptor in kept:
            os.close(descriptor)


def test_a_reader_that_is_out_of_order_for_long_is_replaced_without_ever_longer_pauses(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.readers.reader.RENEW_SECONDS", 0.5)
    watched.in_state("ok")
    watched.tell("lost")
    watched.until(lambda: watched.reader.health.restarts >= 3, 12.0)
    watched.tell("ok")
    assert watched.in_state("ok") < 3.0


def test_what_it_costs_is_told(order: Path) -> None:
    readers = Readers([Steered()], Host.real())
    readers.start()
    try:
        until = time.monotonic() + 5
        while readers.status()[0].state != "ok":
            assert time.monotonic() < until
            time.sleep(0.02)
        (status,) = readers.status()
        assert status.name == "steered"
        assert status.cpu_seconds is not None
        assert status.cpu_seconds > 0
        assert status.resident_bytes is not None
        assert 5e6 < status.resident_bytes < 100e6
        assert status.heartbeat_seconds is not None
        assert status.heartbeat_seconds < 3
    finally:
        readers.stop(2.0)


def test_a_reader_that_is_not_wanted_is_not_there(order: Path) -> None:
    assert Readers([Steered()], Host.real(), never=("steered",)).status() == ()
