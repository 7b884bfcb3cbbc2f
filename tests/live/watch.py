"""What does nodewright make of a server that runs here? Discovery and collectors as the agent runs them, without an agent."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.demo.processes import members, process_table
from collectors.discovery import Discovery
from collectors.entities import Role, Service
from collectors.host import Host
from collectors.inside import read_facts
from collectors.sources.serving import ServingCollector, ServingSample
from collectors.sources.sockets import ListenSample, SocketsCollector
from collectors.sources.threads import SLOW_EVERY, ThreadClassSample, ThreadsCollector
from tests.live.client import Answers

FIND_SECONDS = 30.0
COUNTED_SECONDS = 30.0
"""Some servers bring their page up to date every few seconds only."""


class Watch:
    """Looks at this machine; other servers may run here too."""

    def __init__(self) -> None:
        self.host = Host.real()
        self.discovery = Discovery()
        self.threads = ThreadsCollector()

    def close(self) -> None:
        self.discovery.close()
        self.threads.close()

    def look(self) -> tuple[Service, ...]:
        """The services of this moment, with what is inside their processes."""
        self.discovery.scan(self.host)
        for process, requests in self.discovery.wanted():
            self.discovery.learn(read_facts(self.host, process.key, requests))
        self.discovery.scan(self.host)
        return self.discovery.services

    def find(self, root: int, good: Callable[[Service], bool]) -> Service:
        """The service that holds what came of the process `root`, once it is as expected."""
        end = time.monotonic() + FIND_SECONDS
        while True:
            own = {row.pid for row in members([root], process_table())}
            found = [service for service in self.look() if not own.isdisjoint(service.pids)]
            if len(found) == 1 and good(found[0]):
                return found[0]
            assert time.monotonic() < end, f"found instead: {[describe(each) for each in found]}"
            time.sleep(0.2)

    def listening(self, service: Service) -> ListenSample:
        """The listening socket of a service at this moment."""
        collector = SocketsCollector()
        try:
            samples = collector.collect(self.host, [service])
            return next(s for s in samples if isinstance(s, ListenSample) and s.entity == f"listen:{service.port}")
        finally:
            collector.close()

    def cpu_seconds(self, service: Service) -> dict[int, float]:
        """CPU time of each serving process, as its threads tell it."""
        for _ in range(SLOW_EVERY):
            self.threads.collect(self.host, [service])
        samples = [s for s in self.threads.collect(self.host, [service]) if isinstance(s, ThreadClassSample)]
        return {
            worker.pid: sum(s.run_ns or 0 for s in samples if s.entity.startswith(f"{worker.key.entity}:")) / 1e9
            for worker in service.serving
        }


def roles(service: Service) -> dict[Role, int]:
    found = [worker.role for worker in service.workers]
    return {role: found.count(role) for role in found}


def describe(service: Service) -> str:
    return f"{service.name} { ({role.value: number for role, number in roles(service).items()}) }"


class Window:
    """What a server's metrics page says before and after a load."""

    def __init__(self, watch: Watch, service: Service) -> None:
        self._watch, self._service = watch, service
        self._collector = ServingCollector()
        self.before = self._read(self._collector)

    def after(self, requests: int) -> ServingSample:
        """The page once it has counted `requests` more, or what it says after COUNTED_SECONDS."""
        end = time.monotonic() + COUNTED_SECONDS
        while time.monotonic() < end:
            now = self._read(ServingCollector())  # another reader: quantiles are of what came since the last reading
            if total(now) - total(self.before) >= requests:
                break
            time.sleep(0.2)
        return self._read(self._collector)

    def _read(self, collector: ServingCollector) -> ServingSample:
        samples = list(collector.collect(self._watch.host, [self._service]))
        found = [s for s in samples if s.entity == f"service:{self._service.id}"]
        assert found, f"no page: {collector.problems}"
        return found[0]


def total(sample: ServingSample) -> int:
    return (sample.requests or 0) + (sample.errors or 0)


def print_row(name: str, before: ServingSample, after: ServingSample, answers: Answers, timed: Answers) -> None:
    """What was counted and measured on both sides, for the reader of the test's output. `timed`: the answers whose time
    the server counts."""
    ours_us = mean_us(before, after)
    server = "none" if ours_us is None else f"{ours_us / 1e3:6.1f} ms ({ours_us / timed.mean_us:5.3f})"
    print(
        f"{name:22} {answers.number:4} sent {total(after) - total(before):4} counted "
        f"{(after.errors or 0) - (before.errors or 0):3} errors  mean {timed.mean_us / 1e3:6.1f} ms, server "
        f"{server}  p50 {timed.p50_us / 1e3:6.1f} ms in "
        f"{(after.latency_p50_low_us or 0) / 1e3:g}..{(after.latency_p50_high_us or 0) / 1e3:g} ms  {answers.codes}"
    )


def mean_us(before: ServingSample, after: ServingSample) -> float | None:
    """Mean latency between two pages, in microseconds; None where the server does not tell it."""
    assert after.latency_count is not None
    if after.latency_sum_us is None:
        return None
    number = after.latency_count - (before.latency_count or 0)
    return (after.latency_sum_us - (before.latency_sum_us or 0)) / max(1, number)


def stop_holding(folder: Path) -> None:
    (folder / "release").touch()
