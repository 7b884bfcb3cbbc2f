"""Do the tree of processes and the page of one say what `/v1` says?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tests.tui.accounted.worker_page import STATES, account_worker
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
    await account_worker(shown, sheet.part(WorkerPage), busiest)
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
                "state": STATES[one["state"]], "top finding": "",
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
