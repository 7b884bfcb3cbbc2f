"""Do the tree of processes and the page of one say what `/v1` says?"""

from math import isclose
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.charts import account_charts
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tests.tui.accounted.threads import account_threads
from tui.widgets.worker_page import WorkerPage
from tui.widgets.worker_tree import WorkerTree

Raw = dict[str, Any]
_COLUMNS = (
    "service, process",
    "cores",
    "waiting",
    "threads",
    "memory",
    "PSS",
    "VRAM",
    "faults/s",
    "state",
    "top finding",
)
_STATES = {"R": "running", "S": "sleeping", "D": "disk wait", "T": "stopped", "Z": "zombie", "I": "idle"}
_SIGNS = {"loaded": "●", "idle": "○", "starting": "◌"}


async def account(shown: Shown) -> None:
    """The tree alone, then beside it the page of the busiest process."""
    await shown.press("2", "home")
    tree = shown.app.screen.query_one(WorkerTree)
    sheet = await shown.sheet()
    await _tree(shown, sheet.part(WorkerTree), 0)
    await _told(shown, sheet.part("#told"))
    await shown.closed(sheet, "Workers")
    workers = await shown.agent.get("workers")
    busiest = max(workers, key=lambda one: one["cores_used"])
    while tree.row is None or tree.row.worker is None or tree.row.worker.pid != busiest["pid"]:
        await shown.press("j")
    await shown.press("enter")
    page = shown.app.screen.query_one(WorkerPage)
    await shown.until(lambda: page.threads is not None and page.history is not None)
    sheet = await shown.sheet()
    await _tree(
        shown, sheet.part(WorkerTree), [row.worker and row.worker.pid for row in tree.rows].index(busiest["pid"])
    )
    await _told(shown, sheet.part("#told"))
    await _page(shown, sheet.part(WorkerPage), busiest)
    await shown.closed(sheet, "Workers")
    await shown.press("escape")


async def _tree(shown: Shown, part: Part, cursor: int) -> None:
    """A line each, in the columns for which there is room."""
    services, workers, advice, node = [
        await shown.agent.get(name) for name in ("services", "workers", "advice", "node")
    ]
    columns = [name for name in _COLUMNS if name in part.lines[0]]
    part.row(*columns)
    on_gpus = {process["pid"] for gpu in node["gpus"] for process in gpu["processes"] if process["joined"]}
    place = 0
    for service in services:
        members = [one for one in workers if one["service"] == service["name"]]
        said = {
            "service, process": f"▾ {service['name']}", "threads": _total(members, "threads", w.number),
            "PSS": _total(members, "proportional_bytes", w.size),
            "faults/s": _total(members, "major_faults_per_second", w.number),
            "state": f"{_SIGNS[service['state']]} {service['state']}", **_shared(service, bool(service["gpus"])),
            "top finding": _top(first_finding(advice["findings"], service)),
        }  # fmt: skip
        part.row(*["▌"] * (place == cursor), *(said[name] for name in columns))
        place += 1
        for one in members:
            slot = "" if one["role"] == "front-end" else str(one["slot"])
            said = {
                "service, process": f"{one['pid']} {one['role']} {slot} {w.command(one['command'])}",
                "threads": w.NOT_KNOWN if one["threads"] is None else w.number(one["threads"]),
                "PSS": w.size(one["proportional_bytes"]), "faults/s": w.number(one["major_faults_per_second"]),
                "state": _STATES[one["state"]], "top finding": "",
                **_shared(one, one["pid"] in on_gpus or one["gpu_memory_bytes"] is not None),
            }  # fmt: skip
            part.row(*["▌"] * (place == cursor), *(said[name] for name in columns))
            place += 1


def _shared(one: Raw, on_gpu: bool) -> Raw:
    """What services and processes have alike."""
    held = one["gpu_memory_bytes"]
    return {
        "cores": w.cores(one["cores_used"]), "waiting": w.cores(one["waiting_cores"]), "memory": w.size(one["resident_bytes"]),
        "VRAM": "" if not on_gpu else "?" if held is None else w.size(held),
    }  # fmt: skip


def _total(members: list[Raw], name: str, write: Any) -> str:
    """Of all processes; not known where one of them is not."""
    values = [one[name] for one in members]
    return w.NOT_KNOWN if None in values or not values else write(sum(values))


def first_finding(findings: list[Raw], service: Raw) -> Raw | None:
    """The first to act on that speaks of the service, or of a process of it."""
    own = [
        one
        for one in findings
        if one["state"] == "open"
        and one["subject"]["kind"] not in ("node", "device")
        and (one["subject"]["name"] == service["name"] or set(one["subject"]["pids"]) & set(service["pids"]))
    ]
    return min(own, key=lambda one: one["rank"], default=None)


