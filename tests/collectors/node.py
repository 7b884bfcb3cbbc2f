"""A discovery on a machine made of files, with someone who looks into what is wanted."""

from collections.abc import Sequence
from typing import Any

from collectors.discovery import Discovery
from collectors.entities import Service
from collectors.facts import Library
from tests.captures import facts
from tests.hosttree import HostTree

GUNICORN = ("/opt/venv/bin/python3.11", "/opt/venv/bin/gunicorn", "-w", "2", "-b", "127.0.0.1:8000", "shop:app")
SPAWNED = ("python3.11", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)", "--x")
TRACKER = ("python3.11", "-c", "from multiprocessing.resource_tracker import main;main(6)")
BLAS = (Library("openblas", "/x/libopenblas.so"),)
NOW = 100_000
"""Clock ticks at which the tree's clock starts."""


class Node:
    """A discovery on a made machine, with someone who looks into what is wanted."""

    def __init__(self, machine: HostTree, **values: Any) -> None:
        self.machine = machine
        self.discovery = Discovery(**values)
        self.inside: dict[int, dict[str, Any]] = {}
        """Pid -> arguments of `facts`; None = it may not be looked into."""
        self.asked: list[int] = []

    def scan(self, seconds: float = 1.0) -> bool:
        self.machine.clock.advance(seconds)
        return self.discovery.scan(self.machine.host)

    def look(self) -> None:
        for process, _ in self.discovery.wanted():
            self.asked.append(process.key.pid)
            self.discovery.learn(facts(process, **{"environ": {}, **self.inside.get(process.key.pid, {})}))

    def settle(self, seconds: float = 1.0) -> tuple[Service, ...]:
        """Scan, look, and scan again, as two ticks of the agent do."""
        self.scan(seconds)
        self.look()
        self.scan(seconds)
        return self.discovery.services

    @property
    def only(self) -> Service:
        (service,) = self.discovery.services
        return service


def start_gunicorn(machine: HostTree, pid: int = 100, argv: Sequence[str] = GUNICORN, **values: Any) -> None:
    started = values.pop("started", 500)
    machine.process(pid, argv=argv, comm="gunicorn", started=started, **values)
    for offset in (1, 2):
        machine.process(pid + offset, argv=argv, comm="gunicorn", ppid=pid, started=started + offset, **values)
