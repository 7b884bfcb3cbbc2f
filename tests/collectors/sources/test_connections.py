"""Are the connections to a service counted, whichever way its clients use them, and only where they can be?"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collectors.entities import Role, Service
from collectors.host import Host
from collectors.reading import Unreadable
from collectors.sources.connections import ConnectionsCollector, ConnectionsSample
from collectors.tcp_connections import Accepted, Families
from tests.hosttree import HostTree

PORT, OTHER = 8080, 22
TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
WEB, RESOLVER = "0100007F:1F90", "0B00007F:C001"


def listening(address: str) -> str:
    return f"   0: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1076 1 0 100 0\n"


def snmp(opened: int) -> str:
    return f"Ip: PassiveOpens\nIp: 5\nTcp: RtoMin PassiveOpens\nTcp: 200 {opened}\n"


@dataclass
class Tables:
    """Segments of each connection to PORT by cookie, and connections that ended at each port."""

    there: dict[int, int] = field(default_factory=dict)
    ended: Counter[int] = field(default_factory=Counter)
    refuses: OSError | OverflowError | None = None

    def listening(self) -> Families:
        if self.refuses:
            raise self.refuses
        return {PORT: frozenset((2,)), OTHER: frozenset((2,))}

    def accepted(self, ports: Families) -> Mapping[int, Accepted]:
        counted = {cookie: (100 * n, 1000 * n, n) for cookie, n in self.there.items()}
        return {port: Accepted(counted if port == PORT else {}, len(counted)) for port in ports}

    def closed(self, ports: Families, seconds: float, limit: int, without: int | None = None) -> Counter[int]:
        return self.ended


@dataclass
class Machine:
    """A host whose service listens on PORT in our own network namespace."""

    tree: HostTree
    tables: Tables
    collector: ConnectionsCollector
    service: Service

    def look(self, opened: int, **there: int) -> tuple[int | None, ...]:
        """The kernel has accepted so many connections; those to the service are `cN` with so many segments each."""
        self.tables.there = {int(name[1:]): n for name, n in there.items()}
        self.tree.file("proc/net/snmp", snmp(opened))
        self.tree.clock.advance(5)
        (sample,) = self.collector.collect(self.tree.host, (self.service,))
        assert isinstance(sample, ConnectionsSample)
        assert sample.entity == f"listen:{PORT}"
        return (
            sample.established, sample.opened, sample.received_bytes, sample.sent_bytes, sample.received_segments,
        )  # fmt: skip


def a_service(tree: HostTree, pid: int, *, own: bool) -> Service:
    """Its process, and the files of its network namespace."""
    tree.process(pid)
    ours = tree.file("proc/self/net/snmp", snmp(0))
    (tree.root / f"proc/{pid}/net").mkdir()
    if own:
        os.link(ours, tree.root / f"proc/{pid}/net/snmp")
    return tree.service(tree.worker(pid, Role.FRONT_END), port=PORT)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    tree, tables = HostTree(tmp_path), Tables()
    return Machine(tree, tables, ConnectionsCollector(tables), a_service(tree, 100, own=True))


def test_kept_connections_are_counted_by_what_goes_over_them(machine: Machine) -> None:
    assert machine.look(1000, c1=50, c2=10) == (2, 0, 0, 0, 0)
    assert machine.look(1000, c1=150, c2=110) == (2, 0, 20_000, 200_000, 200)
    assert machine.look(1001, c1=250, c2=210, c3=5) == (3, 1, 40_500, 405_000, 405)


def test_a_connection_for_each_request_is_counted_as_opened_and_its_bytes_are_not_told(machine: Machine) -> None:
    machine.look(1000)
    machine.tables.ended[PORT] = 198
    assert machine.look(1200, c1=1, c2=0) == (2, 200, None, None, None)
    machine.tables.ended[PORT] = 302  # the two of the last look are among them
    assert machine.look(1502, c3=1, c4=1) == (2, 502, None, None, None)


def test_connections_that_nothing_explains_are_not_told_and_counting_goes_on_after_them(machine: Machine) -> None:
    machine.look(1000)
    assert machine.look(1100, c1=1)[1] is None
    machine.tables.ended[PORT] = 99
    assert machine.look(1200, c1=1, c2=1)[1] == 1 + 100


def test_one_that_the_kernel_counts_only_in_the_next_look_is_counted_once(machine: Machine) -> None:
    machine.look(1000)
    assert machine.look(1000, c1=1)[1] == 1
    assert machine.look(1001, c1=2)[1] == 1


def test_with_thousands_of_connections_runs_are_passed_over(machine: Machine) -> None:
    many = {f"c{number}": 1 for number in range(6000)}
    assert machine.look(7000, **many) == (6000, 0, 0, 0, 0)
    seen = [len(list(machine.collector.collect(machine.tree.host, (machine.service,)))) for _ in range(3)]
    assert seen == [0, 0, 1]


def test_without_the_kernels_count_openings_and_bytes_are_not_known(machine: Machine) -> None:
    machine.look(1000, c1=1)
    machine.collector.close()  # which forgets the file
    (machine.tree.root / "proc/net/snmp").unlink()
    machine.tables.there = {1: 2}
    (sample,) = machine.collector.collect(machine.tree.host, (machine.service,))
    assert sample == ConnectionsSample(
        entity=f"listen:{PORT}", established=1, opened=None, received_bytes=None, sent_bytes=None,
        received_segments=None, young=0, young_segments=0,
    )  # fmt: skip


def test_of_another_network_namespace_only_what_its_one_port_has_opened_is_told(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    collector, service = ConnectionsCollector(Tables()), a_service(tree, 100, own=False)

    def look(opened: int, rows: str) -> list[tuple[int | None, int | None, int | None]]:
        tree.file("proc/100/net/snmp", snmp(opened))
        tree.file("proc/100/net/tcp", TCP + rows)
        samples = collector.collect(tree.host, (service,))
        return [(s.opened, s.established, s.received_segments) for s in samples if isinstance(s, ConnectionsSample)]

    alone = listening(WEB) * 2 + listening(RESOLVER)
    assert look(500, alone) == [(0, None, None)]
    assert look(730, alone) == [(230, None, None)]
    assert look(800, alone + listening("00000000:1F91")) == []
    assert look(800, alone * 9) == []  # the first page of the table does not show them all


def test_a_port_that_services_of_two_namespaces_have_is_nobodys(machine: Machine) -> None:
    theirs = a_service(machine.tree, 200, own=False)
    machine.tree.file("proc/200/net/snmp", snmp(7))
    machine.tree.file("proc/200/net/tcp", TCP + listening(WEB))
    assert list(machine.collector.collect(machine.tree.host, (machine.service, theirs))) == []


def test_what_cannot_be_asked_says_so(machine: Machine) -> None:
    machine.tables.refuses = OSError("the kernel refused a list of sockets")
    with pytest.raises(Unreadable, match=r"no answer over netlink.*CONFIG_INET_DIAG"):
        machine.look(1)
    machine.tables.refuses = OverflowError("more than 20000 connections")
    with pytest.raises(Unreadable, match=r"more than 20000 connections.*metrics page"):
        machine.look(1)
    with pytest.raises(Unreadable, match="this machine only"):
        ConnectionsCollector().collect(machine.tree.host, (machine.service,))


def test_a_service_that_does_not_listen_on_tcp_has_no_sample() -> None:
    tree_service = HostTree(Path("/nowhere")).service(port=None)
    assert list(ConnectionsCollector().collect(Host.real(), (tree_service,))) == []
