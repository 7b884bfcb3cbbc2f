"""The beat: cadence, lateness, missed ticks, judging, and the end of an agent whose sampling failed."""

import threading

import pytest

from advisor.history import History
from agent.budget import Budget
from agent.config import Config
from agent.judging import Judging
from agent.sampler import Sampler
from collectors.collector import Collector
from collectors.discovery import Discovery
from collectors.host import Host
from collectors.reading import Unreadable
from tests.hosttree import HostTree


class Counting(Collector):
    samples = ()
    cost = "nothing"

    def __init__(self, name: str, cadence: float = 1.0) -> None:
        self._name, self.cadence_seconds, self.runs, self.closed = name, cadence, 0, False

    @property
    def name(self) -> str:
        return self._name

    def collect(self, host, services):
        self.runs += 1
        if self._name == "broken":
            raise ZeroDivisionError
        if self._name == "absent":
            raise Unreadable("no such thing", "install it")
        return ()

    def close(self) -> None:
        self.closed = True


class FailingDiscovery(Discovery):
    def scan(self, host) -> bool:
        raise RuntimeError("by the test")


def sampler_over(host: Host, collectors, discovery=None, **more) -> Sampler:
    history = History()
    return Sampler(
        host, discovery or Discovery(), collectors, Judging(Config(), history, host.clock.now), history, None,
        interval_seconds=1.0, evaluate_seconds=2.0, budget=Budget(0.5),
        on_reading=more.pop("on_reading", lambda _: None), on_judged=more.pop("on_judged", lambda _: None), **more,
    )  # fmt: skip


@pytest.fixture
def host(tmp_path):
    return HostTree(tmp_path).host


def test_each_collector_runs_at_its_own_cadence(host):
    fast, slow = Counting("fast"), Counting("slow", 5.0)
    sampler = sampler_over(host, [fast, slow])
    for _ in range(11):
        sampler.tick(0)
    assert (fast.runs, slow.runs) == (11, 3)


def test_one_failing_collector_costs_only_itself_and_says_so(host):
    collectors = [Counting("broken"), Counting("absent"), Counting("fine")]
    sampler = sampler_over(host, collectors)
    sampler.tick(0)
    found = {c.name: (c.status, c.reason, c.hint) for c in sampler.latest.collectors()}
    assert found["fine"][0] == "ok"
    assert found["absent"] == ("unsupported", "no such thing", "install it")
    assert found["broken"][0] == "failed"
    assert "ZeroDivisionError" in found["broken"][1]


def test_lateness_is_counted_above_a_tenth_of_a_second(host):
    import time

    sampler = sampler_over(host, [])
    now = time.monotonic_ns()
    sampler.tick(now)
    sampler.tick(now - 300_000_000)
    assert sampler.beat.late_ticks == 1
    assert sampler.beat.worst_late_ns >= 300_000_000


def test_a_fault_in_sampling_is_reported_and_does_not_go_on_silently(host):
    failed = threading.Event()
    sampler = sampler_over(host, [], FailingDiscovery(), on_failed=failed.set)
    sampler.start()
    assert failed.wait(10)
    sampler.stop(5)


def test_stopping_closes_the_collectors(host):
    collector = Counting("fast")
    sampler = sampler_over(host, [collector])
    sampler.start()
    sampler.stop(5)
    assert collector.closed
