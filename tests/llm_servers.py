"""What do the tests of the servers of language models have in common?"""

import re
from collections.abc import Sequence
from pathlib import Path

from collectors.discovery import Discovery
from collectors.entities import Process, Role, Service
from collectors.framework import Facts, Framework
from collectors.levers import Lever, Place, Value
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree

METRICS = Path(__file__).parent / "fixtures" / "metrics"
_VALUE = re.compile(r"^([^#\n]\S*?(?:\{.*\})?) \S+$", re.MULTILINE)


def page(name: str) -> str:
    return (METRICS / name).read_text()


def zeroed(text: str) -> str:
    """The same page before anything was counted."""
    return _VALUE.sub(r"\1 0", text)


def title(pid: int, text: str, ppid: int = 10) -> Process:
    """A process that gave itself a title."""
    return process(pid, text, ppid=ppid, comm=text[:15])


def said(framework: Framework, lever: Lever, service: Service, known: Facts) -> tuple[Value, str]:
    """Value and origin of a setting."""
    found = framework.setting(lever, service, known)
    assert found is not None
    return found.value, found.origin


def written(places: Sequence[Place]) -> list[tuple[str, str, Value, bool | None]]:
    return [(place.kind, place.key, place.value, place.effective) for place in places]


def server(framework: Framework, *argv: str, environ: dict[str, str] | None = None) -> tuple[Service, Facts]:
    """A server of one process with an environment that can be read; `environ` None: it cannot."""
    one = process(10, *argv)
    return service_of(framework.name, (one, Role.FRONT_END)), {one.key: facts(one, environ=environ)}


def discovered(machine: HostTree, processes: Sequence[Process]) -> list[tuple[str, dict[int, str]]]:
    """The services of a node with these processes: name, and role by pid."""
    machine.process(1, argv=("/sbin/init",), comm="init", ppid=0)
    for each in processes:
        machine.process(each.key.pid, argv=each.argv, comm=each.comm, ppid=each.ppid, started=500 + each.key.pid)
    discovery = Discovery()
    for _ in range(5):
        machine.clock.advance(1.0)
        discovery.scan(machine.host)
        for wanted, _ in discovery.wanted():
            discovery.learn(facts(wanted, environ={}))
    machine.clock.advance(1.0)
    discovery.scan(machine.host)
    found = [(s.name, {worker.pid: worker.role.value for worker in s.workers}) for s in discovery.services]
    discovery.close()
    return found
