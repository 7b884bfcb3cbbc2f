"""Are clocks, what bounds them and what heat did read on hosts of every maker, and only where workers run?"""

from pathlib import Path

import pytest

from collectors.reading import Unreadable
from collectors.sources.frequency import LIMITS_EVERY, FrequencyCollector, FrequencySample
from tests.hosttree import HostTree

INTEL = {
    "cpufreq/scaling_cur_freq": "2399998\n",
    "cpufreq/base_frequency": "2400000\n",
    "cpufreq/scaling_max_freq": "3900000\n",
    "cpufreq/cpuinfo_max_freq": "3900000\n",
    "cpufreq/scaling_governor": "powersave\n",
    "thermal_throttle/core_throttle_count": "17\n",
}
"""intel_pstate, active."""
AMD = {
    "cpufreq/scaling_cur_freq": "2450000\n",
    "cpufreq/scaling_max_freq": "3529052\n",
    "cpufreq/cpuinfo_max_freq": "3529052\n",
    "cpufreq/bios_limit": "2450000\n",
    "cpufreq/scaling_governor": "schedutil\n",
    "acpi_cppc/nominal_freq": "2450\n",
}
"""acpi-cpufreq with boost: no base_frequency, ACPI's clocks are in MHz, heat is not counted."""
ARM = {
    "cpufreq/scaling_cur_freq": "<unknown>\n",
    "cpufreq/scaling_max_freq": "3000000\n",
    "cpufreq/cpuinfo_max_freq": "3000000\n",
    "cpufreq/scaling_governor": "performance\n",
    "acpi_cppc/nominal_freq": "0\n",
}
"""cppc_cpufreq on a board that leaves out what it may."""


def cores(tree: HostTree, files: dict[str, str], *cpus: int, online: str | None = None) -> None:
    for cpu in cpus:
        for name, text in files.items():
            tree.file(f"sys/devices/system/cpu/cpu{cpu}/{name}", text)
    tree.file("sys/devices/system/cpu/online", online or f"{min(cpus)}-{max(cpus)}\n")


def read(tree: HostTree, collector: FrequencyCollector | None = None, *pids: int) -> dict[str, FrequencySample]:
    service = tree.service(*(tree.worker(pid) for pid in pids))
    samples = (collector or FrequencyCollector()).collect(tree.host, (service,) if pids else ())
    return {s.entity: s for s in samples if isinstance(s, FrequencySample)}


def test_a_core_of_intel_tells_its_clock_its_base_and_its_heat(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cores(tree, INTEL, 0)
    assert read(tree) == {
        "core:0": FrequencySample(
            entity="core:0", current_khz=2399998, base_khz=2400000, limit_khz=3900000, maximum_khz=3900000,
            throttle_events=17, governor="powersave",
        )
    }  # fmt: skip


def test_of_amd_acpi_tells_the_base_in_mhz_and_the_firmware_the_limit(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cores(tree, AMD, 0)
    found = read(tree)["core:0"]
    assert (found.base_khz, found.limit_khz, found.maximum_khz) == (2450000, 2450000, 3529052)
    assert (found.throttle_events, found.governor) == (None, "schedutil")


def test_what_the_kernel_does_not_know_is_none_and_never_zero(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cores(tree, ARM | {"cpufreq/scaling_cur_freq": "2600000\n"}, 0)
    assert read(tree)["core:0"].base_khz is None
    cores(tree, ARM | {"thermal_throttle/core_throttle_count": "0\n"}, 0)
    found = read(tree)["core:0"]
    assert (found.current_khz, found.throttle_events) == (None, 0)


@pytest.mark.parametrize("files", [{}, ARM], ids=["no cpufreq", "a clock that is not known"])
def test_a_host_that_tells_no_clock_is_unreadable_with_a_hint(tmp_path: Path, files: dict[str, str]) -> None:
    tree = HostTree(tmp_path)
    cores(tree, files, 0)
    collector = FrequencyCollector()
    for _ in range(2):
        with pytest.raises(Unreadable, match=r"no clock of any core \(load a cpufreq driver"):
            collector.collect(tree.host, ())


def test_only_cores_on_which_workers_may_run_are_read(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cores(tree, INTEL, *range(8))
    tree.process(101, allowed="2-3")
    tree.process(102, allowed="6,200")
    assert list(read(tree, None, 101, 102)) == ["core:2", "core:3", "core:6"]


def test_of_many_cores_an_even_selection_is_read(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    cores(tree, {"cpufreq/scaling_cur_freq": "2000000\n"}, *range(200))
    tree.process(101, allowed="0-199")
    assert [int(name.partition(":")[2]) for name in read(tree, None, 101)] == list(range(0, 200, 4))


def test_clocks_are_read_each_time_and_limits_now_and_then(tmp_path: Path) -> None:
    tree, collector = HostTree(tmp_path), FrequencyCollector()
    cores(tree, INTEL, 0)
    tree.process(101, allowed="0")
    seen = [read(tree, collector, 101)["core:0"]]
    cores(tree, INTEL | {"cpufreq/scaling_cur_freq": "1200000\n", "cpufreq/scaling_max_freq": "1200000\n"}, 0)
    seen += [read(tree, collector, 101)["core:0"] for _ in range(LIMITS_EVERY)]
    assert [s.current_khz for s in seen] == [2399998] + [1200000] * LIMITS_EVERY
    assert [s.limit_khz for s in seen] == [3900000] * LIMITS_EVERY + [1200000]


def test_a_new_worker_brings_its_cores_at_once_and_one_that_ended_is_left_out(tmp_path: Path) -> None:
    tree, collector = HostTree(tmp_path), FrequencyCollector()
    cores(tree, INTEL, *range(4))
    tree.process(101, allowed="0")
    tree.process(102, allowed="3")
    assert list(read(tree, collector, 101)) == ["core:0"]
    assert list(read(tree, collector, 101, 102)) == ["core:0", "core:3"]
    gone = tree.worker(102)
    tree.remove_process(102)
    found = FrequencyCollector().collect(tree.host, (tree.service(tree.worker(101), gone),))
    assert [sample.entity for sample in found] == ["core:0"]


def test_a_core_that_is_offline_is_left_out_until_it_is_back(tmp_path: Path) -> None:
    tree, collector = HostTree(tmp_path), FrequencyCollector()
    cores(tree, INTEL, 0)
    cores(tree, {}, 0, 1)
    tree.process(101, allowed="0-1")
    assert list(read(tree, collector, 101)) == ["core:0"]
    cores(tree, INTEL, 0, 1)
    assert list([read(tree, collector, 101) for _ in range(LIMITS_EVERY)][-1]) == ["core:0", "core:1"]


def test_a_host_without_sysfs_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="mount sysfs"):
        FrequencyCollector().collect(HostTree(tmp_path).host, ())
