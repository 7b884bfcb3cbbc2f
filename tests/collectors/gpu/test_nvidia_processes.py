"""Which processes are said to be on a device, what do they hold, and what did they use?"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.gpu.reader import Reader, made_machine
from tests.nvml import Scenario

MIB = 1 << 20


def card(**values: object) -> Scenario:
    scenario = Scenario()
    scenario.card(memory_used=1000 * MIB, **values)
    return scenario


@pytest.fixture
def within(nvml_library: Path, tmp_path: Path) -> Iterator[Reader]:
    """The reader in a PID namespace of its own, in which 1 and 7 are processes."""
    with Reader(nvml_library, tmp_path, made_machine(tmp_path / "machine", 1, 7, outermost=False)) as reader:
        yield reader


def test_lists_are_one_list_and_the_larger_memory_counts(nvidia: Reader) -> None:
    scenario = card().process(0, 450, 100 * MIB, "compute+mps").process(0, 453, 50 * MIB, "graphics")
    found = nvidia.fresh(scenario).processes()
    assert {pid: (one["context"], one["memory_bytes"]) for pid, one in found.items()} == {
        450: ("compute+mps", 100 * MIB),
        453: ("graphics", 50 * MIB),
    }
    sample = nvidia.device()
    assert (sample["processes"], sample["unknown_processes"], sample["unknown_memory_bytes"]) == (2, 0, 850 * MIB)


def test_a_process_that_is_listed_twice_is_one(nvidia: Reader) -> None:
    found = nvidia.fresh(card().process(0, 450, 100 * MIB, "compute", twice=1)).processes()
    assert (found[450]["context"], found[450]["memory_bytes"], len(found)) == ("compute", 100 * MIB, 1)


def test_an_older_driver_is_asked_for_an_older_list(nvidia: Reader) -> None:
    scenario = card().process(0, 450, 100 * MIB, "compute+graphics")
    for name in ("Compute", "Graphics", "MPSCompute"):
        scenario.fail("*", f"nvmlDeviceGet{name}RunningProcesses_v3", "FUNCTION_NOT_FOUND")
    assert nvidia.fresh(scenario).processes()[450]["context"] == "compute+graphics"


def test_a_device_without_lists_has_unknown_processes_and_one_without_processes_has_none(nvidia: Reader) -> None:
    scenario = card()
    assert nvidia.fresh(scenario).device()["processes"] == 0
    for name in ("Compute", "Graphics", "MPSCompute"):
        for version in ("v2", "v3"):
            scenario.fail(0, f"nvmlDeviceGet{name}RunningProcesses_{version}", "NOT_SUPPORTED")
    sample = nvidia.fresh(scenario).device()
    assert (sample["processes"], sample["unknown_processes"], sample["unknown_memory_bytes"]) == (None, None, None)


def test_a_list_that_is_too_much_for_the_user_does_not_hide_the_others(nvidia: Reader) -> None:
    scenario = card().process(0, 450, 100 * MIB, "compute+graphics")
    for version in ("v2", "v3"):
        scenario.fail(0, f"nvmlDeviceGetComputeRunningProcesses_{version}", "NO_PERMISSION")
    assert nvidia.fresh(scenario).processes()[450]["context"] == "graphics"


@pytest.mark.parametrize("memory", [0, None])
def test_memory_that_is_not_told_is_unknown_and_never_none(nvidia: Reader, memory: int | None) -> None:
    found = nvidia.fresh(card().process(0, 450, memory)).processes()
    assert (found[450]["memory_bytes"], found[450]["worker"]) == (None, "worker:450:450")
    assert nvidia.device()["unknown_memory_bytes"] == 1000 * MIB


def test_a_process_that_is_not_here_is_counted_and_nobodys(nvidia: Reader) -> None:
    reading = nvidia.fresh(card().process(0, 99_999, 100 * MIB).process(0, 450, MIB))
    assert reading.processes()[99_999]["worker"] is None
    assert (reading.device()["processes"], reading.device()["unknown_processes"]) == (2, 1)


def test_within_a_namespace_only_numbers_with_memory_are_those_of_here(within: Reader) -> None:
    """As drivers do: 1 is listed by its number here; 7 is the number of another process outside, whose memory is not told."""
    scenario = card().process(0, 1, 100 * MIB, sm=73).process(0, 7, 0, sm=23).process(0, 454, 0, "none", sm=23)
    within.fresh(scenario).processes(wall=-1)
    found = within.processes()
    assert {pid: (one["worker"], one["sm_ppm"]) for pid, one in found.items()} == {
        1: ("worker:1:1", 730_000),
        7: (None, None),
    }
    assert within.device()["unknown_processes"] == 1


def test_utilisation_is_unknown_at_first_then_told_and_none_where_nothing_is_said(nvidia: Reader) -> None:
    scenario = card().process(0, 450, MIB, sm=59, mem=20).process(0, 453, MIB)
    nvidia.fresh(scenario)
    first = nvidia.processes(wall=-1)
    assert [(one["sm_ppm"], one["memory_busy_ppm"]) for one in first.values()] == [(None, None)] * 2
    for later in (0, 1):
        found = nvidia.processes(wall=later)
        assert (found[450]["sm_ppm"], found[450]["memory_busy_ppm"]) == (590_000, 200_000)
        assert (found[453]["sm_ppm"], found[453]["memory_busy_ppm"]) == (0, 0)


def test_nothing_since_a_moment_ago_is_unknown_and_not_zero(nvidia: Reader) -> None:
    """Drivers make a sample now and then: between two quick looks there may be none."""
    nvidia.fresh(card().process(0, 450, MIB, sm=59)).processes(wall=-1)
    assert nvidia.processes()[450]["sm_ppm"] == 590_000
    assert nvidia.processes(wall=0.3)[450]["sm_ppm"] is None
    assert nvidia.processes(wall=1)[450]["sm_ppm"] == 590_000


@pytest.mark.parametrize("empty", [6, 0])
def test_when_nobody_used_anything_everyone_used_nothing(nvidia: Reader, empty: int) -> None:
    """The binding raises NOT_FOUND, and the success of an empty answer."""
    nvidia.fresh(card().process(0, 450, MIB).set(0, "utilisation.empty", empty)).processes(wall=-1)
    assert nvidia.processes()[450]["sm_ppm"] == 0


@pytest.mark.parametrize("error", ["NOT_SUPPORTED", "NO_PERMISSION", "UNKNOWN"])
def test_utilisation_that_is_not_told_is_unknown(nvidia: Reader, error: str) -> None:
    scenario = card().process(0, 450, MIB, sm=59).fail(0, "nvmlDeviceGetProcessUtilization", error)
    nvidia.fresh(scenario).processes(wall=-1)
    assert nvidia.processes()[450]["sm_ppm"] is None


@pytest.mark.parametrize("bad", [{"sm": 150}, {"sm": 5, "mem": 101}, {"sm": 59, "stamp": 3600, "stale": 1}])
def test_samples_that_cannot_be_are_none(nvidia: Reader, bad: dict[str, int]) -> None:
    """Above 100 %, or older than what was asked for."""
    scenario = card().process(0, 450, MIB, **bad).process(0, 453, MIB, sm=7)
    nvidia.fresh(scenario).processes(wall=-1)
    found = nvidia.processes()
    assert (found[450]["sm_ppm"], found[453]["sm_ppm"]) == (0, 70_000)


def test_each_device_has_a_time_of_its_own(nvidia: Reader) -> None:
    """The first device's newest sample is newer than the second's, which must count all the same."""
    scenario = card()
    scenario.card()
    scenario.process(0, 450, MIB, sm=59).process(1, 450, MIB, sm=41, stamp=0.5)
    nvidia.fresh(scenario).reading(wall=-1)
    reading = nvidia.reading()
    found = {one["entity"]: one["sm_ppm"] for one in reading["samples"] if one["kind"] == "gpu_process"}
    assert found == {"gpu-process:GPU-0/450": 590_000, "gpu-process:GPU-1/450": 410_000}


def test_a_clock_that_was_set_back_begins_anew(nvidia: Reader) -> None:
    nvidia.fresh(card().process(0, 450, MIB, sm=59)).processes(wall=3600)
    assert nvidia.processes(wall=-1)[450]["sm_ppm"] is None
    assert nvidia.processes()[450]["sm_ppm"] == 590_000


def test_a_real_process_on_the_real_machine_is_found(nvml_library: Path, tmp_path: Path) -> None:
    with Reader(nvml_library, tmp_path, None) as reader:
        found = reader.fresh(card().process(0, os.getpid(), MIB)).processes()
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert found[os.getpid()]["worker"] == f"worker:{os.getpid()}:{started}"
