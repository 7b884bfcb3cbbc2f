"""Does the overview say of services, cores, memory and processes what `/v1` says?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.gpus import device_line
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tests.tui.accounted.workers import first_finding
from tui.widgets.core_strip import CoreStrip
from tui.widgets.gpu_block import GpuBlock
from tui.widgets.meters import Meters
from tui.widgets.own_cost import OwnCost
from tui.widgets.service_list import ServiceList
from tui.widgets.thread_table import ThreadTable
from tui.widgets.unreadable_list import UnreadableList
from tui.widgets.worker_table import WorkerTable

_EIGHTHS = "▁▂▃▄▅▆▇█"
_SIGNS = {"loaded": "●", "idle": "○", "starting": "◌"}


async def account(shown: Shown) -> None:
    await shown.press("1")
    node, services, workers, advice = [
        await shown.agent.get(name) for name in ("node", "services", "workers", "advice")
    ]
    sheet = await shown.sheet()
    for one in services:
        _service(sheet.part(ServiceList), one, first_finding(advice["findings"], one))
    if node["gpus"]:
        block = sheet.part(GpuBlock)
        block.row("gpus")
        for gpu in node["gpus"]:
            device_line(block, gpu)
    _cores(sheet.part(CoreStrip), node["cores"])
    _meters(sheet.part(Meters), node)
    _cost(sheet.part(OwnCost), await shown.agent.get("self"))
    for one in node["collectors"]:
        if one["status"] != "ok" and one["hint"]:
            sheet.part(UnreadableList).says(f"{one['name']} {one['reason']}: {one['hint']}")
    chosen = next(one for one in services if one["id"] == shown.app.screen.query_one(ServiceList).chosen)
    members = [one for one in workers if one["service"] == chosen["name"]]
    on_gpus = {process["pid"] for gpu in node["gpus"] for process in gpu["processes"] if process["joined"]}
    _processes(sheet.part(WorkerTable), chosen, members, on_gpus)
    _threads(sheet.part(ThreadTable), members)
    await shown.closed(sheet, "Overview")


def _service(part: Part, one: dict[str, Any], finding: dict[str, Any] | None) -> None:
    part.row(_SIGNS[one["state"]], one["name"], one["state"], "" if finding is None else finding["severity"].upper())
    part.row(one["verdict"])
    said = [
        w.counted(one["workers"], "worker"),
        f"{w.cores(one['cores_used'])} of {w.at_most_hundredths(one['usable_cores'])} cores",
        f"{w.cores(one['waiting_cores'])} waiting",
    ]
    if one["gpus"]:
        held = one["gpu_memory_bytes"]
        said.append(f"VRAM {'?' if held is None else w.size(held)}")
    for name, write in (
        ("requests_per_second", w.rate),
        ("accept_queue", lambda value: f"{w.number(value)} queued" if value else ""),
        ("server_queue", lambda value: f"{w.number(value)} queued inside" if value else ""),
    ):
        if one[name] is not None:
            said.append(write(one[name]))
    if one["latency_p50_seconds"] is not None:
        said.append(f"p50 {w.duration(one['latency_p50_seconds'])}")
    elif one["latency_seconds"] is not None:
        said.append(w.duration(one["latency_seconds"]))
    if one["latency_p99_seconds"] is not None:
        said.append(f"p99 {w.duration(one['latency_p99_seconds'])}")
    if one["capacity"] and one["capacity"]["utilisation_at_peak"] is not None:
        said.append(f"peak at {w.share(one['capacity']['utilisation_at_peak'])}")
    if one["cost"] and one["cost"]["per_1000_requests"] is not None:
        said.append(f"{w.number(one['cost']['per_1000_requests'])} {one['cost']['currency']}/1000")
    part.row(" · ".join(filter(None, said)))


def _cores(part: Part, cores: list[dict[str, Any]]) -> None:
    """The sum in words, and each of them as high as it is busy."""
    busy = [core["busy_ratio"] for core in cores]
    assert None not in busy, "all cores were read"
    said = [f"{w.cores(sum(busy))} of {len(busy)} busy"]
    for name in ("steal", "iowait"):
        total = sum(core[f"{name}_ratio"] for core in cores)
        said += [f"{name} {w.cores(total)}"] if total >= 0.005 else []
    part.row("cores", "·", " · ".join(said))
    row = part.row(f"cpu {cores[0]['cpu']}")
    assert part.lines[row].split()[2:] == [_EIGHTHS[min(7, int(ratio * 8))] * 4 for ratio in busy]


def _meters(part: Part, node: dict[str, Any]) -> None:
    used = node["memory_total_bytes"] - node["memory_available_bytes"]
    swap = node["swap_used_bytes"]
    text = f"{w.size(used)} of {w.size(node['memory_total_bytes'])}" + (f", swap {w.size(swap)}" if swap else "")
    part.bar(part.row("used", text), used / node["memory_total_bytes"])
    for name in ("cpu", "memory", "io"):
        ratio = node[f"pressure_{name}_ratio"]
        part.bar(part.row(name, w.share(ratio)), ratio)


def _cost(part: Part, own: dict[str, Any]) -> None:
    """What the replay costs is not what watching costs, and a recording does not know which ticks were late."""
    part.row("not told by a recording")
    part.row("ticks", str(own["ticks"]))


def _processes(part: Part, service: dict[str, Any], members: list[dict[str, Any]], on_gpus: set[int]) -> None:
    owner = f"{service['manager']}: {service['owner']}" if service["owner"] else service["manager"]
    settings = (
        f"{one['lever'].replace('_', ' ')} {w.setting(one['value'])} ({one['origin']})" for one in service["settings"]
    )
    part.row("processes of", service["name"])
    part.row(" · ".join((owner, *settings)))
    vram = ["VRAM"] if service["gpus"] else []
    header = ("pid", "role", "slot", "cores", "waiting", "memory", *vram, "threads", "active", "may run on", "command")
    part.row(*header)
    for one in members:
        held = one["gpu_memory_bytes"]
        of_gpu = w.size(held) if held is not None else "?" if one["pid"] in on_gpus else ""
        part.row(
            str(one["pid"]), one["role"], str(one["slot"]), w.cores(one["cores_used"]), w.cores(one["waiting_cores"]),
            w.size(one["resident_bytes"]), of_gpu if vram else "", w.known(one["threads"]), w.known(one["active_threads"]),
            w.known(one["allowed_cpus"]), w.command(one["command"]),
        )  # fmt: skip
    for reason in dict.fromkeys(reason for one in members for reason in one["missing"]):
        part.row(f"{reason}: pid {w.listed(one['pid'] for one in members if reason in one['missing'])}")


def _threads(part: Part, members: list[dict[str, Any]]) -> None:
    """The twelve that ran and waited most."""
    part.row("busiest threads")
    part.row("pid", "tid", "class", "cores", "waiting", "last on", "may run on", "state", "name")
    found = [(one["pid"], thread) for one in members for thread in one["busiest"]]
    found.sort(key=lambda pair: (-pair[1]["cores_used"] - pair[1]["waiting_cores"], pair[0], pair[1]["tid"]))
    for pid, one in found[:12]:
        part.row(
            str(pid), str(one["tid"]), one["thread_class"], w.cores(one["cores_used"]), w.cores(one["waiting_cores"]),
            w.NOT_KNOWN if one["last_cpu"] is None else f"cpu {one['last_cpu']}", w.known(one["allowed_cpus"]),
            one["state"], one["name"],
        )  # fmt: skip
