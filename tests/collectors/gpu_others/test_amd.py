"""AMD's devices, by a module that answers as the documentation of `amdsmi` says."""

import sys
from pathlib import Path
from typing import Any

import pytest

from collectors.gpu.amd import library
from collectors.gpu.amd.health import power_limit
from collectors.gpu.amd.info import architecture
from collectors.gpu.amd.values import degrees, whole
from collectors.gpu.samples import GpuProcessSample, GpuSample
from collectors.sources.amd import AmdCollector
from collectors.sources.amd_health import AmdHealthCollector
from collectors.sources.amd_info import AmdInfoCollector
from tests.collectors.gpu_others.amd_cards import ENTITY, amd_machine, card, install
from tests.collectors.gpu_others.fake_amdsmi import (
    BUSY,
    MI300X,
    NO_PERM,
    NOT_FOUND,
    NOT_INIT,
    NOT_SUPPORTED,
    AmdSmiParameterException,
    process,
)
from tests.collectors.gpu_others.readings import in_outermost_namespace, samples, why
from tests.hosttree import HostTree

MIB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    return amd_machine(tmp_path)


def test_what_a_card_does_now(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.process(4242, started=77)
    processes = [process(4242, 500 * MIB, cu=25), process(4243, 100 * MIB)]
    install(monkeypatch, card(get_gpu_process_list=processes))
    device, first, second = samples(AmdCollector(), machine)
    assert isinstance(device, GpuSample)
    assert (device.entity, device.state) == (ENTITY, "ok")
    assert (device.memory_total_bytes, device.memory_used_bytes) == (196592 * MIB, 1024 * MIB)
    assert device.memory_free_bytes == (196592 - 1024) * MIB
    assert device.memory_reserved_bytes is None
    assert (device.busy_ppm, device.memory_busy_ppm) == (430_000, 120_000)
    assert (device.sm_clock_mhz, device.memory_clock_mhz) == (2100, 900)
    assert (device.power_mw, device.temperature_celsius) == (325_000, 61)
    assert (device.processes, device.unknown_processes, device.unknown_memory_bytes) == (2, 1, 424 * MIB)
    assert isinstance(first, GpuProcessSample)
    assert first.entity == f"gpu-process:{MI300X['get_gpu_device_uuid']}/4242"
    assert (first.worker, first.context) == ("worker:4242:77", "compute")
    assert (first.memory_bytes, first.sm_ppm, first.memory_busy_ppm) == (500 * MIB, 250_000, None)
    assert (second.worker, second.memory_bytes, second.sm_ppm) == (None, 100 * MIB, None)


def test_a_guest_of_a_virtual_machine_tells_no_activity(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = dict.fromkeys(
        ("get_gpu_activity", "get_power_info", "get_clock_info", "get_temp_metric", "get_pcie_info"), NOT_SUPPORTED
    )
    install(monkeypatch, card(**refused))
    (device,) = samples(AmdCollector(), machine)
    assert device.state == "ok"
    assert device.memory_used_bytes == 1024 * MIB
    assert device.busy_ppm is device.memory_busy_ppm is device.power_mw is device.sm_clock_mhz is None
    assert device.temperature_celsius is None
    samples(AmdHealthCollector(), machine)
    (info,) = samples(AmdInfoCollector(), machine)
    assert "get_gpu_activity" in info.unsupported.split()
    assert {"get_clock_info.GFX", "get_temp_metric.HOTSPOT", "get_pcie_info"} <= set(info.unsupported.split())


def test_not_available_is_unknown_and_never_zero(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(answer: Any) -> Any:
        return {key: nothing(value) for key, value in answer.items()} if isinstance(answer, dict) else "N/A"

    install(monkeypatch, {name: nothing(answer) for name, answer in MI300X.items()})
    for collector in (AmdCollector(), AmdHealthCollector(), AmdInfoCollector()):
        (sample,) = samples(collector, machine)
        told = {name: value for name in sample.__struct_fields__ if (value := getattr(sample, name)) is not None}
        assert told.keys() <= {"entity", "state", "vendor", "index", "unsupported"}, told
        assert told["entity"] == "gpu:amd-0"


@pytest.mark.parametrize(
    ("value", "most", "found"),
    [(0, 100, 0), (100, 100, 100), (101, 100, None), (0xFFFF, 100, None), (0xFFFFFFFF, 1 << 30, None), (-1, 100, None),
     ("N/A", 100, None), ("7", 100, None), (None, 100, None), (True, 100, None), (float("nan"), 100, None),
     (float("inf"), 100, None), (41.6, 100, 42)],
)  # fmt: skip
def test_a_number_is_one_that_is_possible(value: object, most: int, found: int | None) -> None:
    assert whole(value, most) == found


def test_units_of_other_versions() -> None:
    assert (degrees(61), degrees(61_500), degrees(0xFFFFFFFF), degrees("N/A")) == (61, 62, None, None)
    assert (power_limit(300), power_limit(300_000_000), power_limit(0), power_limit("N/A")) == (
        300_000,
        300_000,
        None,
        None,
    )
    assert (architecture("gfx90a"), architecture("gfx1100"), architecture("gfx1"), architecture("gfx")) == (
        "cdna2", "rdna3", "gfx1", None,
    )  # fmt: skip


def test_names_of_older_versions(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(
        monkeypatch,
        card(
            get_clock_info={"GFX": {"cur_clk": 1700, "max_clk": 1700}, "MEM": {"cur_clk": 1600, "max_clk": 1600}},
            get_power_info={"average_socket_power": 90, "current_socket_power": "N/A"},
            get_temp_metric={"EDGE": 45_000},
            get_gpu_asic_info={"market_name": "AMD Instinct MI210", "num_of_compute_units": 104},
        ),
    )
    del fake.amdsmi_get_gpu_enumeration_info
    (device,) = samples(AmdCollector(), machine)
    assert (device.sm_clock_mhz, device.memory_clock_mhz) == (1700, 1600)
    assert (device.power_mw, device.temperature_celsius) == (90_000, 45)
    (info,) = samples(AmdInfoCollector(), machine)
    assert (info.multiprocessors, info.device_file, info.architecture) == (104, None, None)
    assert "get_gpu_enumeration_info" in info.unsupported.split()


@pytest.mark.parametrize("memory", [0, "N/A", 18_446_744_073_709_541_616], ids=["hidden", "not told", "16 EB"])
def test_memory_that_is_not_told_is_unknown(machine: HostTree, monkeypatch: pytest.MonkeyPatch, memory: object) -> None:
    machine.process(4242, started=77)
    install(monkeypatch, card(get_gpu_process_list=[process(4242, memory)]))
    device, found = samples(AmdCollector(), machine)
    assert (found.worker, found.memory_bytes) == ("worker:4242:77", None)
    assert device.unknown_memory_bytes == 1024 * MIB


def test_in_another_pid_namespace_only_a_number_that_is_proven_counts(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_outermost_namespace(machine, "pid:[4026532999]")
    for pid in (7, 8, 9):
        machine.process(pid, started=5)
    listed = [process(7, MIB), process(8, MIB, name="N/A"), process(9, 0)]
    install(monkeypatch, card(get_gpu_process_list=listed))
    device, *found = samples(AmdCollector(), machine)
    assert [one.worker for one in found] == ["worker:7:5", None, None]
    assert device.unknown_processes == 2


def test_compute_units_in_use_as_percent_or_as_their_number(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [process(pid, MIB, cu=units) for pid, units in enumerate((0, 100, 152, 400, 0xFFFFFFFF), start=1)]
    install(monkeypatch, card(get_gpu_process_list=listed))
    _, *found = samples(AmdCollector(), machine)
    assert [one.sm_ppm for one in found] == [0, 1_000_000, 500_000, None, None]


def test_a_list_that_is_none_leaves_the_rest(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, card(get_gpu_process_list=NOT_SUPPORTED))
    (device,) = samples(AmdCollector(), machine)
    assert device.processes is device.unknown_processes is device.unknown_memory_bytes is None
    fake.cards[0]["get_gpu_process_list"] = ["what", {"pid": "N/A"}, process(0, 1)]
    (device,) = samples(AmdCollector(), machine)
    assert device.processes is None  # it is not asked again


def test_a_name_that_the_binding_cannot_decode_is_asked_again(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    fake = install(monkeypatch, card(get_gpu_process_list=broken, get_power_info=AmdSmiParameterException("what")))
    collector = AmdCollector()
    (device,) = samples(collector, machine)
    assert device.processes is device.power_mw is None
    fake.cards[0].update(get_gpu_process_list=[process(1, MIB)], get_power_info=MI300X["get_power_info"])
    device, _ = samples(collector, machine)
    assert (device.processes, device.power_mw) == (1, None)


def test_a_busy_device_is_asked_again(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, card(get_gpu_activity=BUSY))
    collector = AmdCollector()
    assert samples(collector, machine)[0].busy_ppm is None
    fake.cards[0]["get_gpu_activity"] = MI300X["get_gpu_activity"]
    assert samples(collector, machine)[0].busy_ppm == 430_000


@pytest.mark.parametrize(
    ("body", "state", "hint"),
    [
        ("raise ImportError('no')", "no driver", "pip install amdsmi"),
        ("raise KeyError('libamd_smi.so')", "no driver", "/opt/rocm/share/amd_smi"),
        ("raise OSError('libamd_smi.so: cannot open shared object file')", "no driver", "libamd_smi.so"),
        ("raise AttributeError('libamd_smi.so: undefined symbol')", "driver mismatch", "different versions"),
        (None, "no driver", "pip install amdsmi"),
    ],
)
def test_a_binding_that_is_not_there_or_does_not_fit(
    machine: HostTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str | None, state: str, hint: str
) -> None:
    library.smi.cache_clear()
    if body is not None:
        folder = tmp_path / "site" / "amdsmi"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(body)
        monkeypatch.syspath_prepend(str(folder.parent))
        monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "amdsmi", None)  # type: ignore[arg-type]  # as import does for what is not there
    found, said = why(AmdCollector(), machine)
    assert found == state
    assert hint in said


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (NO_PERM, "permission"),
        (34, "no driver"),
        (4, "no driver"),
        (NOT_FOUND, "no device"),
        (18, "failed"),
        (99, "failed"),
    ],
)
def test_a_library_that_cannot_begin(machine: HostTree, monkeypatch: pytest.MonkeyPatch, code: int, state: str) -> None:
    install(monkeypatch, MI300X).init_error = code
    found, hint = why(AmdCollector(), machine)
    assert found == state
    assert hint


def test_a_driver_without_devices(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert why(AmdCollector(), machine)[0] == "no device"


def test_a_device_that_is_gone_does_not_keep_the_others(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, MI300X, card(get_gpu_device_uuid="other"))
    collector = AmdCollector()
    assert [one.state for one in samples(collector, machine)] == ["ok", "ok"]
    fake.cards[1] = dict.fromkeys(MI300X, NOT_FOUND)
    found = samples(collector, machine)
    assert [(one.entity, one.state) for one in found] == [(ENTITY, "ok"), ("gpu:other", "lost")]
    assert found[1].memory_total_bytes is None
    fake.cards[0] = dict.fromkeys(MI300X, NOT_FOUND)
    assert why(collector, machine)[0] == "lost"
    assert fake.ended == 1


def test_a_session_that_ended_is_begun_again(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, MI300X)
    collector = AmdCollector()
    fake.cards[0]["get_gpu_vram_usage"] = NOT_INIT
    assert why(collector, machine)[0] == "no driver"
    fake.cards[0]["get_gpu_vram_usage"] = MI300X["get_gpu_vram_usage"]
    assert samples(collector, machine)[0].memory_used_bytes == 1024 * MIB
    assert fake.begun == 2


def test_partitions_that_share_a_name_are_told_apart(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, MI300X, MI300X)
    assert [one.entity for one in samples(AmdCollector(), machine)] == [ENTITY, f"{ENTITY}.1"]


def test_a_device_that_comes_is_found_within_a_minute(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = install(monkeypatch, MI300X)
    collector = AmdCollector()
    samples(collector, machine)
    fake.cards.append(card(get_gpu_device_uuid="other"))
    assert len(samples(collector, machine)) == 1
    machine.clock.advance(60)
    assert len(samples(collector, machine)) == 2
