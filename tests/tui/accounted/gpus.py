"""Does the screen of GPUs say of each device what `/v1/node` says?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tui.widgets.gpu_fact_list import GpuFactList
from tui.widgets.gpu_head import GpuHead
from tui.widgets.gpu_list import GpuList
from tui.widgets.gpu_meters import GpuMeters
from tui.widgets.gpu_process_table import GpuProcessTable

_LANE = {5: 32e9 / 8 * 128 / 130 * 0.9}
"""Bytes a second by generation of PCIe: transfers, less the coding, less a tenth for headers and flow control."""


def device_line(part: Part, gpu: dict[str, Any]) -> None:
    """`0 H100 80GB HBM3 ░░░ 959 MiB of 80 GiB SM 4 % 132 W 37 °C`"""
    name = gpu["name"].removeprefix("NVIDIA ")
    memory = f"{w.size(gpu['memory_used_bytes'])} of {w.size(gpu['memory_total_bytes'])}"
    used = ("busy-time", gpu["busy_ratio"]) if gpu["sm_active_ratio"] is None else ("SM", gpu["sm_active_ratio"])
    row = part.row(str(gpu["index"]), name, memory, used[0], w.share(used[1]), *_heat(gpu))
    part.bar(row, gpu["memory_used_bytes"] / gpu["memory_total_bytes"])


def _heat(gpu: dict[str, Any]) -> tuple[str, str]:
    return f"{w.places(gpu['power_watts'], 0)} W", f"{w.places(gpu['temperature_celsius'], 0)} °C"


async def account(shown: Shown) -> None:
    node = await shown.agent.get("node")
    await shown.press("4")
    sheet = await shown.sheet()
    for gpu in node["gpus"]:
        device_line(sheet.part(GpuList), gpu)
    if node["gpus"]:
        gpu = node["gpus"][0]
        sheet.part(GpuHead).row(f"GPU {gpu['index']}", gpu["name"], "·", gpu["uuid"])
        _meters(sheet.part(GpuMeters), gpu)
        _processes(sheet.part(GpuProcessTable), gpu)
        _facts(sheet.part(GpuFactList), gpu)
    await shown.closed(sheet, "GPUs")


def _meters(part: Part, gpu: dict[str, Any]) -> None:
    used, total = gpu["memory_used_bytes"], gpu["memory_total_bytes"]
    part.bar(part.row("memory", f"{w.size(used)} of {w.size(total)} used"), used / total)
    rest = (("reserved", "reserved"), ("free", "free"), ("unknown", "of no known process"))
    part.row(" · ".join(f"{w.size(gpu[f'memory_{name}_bytes'])} {what}" for name, what in rest))
    part.row("activity · mean of 15 s")
    for left, right in (("SM sm_active", "tensor tensor_active"), ("occupancy sm_occupancy", "DRAM dram_active")):
        said = [(name, gpu[f"{field}_ratio"]) for name, field in map(str.split, (left, right))]
        row = part.row(*(f"{name} {w.share(ratio)}" for name, ratio in said))
        middle = part.lines[row].index(said[1][0])
        part.bar(row, said[0][1], end=middle)
        part.bar(row, said[1][1], start=middle)
    part.bar(part.row("busy-time", w.share(gpu["busy_ratio"]), "anything ran, not how much"), gpu["busy_ratio"])


def _processes(part: Part, gpu: dict[str, Any]) -> None:
    part.row("processes")
    part.row("pid", "service", "slot", "context", "VRAM", "SM share")
    for one in sorted(gpu["processes"], key=lambda one: -one["memory_bytes"]):
        whose = one["service"] or ("no known service" if one["joined"] else "not of this PID namespace")
        slot = "" if one["slot"] is None else str(one["slot"])
        part.row(
            str(one["pid"]),
            whose,
            slot,
            "+".join(one["contexts"]),
            w.size(one["memory_bytes"]),
            w.share(one["sm_ratio"]),
        )


def _facts(part: Part, gpu: dict[str, Any]) -> None:
    link = _LANE[gpu["pcie_generation"]] * gpu["pcie_width"]
    sent, received = gpu["pcie_tx_bytes_per_second"], gpu["pcie_rx_bytes_per_second"]
    traffic = [
        f"{what} {w.size(rate)}/s ({w.share(rate / link)})" for what, rate in (("sent", sent), ("received", received))
    ]
    sampled = ["in samples of 20 ms"] if gpu["pcie_sampled"] else []
    part.says(
        "PCIe " + _packed(
            *traffic, *sampled, f"link about {w.size(link)}/s each way",
            f"generation {gpu['pcie_generation']} of {gpu['pcie_generation_max']}",
            f"{gpu['pcie_width']} of {gpu['pcie_width_max']} lanes",
        )
    )  # fmt: skip
    clocks = [f"{w.places(gpu[name] / 1e6, 0)} MHz" for name in ("sm_clock_hertz", "sm_clock_max_hertz")]
    part.row("clock", f"{clocks[0]} · at most {clocks[1]}")
    watts, celsius = _heat(gpu)
    part.row("power", f"{watts} · limit {w.places(gpu['power_limit_watts'], 0)} W · {celsius}")
    held = (
        ("power limit", "power_cap"), ("heat, by the driver", "software_thermal"),
        ("heat, by the hardware", "hardware_thermal"), ("power supply", "power_brake"),
    )  # fmt: skip
    part.says("held down " + _packed(*(f"{name} {w.share(gpu[f'{field}_ratio'])}" for name, field in held)))
    newest = [] if gpu["last_xid"] is None else [f"newest XID {gpu['last_xid']}"]
    part.says(
        "errors " + _packed(
            f"ECC {w.known(gpu['ecc_uncorrected'])} uncorrected", f"row remap pending {_yes(gpu['remap_pending'])}",
            f"failed {_yes(gpu['remap_failed'])}", f"XID {w.known(gpu['xid_events'])} in 5 min", *newest,
        )
    )  # fmt: skip
    part.says(f"place NUMA node {w.known(gpu['numa_node'])} · near cpu {gpu['cpus']} · PCI {gpu['pci']}")
    part.says(
        f"software driver {gpu['driver']} · CUDA {gpu['cuda']} · {gpu['architecture']} · "
        f"compute capability {gpu['compute_capability']}"
    )


def _packed(*facts: str) -> str:
    return " · ".join(facts)


def _yes(value: bool | None) -> str:
    return {True: "yes", False: "no", None: w.NOT_KNOWN}[value]
