"""Is nothing but model servers found on a busy node, and every one of them?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from collectors.command_line import may_serve
from collectors.discovery import Discovery
from collectors.registry import all_frameworks
from tests.crowd import Row, crowd, servers, write
from tests.hosttree import HostTree

CROWD = crowd()
SERVERS = servers()
SEEN_AS = {"litserve": "generic"}
"""LitServe's script can be read on a real machine only: here it is what it is for whoever may not read it."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> HostTree:
    """The crowd as files; a test leaves it as it was."""
    made = HostTree(tmp_path_factory.mktemp("crowd"))
    write(made, CROWD)
    return made


@contextmanager
def beside(machine: HostTree, added: Sequence[Row]) -> Iterator[Discovery]:
    """A discovery of the crowd with these among it, before its first scan."""
    write(machine, added)
    discovery = Discovery()
    try:
        yield discovery
    finally:
        discovery.close()
        for each in added:
            machine.remove_process(each.pid)


def found_among_the_crowd(machine: HostTree, added: Sequence[Row] = ()) -> dict[str, frozenset[int]]:
    """Framework of each service -> its pids, with everything learnt that a look inside could show."""
    with beside(machine, added) as discovery:
        discovery.scan(machine.host)
        for each in (*CROWD, *added):
            discovery.learn(each.facts)
        for _ in range(4):
            machine.clock.advance(5)
            discovery.scan(machine.host)
        assert not discovery.waiting
        names = [service.framework for service in discovery.services]
        assert len(names) == len(set(names)), discovery.services
        return {service.framework: frozenset(service.pids) for service in discovery.services}


def test_the_crowd_is_one_of_a_busy_node() -> None:
    assert len(CROWD) >= 300
    assert len({row.pid for row in CROWD}) == len(CROWD)
    pids = {row.pid for row in CROWD}
    assert {row.ppid for row in CROWD} <= pids | {0}
    listening_with_libraries = [row for row in CROWD if row.ports and row.libraries and may_serve(row.process)]
    assert len(listening_with_libraries) >= 10


def test_none_of_it_is_a_model_server(machine: HostTree) -> None:
    assert found_among_the_crowd(machine) == {}


def test_every_framework_has_a_server_here() -> None:
    assert SERVERS.keys() == {framework.name for framework in all_frameworks()}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_found_with_its_processes_and_nothing_else(name: str, machine: HostTree) -> None:
    rows = SERVERS[name]
    assert found_among_the_crowd(machine, rows) == {SEEN_AS.get(name, name): {row.pid for row in rows}}


def test_servers_of_all_kinds_are_told_apart(machine: HostTree) -> None:
    kinds = [name for name in SERVERS if name not in SEEN_AS]
    found = found_among_the_crowd(machine, [row for name in kinds for row in SERVERS[name]])
    assert found == {name: {row.pid for row in SERVERS[name]} for name in kinds}


def test_the_looks_that_are_asked_for_find_a_server_that_started_last(machine: HostTree) -> None:
    rows = {row.pid: row for row in (*CROWD, *SERVERS["generic"])}
    asked: list[int] = []
    with beside(machine, SERVERS["generic"]) as discovery:
        for _ in range(60):
            machine.clock.advance(1)
            discovery.scan(machine.host)
            wanted = [process.key.pid for process, _ in discovery.wanted()]
            asked += wanted
            for pid in wanted:
                discovery.learn(rows[pid].facts)
        found = [(service.name, service.pids) for service in discovery.services]
    assert found == [("generic/score:9960", (90_210, 90_211))]
    assert len(asked) == len(set(asked))
    assert all(may_serve(rows[pid].process) for pid in asked)
