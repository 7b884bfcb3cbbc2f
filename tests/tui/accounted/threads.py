"""Do the threads on the page of a process stand there as `/v1/workers/PID/threads` tells them, each CPU in its column?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part

_EIGHTHS = "▁▂▃▄▅▆▇█"


async def account_threads(shown: Shown, part: Part, one: dict[str, Any], node: dict[str, Any]) -> None:
    threads = await shown.agent.get(f"workers/{one['pid']}/threads")
    assert len(threads) == one["threads"]
    part.row(f"threads · {len(threads)}")
    busy_row = next(row for row, line in enumerate(part.lines) if "busy with anything" in line)
    first = part.lines[busy_row].index("anything") + len("anything ")
    columns = _columns(node["cores"], first)
    digits = len(str(max(columns)))
    for cpu, column in columns.items():
        for place, digit in enumerate(f"{cpu:>{digits}}"):
            part.cell(busy_row - digits + place, column, digit)
    for core in node["cores"]:
        part.cell(busy_row, columns[core["cpu"]], _EIGHTHS[min(7, int(core["busy_ratio"] * 8))])
    part.rest(busy_row - 1, "tid", "class", "cores", "waiting", "last", "name")
    for row, thread in enumerate(threads, busy_row + 1):
        _thread(part, row, thread, columns)


def _columns(cores: list[dict[str, Any]], first: int) -> dict[int, int]:
    """By CPU: those of a core beside each other, a cell between two cores."""
    found: dict[int, int] = {}
    ordered = sorted(cores, key=lambda core: (core["sibling_of"], core["cpu"]))
    for before, core in zip([None, *ordered], ordered, strict=False):
        apart = before is not None and before["sibling_of"] != core["sibling_of"]
        found[core["cpu"]] = first + len(found) if not found else max(found.values()) + 1 + apart
    return found


def _thread(part: Part, row: int, thread: dict[str, Any], columns: dict[int, int]) -> None:
    """What a thread may not is empty, where it ran is as high as its share of its time."""
    ran = dict(thread["cpus_seen"]) or ({thread["last_cpu"]: 1.0} if thread["cores_used"] > 0 else {})
    for cpu, column in columns.items():
        share = ran.get(cpu, 0.0)
        part.cell(row, column, _EIGHTHS[min(7, int(share * 8))] if share > 0 else "·")
    part.rest(
        row, str(thread["tid"]), thread["thread_class"], w.cores(thread["cores_used"]), w.cores(thread["waiting_cores"]),
        w.known(thread["last_cpu"]), thread["name"],
    )  # fmt: skip
