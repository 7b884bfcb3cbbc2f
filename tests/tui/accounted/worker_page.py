"""Does the page of a process say what `/v1` says of it, of its service and of its limits?"""

from math import isclose
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.charts import account_charts
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tests.tui.accounted.threads import account_threads

Raw = dict[str, Any]
STATES = {"R": "running", "S": "sleeping", "D": "disk wait", "T": "stopped", "Z": "zombie", "I": "idle"}


async def account_worker(shown: Shown, part: Part, one: Raw) -> None:
    services, advice, node = [await shown.agent.get(name) for name in ("services", "advice", "node")]
    service = next(found for found in services if found["name"] == one["service"])
    slot = "" if one["role"] == "front-end" else f" {one['slot']}"
    part.row(f"pid {one['pid']} · {one['role']}{slot} of {service['name']} · {STATES[one['state']]}")
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
