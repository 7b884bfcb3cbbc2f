"""Are accept queues and connections counted by port, wherever the service listens?"""

import os
import socket
import struct
from pathlib import Path

import pytest

from collectors.entities import Role
from collectors.host import Host
from collectors.reading import Unreadable
from collectors.sock_diag import TcpSocket, listen_queues, read_answer, tcp_sockets
from collectors.sources.sockets import PORT_LIMIT, WHOLE_EVERY, ListenDropsSample, ListenSample, SocketsCollector
from tests.hosttree import HostTree

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(port: int, state: str, waiting: int = 0, address: str = "0100007F") -> str:
    return (
        f"   0: {address}:{port:04X} 00000000:C350 {state} 00000000:{waiting:08X} 00:00000000 00000000"
        "  1000        0 1076 1 00000000b683b9ef 100 0 0 10 0\n"
    )


def listening(collector: SocketsCollector, tree: HostTree, *ports: int) -> dict[str, tuple[int | None, int | None]]:
    services = [tree.service(port=port) for port in ports]
    samples = [s for s in collector.collect(tree.host, services) if isinstance(s, ListenSample)]
    return {sample.entity: (sample.accept_queue, sample.established) for sample in samples}


def test_sockets_that_share_a_port_are_added_up_over_both_families(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    v6 = "0" * 32
    tree.file("proc/net/tcp", HEADER + row(8080, "0A", 5) + row(8080, "0A", 2) + row(8080, "01") + row(8080, "06"))
    tree.file("proc/net/tcp6", HEADER + row(8080, "0A", 1, v6) + row(8080, "01", 9, v6) + row(50000, "01", 0, v6))
    assert listening(SocketsCollector(), tree, 8080) == {"listen:8080": (8, 2)}


def test_a_second_reading_counts_anew(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    collector = SocketsCollector()
    tree.file("proc/net/tcp", HEADER + row(8080, "0A", 5) + row(8080, "01"))
    assert listening(collector, tree, 8080) == {"listen:8080": (5, 1)}
    tree.file("proc/net/tcp", HEADER + row(8080, "0A", 0))
    assert listening(collector, tree, 8080) == {"listen:8080": (0, 0)}


def test_ports_of_services_come_before_others_and_the_others_are_limited(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/net/tcp", HEADER + "".join(row(port, "0A") for port in range(1000, 1100)))
    found = list(listening(SocketsCollector(), tree, 1099))
    assert found[:3] == ["listen:1099", "listen:1000", "listen:1001"]
    assert len(found) == PORT_LIMIT


def test_a_port_of_another_network_namespace_is_read_through_the_front_end(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(800)
    tree.process(812)
    tree.file("proc/net/tcp", HEADER + row(22, "0A"))
    tree.file("proc/800/net/tcp", HEADER + row(8080, "0A", 7) + row(8080, "01"))
    service = tree.service(tree.worker(812), tree.worker(800, role=Role.FRONT_END), port=8080)
    collector = SocketsCollector()
    for _ in range(WHOLE_EVERY + 1):
        first, second = collector.collect(tree.host, (service, tree.service(port=None)))
        assert first == ListenSample(entity="listen:8080", accept_queue=7, established=1)
        assert second == ListenSample(entity="listen:22", accept_queue=0, established=0)


def test_a_service_that_does_not_listen_yet_has_no_sample(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/net/tcp", HEADER)
    assert listening(SocketsCollector(), tree, 8080) == {}


def test_drops_are_found_by_the_name_of_their_column(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/net/tcp", HEADER)
    tree.file(
        "proc/net/netstat", "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 20 31\nIpExt: ListenDrops\nIpExt: 9\n"
    )
    assert list(SocketsCollector().collect(tree.host, ())) == [ListenDropsSample(entity="node", overflows=20, drops=31)]


def test_a_table_of_many_pages_is_counted_to_its_end(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/net/tcp", HEADER + row(8080, "0A") + row(8080, "01") * 2000)
    assert listening(SocketsCollector(), tree, 8080) == {"listen:8080": (0, 2000)}


def test_of_a_table_longer_than_we_read_the_connections_are_not_known(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/net/tcp", HEADER + row(8080, "0A", 3) + row(8080, "01") * 10_000)
    assert listening(SocketsCollector(), tree, 8080) == {"listen:8080": (3, None)}


def test_a_host_without_tcp_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no /proc/net/tcp"):
        SocketsCollector().collect(HostTree(tmp_path).host, ())


def test_netlink_answers_are_handed_on_until_done_and_a_refusal_is_an_error() -> None:
    def message(kind: int, port: int, waiting: int, state: int = 10, inode: int = 9) -> bytes:
        body = struct.pack("=BBxxH46xIIIII", 2, state, socket.htons(port), 0, waiting, 128, 0, inode)
        return struct.pack("=IHHII", 16 + len(body), kind, 2, 2, 0) + body

    seen: list[tuple[int, int, int, int]] = []

    def take(*told: int) -> None:
        seen.append((told[0], told[1], told[2], told[3]))

    assert not read_answer(message(20, 8080, 5) + message(20, 8080, 1, 1, 77) + message(20, 22, 0), take)
    assert read_answer(message(3, 0, 0), take)
    assert seen == [(10, 8080, 5, 9), (1, 8080, 1, 77), (10, 22, 0, 9)]
    with pytest.raises(OSError, match="refused"):
        read_answer(message(2, 0, 0), take)
    with pytest.raises(OSError, match="cut short"):
        read_answer(message(20, 8080, 5)[:-8], take)
    with pytest.raises(OSError, match="cut short"):
        read_answer(struct.pack("=IHHII", 0, 20, 0, 0, 0), take)


def test_open_sockets_are_told_by_inode_and_connections_that_are_over_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            with accepted:
                inode = {name: os.fstat(one.fileno()).st_ino for name, one in
                         (("server", server), ("client", client), ("accepted", accepted))}  # fmt: skip
                found = tcp_sockets()
                if found is None:
                    pytest.skip("the kernel does not answer here")
                assert found[inode["server"]] == TcpSocket(port, True)
                assert found[inode["accepted"]] == TcpSocket(port, False)
                assert found[inode["client"]] == TcpSocket(client.getsockname()[1], False)
        after = tcp_sockets()
        assert after is not None
        assert inode["accepted"] not in after
        assert 0 not in after


def test_connections_that_wait_on_this_machine_are_seen_in_both_ways(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(os.getpid())
    collector = SocketsCollector()
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        port = server.getsockname()[1]
        service = tree.service(port=port)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        try:
            seen = [next(iter(collector.collect(Host.real(), (service,)))) for _ in range(2)]
            assert seen == [ListenSample(entity=f"listen:{port}", accept_queue=3, established=3)] * 2
            queues = listen_queues()
            assert queues is None or queues[port] == 3
        finally:
            for client in clients:
                client.close()
    collector.close()