def _top(finding: Raw | None) -> str:
    return "" if finding is None else f"{finding['severity'].upper()} {finding['title']}"


async def _told(shown: Shown, part: Part) -> None:
    workers = await shown.agent.get("workers")
    closed = [one["missing"] for one in workers if one["missing"]]
    if closed:
        reasons = sorted({reason for missing in closed for reason in missing})
        more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        of = w.counted(len(workers), "process", "processes")
        part.says(f"inside {len(closed)} of {of} not readable: {reasons[0]}{more}")


async def _page(shown: Shown, part: Part, one: Raw) -> None:
    services, advice, node = [await shown.agent.get(name) for name in ("services", "advice", "node")]
    service = next(found for found in services if found["name"] == one["service"])
    slot = "" if one["role"] == "front-end" else f" {one['slot']}"
    part.row(f"pid {one['pid']} · {one['role']}{slot} of {service['name']} · {_STATES[one['state']]}")
    fits = len(one["command"]) <= len(part.lines[0]) - 2
    part.row(one["command"] if fits else w.command(one["command"]))
    _numbers(part, one, node)
    for finding in sorted(advice["findings"], key=lambda found: found["rank"]):
        if finding["state"] == "open" and one["pid"] in finding["subject"]["pids"]:
            part.row(
                f"{finding['severity'].upper()} #{finding['rank']} {finding['title']}", *_hint(part, finding["title"])
            )
    if one["missing"]:
        part.row("not readable inside")
        part.says(" ".join(one["missing"]))
    await account_charts(shown, part, one)
    await _limits(shown, part, one, service, node)
    _settings(part, service)
    await account_threads(shown, part, one, node)


def _hint(part: Part, title: str) -> list[str]:
    """Where there is room beside the title."""
    return ["a: what to do"] if any(f"{title}  a: what" in line for line in part.lines) else []


def _numbers(part: Part, one: Raw, node: Raw) -> None:
    threads = f"{w.NOT_KNOWN} threads" if one["threads"] is None else w.counted(one["threads"], "thread")
    active = "" if one["active_threads"] is None else f", {one['active_threads']} active"
    said = [
        f"{w.cores(one['cores_used'])} cores", f"{w.cores(one['waiting_cores'])} waiting", threads + active,
        f"{w.size(one['resident_bytes'])} memory", f"{w.size(one['proportional_bytes'])} PSS",
    ]  # fmt: skip
    of_gpus = [process for gpu in node["gpus"] for process in gpu["processes"] if process["pid"] == one["pid"]]
    if of_gpus:
        assert sum(process["memory_bytes"] for process in of_gpus) == one["gpu_memory_bytes"]
        assert isclose(sum(process["sm_ratio"] for process in of_gpus), one["gpu_sm_ratio"], abs_tol=0.005)
        said.append(f"VRAM {w.size(one['gpu_memory_bytes'])}, SM {w.share(one['gpu_sm_ratio'])}")
    part.says(" · ".join((*said, f"{w.number(one['major_faults_per_second'])} faults/s")))


async def _limits(shown: Shown, part: Part, one: Raw, service: Raw, node: Raw) -> None:
    limits = service["limits"]
    part.row("limits")
    quota, memory = "no CPU quota", "no memory limit"
    if limits["cpu_quota_cores"] is not None:
        used_up = w.share(limits["throttled_ratio"])
        quota = f"CPU quota {w.cores(limits['cpu_quota_cores'])} cores, used up in {used_up} of periods"
    if limits["memory_limit_bytes"] is not None:
        memory = f"memory limit {w.size(limits['memory_limit_bytes'])}, {w.size(limits['memory_used_bytes'])} charged"
    cpus = "no cpuset" if limits["cpus"] is None else f"cpuset {limits['cpus']}"
    allowed, online = w.cpus(one["allowed_cpus"]), {core["cpu"] for core in node["cores"]}
    assert allowed == online, "nothing is pinned in these recordings"
    affinity = f"affinity {one['allowed_cpus']}, {len(allowed)} of {len(online)} CPUs"
    part.says(" · ".join((quota, cpus, memory, affinity)))


def _settings(part: Part, service: Raw) -> None:
    part.row("settings")
    for one in service["settings"]:
        unread = one["value"] is None and not one["origin"].startswith("default")
        origin = f"{'not readable: ' if unread else 'from '}{one['origin']}"
        part.says(f"{one['lever'].replace('_', ' ')} {w.setting(one['value'])} {origin}")
