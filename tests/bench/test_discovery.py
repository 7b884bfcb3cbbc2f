"""Are the processes over which discovery's cost is measured those of a node, and are its servers found?"""

from pathlib import Path

from bench.discovery import PassClock, node, write
from collectors.discovery import Discovery
from collectors.host import Host
from tests.crowd import servers


def test_the_node_has_the_asked_number_of_processes_and_is_a_tree() -> None:
    rows = node(500)
    pids = {row.pid for row in rows}
    assert len(rows) == len(pids) == 500
    assert {row.ppid for row in rows} <= pids | {0, 1}
    assert {row.pid for each in servers().values() for row in each} <= pids


def test_what_is_measured_finds_the_servers(tmp_path: Path) -> None:
    rows, clock = node(500), PassClock()
    write(tmp_path, rows)
    discovery = Discovery()
    discovery.scan(Host.at(tmp_path, clock))
    for row in rows:
        discovery.learn(row.facts)
    for _ in range(15):
        clock.seconds += 1
        discovery.scan(Host.at(tmp_path, clock))
    assert len(discovery.services) == len(servers())
    discovery.close()
