"""A stand-in for `amdsmi`: the functions, the shapes of answers and the exceptions of its documentation."""

import copy
from enum import IntEnum
from types import ModuleType
from typing import Any

NOT_SUPPORTED, NO_PERM, BUSY, NOT_FOUND, NOT_INIT = 2, 10, 30, 31, 32

MI300X: dict[str, Any] = {
    "get_gpu_device_uuid": "d3ff74a1-0000-1000-8042-000000000001",
    "get_gpu_device_bdf": "0000:C1:00.0",
    "get_gpu_enumeration_info": {
        "drm_render": 128, "drm_card": 1, "hsa_id": 1, "hip_id": 0, "hip_uuid": "GPU-1", "oam_id": 0,
    },
    "get_gpu_asic_info": {
        "market_name": "AMD Instinct MI300X", "vendor_id": "0x1002", "device_id": "0x74a1", "rev_id": "0x00",
        "asic_serial": "0x42", "oam_id": 0, "num_compute_units": 304, "target_graphics_version": "gfx942",
    },
    "get_gpu_driver_info": {"driver_name": "amdgpu", "driver_version": "6.10.5", "driver_date": "2015/01/01 00:00"},
    "get_gpu_activity": {"gfx_activity": 43, "umc_activity": 12, "mm_activity": "N/A"},
    "get_gpu_vram_usage": {"vram_total": 196592, "vram_used": 1024},
    "get_power_info": {
        "socket_power": 325, "current_socket_power": 325, "average_socket_power": "N/A", "gfx_voltage": "N/A",
        "soc_voltage": "N/A", "mem_voltage": "N/A", "power_limit": 750000000,
    },
    "get_temp_metric": {"EDGE": NOT_SUPPORTED, "HOTSPOT": 61, "VRAM": 52},
    "get_clock_info": {
        "GFX": {"clk": 2100, "min_clk": 132, "max_clk": 2100, "clk_locked": False, "clk_deep_sleep": "N/A"},
        "MEM": {"clk": 900, "min_clk": 900, "max_clk": 1300, "clk_locked": "N/A", "clk_deep_sleep": "N/A"},
    },
    "get_gpu_process_list": [],
    "get_gpu_total_ecc_count": {"correctable_count": 7, "uncorrectable_count": 1, "deferred_count": 0},
    "get_pcie_info": {
        "pcie_static": {
            "max_pcie_width": 16, "max_pcie_speed": 32000, "pcie_interface_version": 5, "slot_type": "OAM",
        },
        "pcie_metric": {
            "pcie_width": 16, "pcie_speed": 32000, "pcie_bandwidth": 42, "pcie_replay_count": 3,
            "pcie_l0_to_recovery_count": 1, "pcie_replay_roll_over_count": 0, "pcie_nak_sent_count": 0,
            "pcie_nak_received_count": 0,
        },
    },
    "get_energy_count": {"energy_accumulator": 2_000_000, "counter_resolution": 15.25, "timestamp": 1},
    "get_power_cap_info": {
        "power_cap": 750_000_000, "default_power_cap": 700_000_000, "dpm_cap": 0, "min_power_cap": 0,
        "max_power_cap": 750_000_000,
    },
}  # fmt: skip
"""Function without `amdsmi_` -> its answer; a number instead of one is the error that it raises."""


def process(pid: int, vram: object, *, cu: object = "N/A", name: object = "python3") -> dict[str, Any]:
    """An entry of `amdsmi_get_gpu_process_list`."""
    return {
        "name": name, "pid": pid, "mem": vram, "engine_usage": {"gfx": 0, "enc": 0},
        "memory_usage": {"gtt_mem": 4096, "cpu_mem": 0, "vram_mem": vram}, "cu_occupancy": cu,
    }  # fmt: skip


class AmdSmiException(Exception):
    pass


class AmdSmiLibraryException(AmdSmiException):
    def __init__(self, err_code: int) -> None:
        super().__init__(err_code)
        self.err_code = abs(err_code)
        self.err_info = f"AMDSMI_STATUS_{err_code} - as documented"


class AmdSmiParameterException(AmdSmiException):
    err_code = None


class AmdSmiClkType(IntEnum):
    GFX = 1
    MEM = 2


class AmdSmiTemperatureType(IntEnum):
    EDGE = 0
    HOTSPOT = 1
    VRAM = 2


class AmdSmiTemperatureMetric(IntEnum):
    CURRENT = 0


class FakeSmi(ModuleType):
    """The module. `cards`: one dict of answers for each handle."""

    def __init__(self, *cards: dict[str, Any]) -> None:
        super().__init__("amdsmi")
        self.cards = [copy.deepcopy(card) for card in cards]
        self.init_error = 0
        self.begun = self.ended = 0
        self.AmdSmiException = AmdSmiException
        self.AmdSmiClkType = AmdSmiClkType
        self.AmdSmiTemperatureType = AmdSmiTemperatureType
        self.AmdSmiTemperatureMetric = AmdSmiTemperatureMetric
        for name in MI300X:
            setattr(self, f"amdsmi_{name}", self._function(name))

    def amdsmi_init(self) -> None:
        if self.init_error:
            raise AmdSmiLibraryException(self.init_error)
        self.begun += 1

    def amdsmi_shut_down(self) -> None:
        self.ended += 1

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(len(self.cards)))

    def _function(self, name: str) -> Any:
        def answer(handle: int, *arguments: IntEnum) -> Any:
            found = self.cards[handle].get(name, NOT_SUPPORTED)
            if arguments and isinstance(found, dict):
                found = found.get(arguments[0].name, NOT_SUPPORTED)
                if name == "get_temp_metric" and found != NOT_SUPPORTED:
                    return found
            if isinstance(found, Exception):
                raise found
            if isinstance(found, int):
                raise AmdSmiLibraryException(found)
            return copy.deepcopy(found)

        return answer
