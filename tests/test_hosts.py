"""Does every collector read every host as the host's table says?

The trees below `tests/hosts/` and `expected.json` come from `tests/hosts/build.py`; expectations are computed from the
table of numbers, never from what a collector gave.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from collectors.collector import Collector, all_collectors
from collectors.discover.proc_listing import LIST_EVERY_NS
from collectors.discover.publisher import WITHOUT_FACTS_NS
from collectors.discovery import Discovery
from collectors.entities import Service
from collectors.host import Host
from collectors.reading import Instant, Reading, status_of
from collectors.runner import collect_one
from collectors.topology import read_topology
from tests.hosts.build import HERE, tree, write
from tests.hosts.catalogue import hosts
from tests.hosts.expect import expected_json
from tests.hosts.services import NAME, services_of
from tests.hosts.table import HostState

HOSTS = {host.name: host for host in hosts()}
STATES = [(name, label) for name, host in HOSTS.items() for label in host.states]
IN_TIME = [name for name, host in HOSTS.items() if len(host.states) > 1]
COLLECTORS = [collector.name for collector in all_collectors() if collector.process is None]
"""Those that read files; what asks a driver is tried on a stand-in for that."""
SECOND_NS = 1_000_000_000


@dataclass
class StoppedClock:
    """A clock that stands still until a test sets it."""

    mono_ns: int = 1_000 * SECOND_NS

    def now(self) -> Instant:
        return Instant(self.mono_ns, 1_795_194_000 * SECOND_NS + self.mono_ns)


@pytest.fixture(params=COLLECTORS)
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    found = {each.name: each for each in all_collectors()}
    yield found[request.param]
    for each in found.values():
        each.close()


def state_of(name: str, label: str) -> HostState:
    return HOSTS[name].states[label]


def expected(name: str, section: str, collector: Collector) -> dict[str, Any]:
    document = json.loads((HERE / name / "expected.json").read_bytes())
    found: dict[str, Any] = (document[section] if section else document)[collector.name]
    return found


def run(collector: Collector, host: Host, services: tuple[Service, ...]) -> Reading:
    return collect_one(collector, host, services, host.clock.now().mono_ns)


def plain(reading: Reading) -> dict[str, Any]:
    """A reading in the form of expected.json; a failure shows its error."""
    rows = [{"kind": sample.kind, **msgspec.to_builtins(sample)} for sample in reading.samples]
    rows.sort(key=lambda row: (row["kind"], row["entity"]))
    status = status_of(reading.outcome)
    return {"status": status if status != "failed" else str(reading.outcome), "samples": rows}


@pytest.mark.parametrize(("name", "label"), STATES)
def test_a_collector_reads_of_a_host_what_its_table_says(name: str, label: str, collector: Collector) -> None:
    host = Host.at(HERE / name / label, StoppedClock())
    assert plain(run(collector, host, services_of(state_of(name, label)))) == expected(name, label, collector)


@pytest.mark.parametrize("name", IN_TIME)
def test_a_collector_that_read_t0_reads_t1_a_second_later(name: str, collector: Collector, tmp_path: Path) -> None:
    before, after = state_of(name, "t0"), state_of(name, "t1")
    clock = StoppedClock()
    host = Host.at(tmp_path, clock)
    write(tmp_path, before)
    run(collector, host, services_of(before))
    let_a_second_pass(tmp_path, before, after)
    clock.mono_ns += SECOND_NS
    assert plain(run(collector, host, services_of(after))) == expected(name, "t1 after t0", collector)


@pytest.mark.parametrize("which", ["processes", "threads"])
def test_a_worker_whose_pid_is_in_use_again_is_left_out(which: str) -> None:
    host = Host.at(HERE / "reused-pid" / "t1", StoppedClock())
    found = next(each for each in all_collectors() if each.name == which)
    entities = {sample.entity for sample in run(found, host, services_of(state_of("reused-pid", "t0"))).samples}
    found.close()
    assert any("812:4410" in entity for entity in entities)
    assert not any(":813:" in entity for entity in entities)


def test_every_collector_has_an_expectation_on_every_host() -> None:
    for name, label in STATES:
        document = json.loads((HERE / name / "expected.json").read_bytes())
        assert sorted(document[label] if label else document) == sorted(COLLECTORS)


@pytest.mark.parametrize(("name", "label"), STATES)
def test_the_committed_tree_is_the_one_that_build_writes(name: str, label: str) -> None:
    root = HERE / name / label
    files = {
        str((Path(folder) / file).relative_to(root)): (Path(folder) / file).read_bytes()
        for top in ("proc", "sys")
        for folder, _, found in os.walk(root / top)
        for file in found
    }
    assert files == tree(state_of(name, label))


@pytest.mark.parametrize("name", HOSTS)
def test_the_committed_expectation_is_the_one_computed_from_the_table(name: str) -> None:
    assert (HERE / name / "expected.json").read_text() == expected_json(HOSTS[name])


@pytest.mark.parametrize(("name", "label"), STATES)
def test_psutil_reads_the_same_node_from_the_tree(name: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(HERE / name / label / "proc"))
    state = state_of(name, label)
    times = psutil.cpu_times(percpu=True)
    assert [(round(t.user * 100), round(t.nice * 100), round(t.steal * 100)) for t in times] == [
        (core.user, core.nice, core.steal) for core in state.cores
    ]
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    assert (memory.total, memory.available, memory.free) == tuple(
        1024 * kib for kib in (state.node.total_kib, state.node.available_kib, state.node.free_kib)
    )
    assert (swap.total, swap.free) == (1024 * state.node.swap_total_kib, 1024 * state.node.swap_free_kib)
    assert psutil.cpu_stats().ctx_switches == state.node.context_switches


@pytest.mark.parametrize(("name", "label"), STATES)
def test_psutil_reads_the_same_processes_from_the_tree(name: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(HERE / name / label / "proc"))
    for row in state_of(name, label).members:
        if row.gone:
            with pytest.raises(psutil.NoSuchProcess):
                psutil.Process(row.pid)
            continue
        process = psutil.Process(row.pid)
        times, switches = process.cpu_times(), process.num_ctx_switches()
        assert (round(times.user * 100), round(times.system * 100)) == (row.user_ticks, row.system_ticks)
        assert round(times.children_user * 100) == row.children_user_ticks
        assert process.memory_info().rss == 4096 * row.resident_pages
        assert process.num_threads() == len(row.threads)
        assert (switches.voluntary, switches.involuntary) == (row.threads[0].voluntary, row.threads[0].involuntary)
        if not any(b")" in thread.comm for thread in row.threads):  # psutil splits at the first parenthesis
            assert {(t.id, round(t.user_time * 100)) for t in process.threads()} == {
                (thread.tid, thread.user_ticks) for thread in row.threads
            }
        assert (process.ppid(), process.uids().real) == (row.ppid, row.uid)
        if row.read_bytes is not None:
            assert process.io_counters()[2:4] == (row.read_bytes, row.write_bytes)


@pytest.mark.parametrize("name", [name for name, host in HOSTS.items() if next(iter(host.states.values())).cpus])
def test_topology_is_the_one_of_the_table(name: str) -> None:
    rows = state_of(name, "").cpus
    found = read_topology(Host.at(HERE / name)).cpus
    assert [(c.cpu, c.online, c.node) for c in found] == [(r.cpu, r.online, r.node if r.online else None) for r in rows]
    for cpu, row in zip(found, rows, strict=True):
        if row.online:
            assert (cpu.core_id, cpu.package) == (row.core_id, row.package)
            assert cpu.siblings == numbers(row.siblings)
            assert [(c.level, c.type, c.size_bytes, c.shared_cpus) for c in cpu.cache] == [
                (level, kind, 1024 * size_kib, numbers(shared)) for level, kind, size_kib, shared in row.caches
            ]


@pytest.mark.parametrize(("name", "label"), STATES)
def test_discovery_finds_the_server_and_its_living_processes(name: str, label: str) -> None:
    host = Host.at(HERE / name / label, StoppedClock())
    assert members(settled(Discovery(), host)) == living(state_of(name, label))


@pytest.mark.parametrize("name", IN_TIME)
def test_discovery_drops_what_ended_at_once_and_takes_a_reused_pid_for_a_new_worker(name: str, tmp_path: Path) -> None:
    before, after = state_of(name, "t0"), state_of(name, "t1")
    clock, discovery = StoppedClock(), Discovery()
    host = Host.at(tmp_path, clock)
    write(tmp_path, before)
    assert members(settled(discovery, host)) == living(before)
    let_a_second_pass(tmp_path, before, after)
    clock.mono_ns += SECOND_NS
    assert discovery.scan(host) == (living(before) != living(after))
    assert members(discovery.services) >= living(before) & living(after)
    assert members(discovery.services) <= living(after)
    clock.mono_ns += LIST_EVERY_NS
    assert members(settled(discovery, host)) == living(after)


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "hidepid"])
def test_discovery_names_the_service_after_its_application_and_port(name: str) -> None:
    label = next(iter(HOSTS[name].states))
    (service,) = settled(Discovery(), Host.at(HERE / name / label, StoppedClock()))
    assert (service.name, service.framework, service.application, service.port) == (NAME, "gunicorn", "app", 8000)


def settled(discovery: Discovery, host: Host) -> tuple[Service, ...]:
    """The services once discovery has waited for facts that do not come."""
    assert isinstance(host.clock, StoppedClock)
    discovery.scan(host)
    host.clock.mono_ns += WITHOUT_FACTS_NS
    discovery.scan(host)
    return discovery.services


def members(services: tuple[Service, ...]) -> set[tuple[int, int, str]]:
    return {(w.pid, w.key.started, w.role.value) for service in services for w in service.workers}


def living(state: HostState) -> set[tuple[int, int, str]]:
    return {(row.pid, row.started, row.role or "") for row in state.members if not row.gone}


def numbers(cpulist: str) -> tuple[int, ...]:
    spans = [part.split("-") for part in cpulist.split(",")]
    return tuple(cpu for span in spans for cpu in range(int(span[0]), int(span[-1]) + 1))


def let_a_second_pass(root: Path, before: HostState, after: HostState) -> None:
    """Turn `before` into `after` as the kernel would: what lives on keeps its files, a kept descriptor of what ended
    yields nothing, and the folder of a reused pid is another one."""
    alive = {(p.pid, p.started) for p in after.processes if not p.gone}
    ended = {f"proc/{p.pid}" for p in before.processes if (p.pid, p.started) not in alive}
    new = tree(after)
    for path in tree(before):
        over = "/".join(path.split("/")[:2]) in ended
        if over or path not in new:
            (root / path).write_bytes(b"")
        if not over and path not in new:
            (root / path).unlink()
    for folder in ended:  # moved, not removed: its inode number is not to be given out again
        (root / folder).rename(root / f"ended-{Path(folder).name}")
    for path, content in new.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    for folder, _, _ in os.walk(root, topdown=False):
        if not os.listdir(folder):
            os.rmdir(folder)
