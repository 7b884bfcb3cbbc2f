"""What the memory gives: bytes are counted right, others keep their room, what cannot be measured is refused in one line."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from agent import memory_room
from agent.errors import CliError
from agent.memory_probe import (
    LEAST_EACH,
    MOST_EACH,
    NICE,
    Measured,
    Memory,
    best_rate,
    buffer_bytes,
    measured_bandwidth,
    text,
)
from agent.memory_room import Room, room_of
from collectors.units import parse_rate
from tests.hosttree import HostTree

MIB = 1 << 20
GIB = 1 << 30
ROOM = Room(cpus=(0,), all_cpus=2, available_bytes=16 * GIB, cache_bytes=32 * MIB)


class Ticking:
    """A clock that goes on by so much whenever somebody looks at it."""

    def __init__(self, step: float) -> None:
        self.step, self.looks = step, 0

    def __call__(self) -> float:
        self.looks += 1
        return 100 + self.looks * self.step


class Counted:
    """A buffer that is not read."""

    def __init__(self, size: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.size, self.reads, self.closed, self._meanwhile = size, 0, False, meanwhile

    def read(self) -> None:
        self.reads += 1
        self._meanwhile()

    def close(self) -> None:
        self.closed = True


def test_every_byte_of_every_pass_counts_once():
    made: list[Counted] = []

    def make(size: int) -> Counted:
        made.append(Counted(size))
        return made[0]

    found = measured_bandwidth(ROOM, Ticking(0.0625), make)
    (buffer,) = made
    assert (buffer.size, buffer.reads, buffer.closed) == (128 * MIB, 2 / 0.0625, True)
    assert found.bytes_per_second == 128 * MIB / 0.0625
    assert (found.cpus, found.of_cpus, found.buffer_bytes, found.whole) == (1, 2, 128 * MIB, False)


@pytest.mark.parametrize(
    ("passes", "window", "rate"),
    [
        ([(0, 1), (1, 2)], 0.25, 100),
        ([(0, 1), (1, 2), (0, 1), (1, 2)], 0.25, 200),
        ([(0, 1), (0.5, 1.5)], 0.5, 200),
        ([(0, 1), (0.5, 1.5)], 1.0, 150),
        ([(0, 1), (1, 1.1), (1.1, 2.1)], 0.1, 1000),
        ([(0, 1), (1, 1.1), (1.1, 2.1)], 0.2, 550),
        ([(0, 0.5)], 1.0, 200),
        ([(0, 0)], 1.0, 0),
        ([], 1.0, 0),
    ],
)
def test_the_best_stretch_counts_and_passes_by_the_part_that_lies_in_it(
    passes: list[tuple[float, float]], window: float, rate: float
):
    assert best_rate(passes, 100, window) == pytest.approx(rate)


def test_many_threads_are_added_up_fast():
    passes = [(0.01 * n, 0.01 * (n + 1)) for n in range(200) for _ in range(100)]
    assert best_rate(passes, 1000, 0.25) == pytest.approx(100 * 1000 / 0.01)


def test_real_memory_is_written_before_and_read_to_its_end():
    memory = Memory(4 * MIB)
    assert memory.read() is None, "the byte is not there"
    with memoryview(memory._pages) as pages:
        assert pages[0] == pages[-1] == 1
    memory.close()


def test_this_machine_gives_something():
    cpus = tuple(sorted(os.sched_getaffinity(0)))[:2]
    small = Room(cpus=cpus, all_cpus=len(cpus), available_bytes=GIB, cache_bytes=MIB)
    found = measured_bandwidth(small, seconds=0.1)
    assert found.buffer_bytes == LEAST_EACH
    assert 1e8 < found.bytes_per_second < 1e14


def test_it_stays_on_its_cpu_and_behind_everybody_else():
    cpu = min(os.sched_getaffinity(0))
    before, seen = os.sched_getaffinity(0), []

    def look() -> None:
        seen.append((os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    measured_bandwidth(replace(ROOM, cpus=(cpu,)), Ticking(1.0), lambda size: Counted(size, look))
    assert set(map(str, seen)) == {str(({cpu}, max(NICE, os.getpriority(os.PRIO_PROCESS, os.getpid()))))}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("known", "each"),
    [
        ({}, 128 * MIB),
        ({"cpus": range(2)}, 64 * MIB),
        ({"cpus": range(64), "cache_bytes": 256 * MIB}, 32 * MIB),
        ({"cache_bytes": 100 * MIB}, 256 * MIB),
        ({"cache_bytes": None}, 256 * MIB),
        ({"available_bytes": None}, 128 * MIB),
        ({"available_bytes": 400 * MIB}, 100 * MIB),
        ({"available_bytes": 256 * MIB}, 64 * MIB),
    ],
)
def test_as_much_as_is_needed_within_a_part_of_what_is_left(known: dict[str, Any], each: int):
    found = buffer_bytes(replace(ROOM, **known))
    assert found == each
    assert found <= MOST_EACH


@pytest.mark.parametrize(
    ("known", "key", "says"),
    [
        (
            {"available_bytes": 255 * MIB},
            "probe.memory",
            "1 CPUs need buffers of 64 MiB each, and a quarter of the 255 MiB",
        ),
        ({"available_bytes": 0}, "probe.memory", "a quarter of the 0 MiB available is less"),
        ({"cpus": range(96)}, "probe.memory", "96 CPUs need buffers of 32 MiB each"),
        ({"available_bytes": 100 * MIB, "cache_bytes": None}, "probe.memory", "buffers of 32 MiB"),
        ({"cache_bytes": 504 * MIB, "available_bytes": 999 * GIB}, "probe.caches", "have 504 MiB: too much"),
    ],
)
def test_too_little_memory_is_refused_in_one_line(known: dict[str, Any], key: str, says: str):
    with pytest.raises(CliError, match=says) as raised:
        measured_bandwidth(replace(ROOM, **{"available_bytes": 8 * GIB, **known}))
    assert (raised.value.key, raised.value.exit_status) == (key, 2)
    assert "[node] memory_bandwidth" in str(raised.value)


def test_memory_that_is_not_given_is_one_line_and_leaves_no_thread_waiting():
    made = 0

    def make(size: int) -> Counted:
        nonlocal made
        made += 1
        if made == 2:
            raise OSError(12, "Cannot allocate memory")
        return Counted(size)

    with pytest.raises(CliError, match="no buffer of 64 MiB for each of 2 CPUs: Cannot allocate memory"):
        measured_bandwidth(replace(ROOM, cpus=(0, 0)), Ticking(1.0), make)


@pytest.mark.parametrize(
    ("raised", "seen"), [(MemoryError, CliError), (ValueError, ValueError), (SystemExit, SystemExit)]
)
def test_whatever_a_buffer_raises_leaves_no_thread_waiting(raised: type[BaseException], seen: type[BaseException]):
    made: list[Counted] = []

    def make(size: int) -> Counted:
        if made:
            raise raised
        made.append(Counted(size))
        return made[0]

    with pytest.raises(seen):
        measured_bandwidth(replace(ROOM, cpus=(0, 0)), Ticking(1.0), make)
    assert made[0].closed


def test_without_an_affinity_it_stays_behind_everybody_else_all_the_same(monkeypatch: pytest.MonkeyPatch):
    def refuses(pid: int, cpus: set[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    nice: list[int] = []
    monkeypatch.setattr(os, "sched_setaffinity", refuses)
    monkeypatch.setattr(os, "setpriority", lambda which, who, value: nice.append(value))
    measured_bandwidth(ROOM, Ticking(1.0), Counted)
    assert nice == [NICE]


def test_what_is_printed_can_be_written_into_the_configuration():
    found = Measured(
        bytes_per_second=1_234_567_890_123.0, cpus=96, of_cpus=96, buffer_bytes=32 * MIB, seconds=2.0, whole=True
    )  # fmt: skip
    said = text(found)
    assert said.splitlines()[0] == "1234.6GB/s: 96 of 96 CPUs read 32 MiB each, the best 0.25 s of 2 s"
    assert said.endswith('[node]\nmemory_bandwidth = "1234.6GB/s"')
    assert parse_rate("1234.6GB/s") == 1_234_600_000_000
    assert "may not use all CPUs" not in said


def test_a_part_of_the_node_gives_no_line_for_the_configuration():
    found = Measured(
        bytes_per_second=2e10, cpus=2, of_cpus=96, buffer_bytes=32 * MIB, seconds=2.0, whole=False
    )  # fmt: skip
    said = text(found)
    assert said.startswith("20.0GB/s: 2 of 96 CPUs")
    assert "may not use all CPUs of the node, all of the time (affinity, cpuset or quota)" in said
    assert "memory_bandwidth" not in said
    assert "[node]" not in said


def cache(tree: HostTree, cpu: int, index: int, level: int, size: str, shared: str) -> None:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    for name, value in {"level": level, "size": size, "shared_cpu_list": shared}.items():
        tree.file(f"{folder}/{name}", f"{value}\n")


@pytest.fixture
def on_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_room.os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(memory_room.os, "cpu_count", lambda: 8)


def test_room_is_within_the_limits_of_the_cgroup_and_caches_count_once(tmp_path, on_four):
    tree = HostTree(tmp_path)
    tree.file("proc/meminfo", "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n")
    tree.file("proc/self/cgroup", "0::/kube/pod\n")
    for path, value in {
        "cgroup.controllers": "cpu memory", "kube/pod/memory.max": "max", "kube/pod/memory.current": "1000",
        "kube/memory.max": str(2 * GIB), "kube/memory.current": str(GIB), "kube/cpu.max": "150000 100000",
        "kube/pod/cpu.max": "max 100000",
    }.items():  # fmt: skip
        tree.file(f"sys/fs/cgroup/{path}", f"{value}\n")
    for cpu in range(4):
        cache(tree, cpu, 0, 1, "32K", str(cpu))
        cache(tree, cpu, 2, 2, "1024K", str(cpu))
        cache(tree, cpu, 3, 3, "32M", "0-1" if cpu < 2 else "2-3")
    room = room_of(tree.host)
    assert room == Room(cpus=(0, 1, 2, 3), all_cpus=8, available_bytes=GIB, cache_bytes=64 * MIB, quota_cores=1.5)
    assert not room.whole
    assert Room(cpus=(0, 1), all_cpus=2, available_bytes=None, cache_bytes=None).whole
    assert not Room(cpus=(0, 1), all_cpus=2, available_bytes=None, cache_bytes=None, quota_cores=1.0).whole


def test_what_a_machine_does_not_tell_is_not_known(tmp_path, on_four):
    tree = HostTree(tmp_path)
    tree.file("proc/stat", "")
    assert room_of(tree.host) == Room(cpus=(0, 1, 2, 3), all_cpus=8, available_bytes=None, cache_bytes=None)
    cache(tree, 0, 3, 3, "huge", "0-3")
    assert room_of(tree.host).cache_bytes is None
