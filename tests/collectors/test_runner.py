"""Does every outcome of a collector become a Reading, with its time?"""

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from collectors.collector import Collector
from collectors.entities import Service
from collectors.host import Host
from collectors.reading import Failed, Ok, Reading, Unreadable, Unsupported
from collectors.runner import collect_one
from collectors.sample import Sample
from collectors.sources.memory import MemoryCollector
from tests.hosttree import FakeClock, HostTree


class Answering(Collector):
    """Takes 0.25 s and then answers or raises what it was given."""

    samples: ClassVar[tuple[type[Sample], ...]] = ()
    cost: ClassVar[str] = "nothing"

    def __init__(self, clock: FakeClock, answer: Exception | Sequence[Sample]) -> None:
        self._clock = clock
        self._answer = answer

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        self._clock.advance(0.25)
        if isinstance(self._answer, Exception):
            raise self._answer
        yield from self._answer


class Privileged(Answering):
    needs: ClassVar[str] = "CAP_SYS_PTRACE"


def outcome_of(tree: HostTree, answer: Exception | Sequence[Sample], kind: type[Answering] = Answering) -> Reading:
    return collect_one(kind(tree.clock, answer), tree.host, (), tree.clock.mono_ns)


def test_a_reading_says_how_long_it_took_and_how_late_it_began(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    began = tree.clock.now()
    reading = collect_one(Answering(tree.clock, ()), tree.host, (), began.mono_ns - 40_000_000)
    assert (reading.at, reading.duration_ns, reading.late_ns) == (began, 250_000_000, 40_000_000)
    assert reading.cpu_ns >= 0
    assert reading.outcome == Ok(())


def test_a_start_before_its_time_is_not_late(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    assert collect_one(Answering(tree.clock, ()), tree.host, (), tree.clock.mono_ns + 5).late_ns == 0


def test_what_the_host_lacks_is_unsupported(tmp_path: Path) -> None:
    reading = outcome_of(HostTree(tmp_path), Unreadable("no PSI", "boot with psi=1"))
    assert reading.outcome == Unsupported("no PSI", "boot with psi=1")


def test_a_failed_read_names_the_file_on_one_line(tmp_path: Path) -> None:
    reading = outcome_of(HostTree(tmp_path), OSError(errno.EIO, "Input/output error", "/proc/a\nb\udcff"))
    assert reading.outcome == Failed("Input/output error: /proc/a b\\udcff")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_missing_right_is_unsupported_and_says_what_grants_it(tmp_path: Path, number: int) -> None:
    error = OSError(number, "Permission denied", "/proc/1/io")
    tree = HostTree(tmp_path)
    assert outcome_of(tree, error, Privileged).outcome == Unsupported(
        "Permission denied: /proc/1/io", "needs CAP_SYS_PTRACE"
    )
    assert outcome_of(tree, error).outcome == Unsupported(
        "Permission denied: /proc/1/io", "needs root, or the servers' own user"
    )


def test_a_defect_is_a_failure_of_that_collector_alone(tmp_path: Path) -> None:
    assert outcome_of(HostTree(tmp_path), KeyError("x")).outcome == Failed("KeyError: 'x'")
    long = outcome_of(HostTree(tmp_path), ValueError("y" * 5000)).outcome
    assert isinstance(long, Failed)
    assert len(long.error) == 300


def test_a_missing_file_of_a_real_collector_is_a_failure_that_names_it(tmp_path: Path) -> None:
    reading = collect_one(MemoryCollector(), HostTree(tmp_path).host, (), 0)
    assert reading.collector == "memory"
    assert reading.outcome == Failed(f"No such file or directory: {tmp_path}/proc/meminfo")
