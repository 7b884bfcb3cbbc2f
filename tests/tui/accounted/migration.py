"""Does the screen of moving to a device say what `/v1/migration` says, of each alternative?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.intervals import account_axis, account_interval, reach_of
from tests.tui.accounted.migration_page import account_device, account_form, device_title
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part
from tui.widgets.alternative_list import AlternativeAxis, AlternativeList
from tui.widgets.alternative_page import AlternativePage
from tui.widgets.migration_head import MigrationHead
from tui.widgets.migration_list import MigrationList

Raw = dict[str, Any]
_VERDICTS = ("candidate", "possible", "not worth it", "does not fit")


async def account(shown: Shown) -> None:
    found = await shown.agent.get("migration")
    await shown.press("6")
    if not found:
        await shown.until(lambda: "No service on CPUs" in shown.text())
        return await shown.closed(await shown.sheet(), "CPU/GPU")
    services = shown.app.screen.query_one(MigrationList)
    await shown.until(lambda: services.option_count == len(found))
    for one in found:
        await shown.until(lambda one=one: services.chosen == one["service"])
        sheet = await shown.sheet()
        _services(sheet.part(MigrationList), found)
        if one["situation"] is None:
            part = sheet.part(MigrationHead)
            part.row(one["service"])
            part.says(f"cannot tell, needs {one['needs']['text']}")
            await shown.closed(sheet, "CPU/GPU")
        else:
            await _alternatives(shown, one, found)
        await shown.press("left", "j")
    return None


async def _alternatives(shown: Shown, one: Raw, found: list[Raw]) -> None:
    """The page of each."""
    alternatives = shown.app.screen.query_one(AlternativeList)
    names = [f"here/{way['kind']}" for way in one["here"]] + [device["device"] for device in one["devices"]]
    await shown.press("right", "home")
    for name in names:
        assert alternatives.chosen == name
        sheet = await shown.sheet()
        _services(sheet.part(MigrationList), found)
        _head(sheet.part(MigrationHead), one)
        _list(sheet.part(AlternativeAxis), sheet.part(AlternativeList), one)
        part = sheet.part(AlternativePage)
        for way in one["here"]:
            if name == f"here/{way['kind']}":
                account_form(part, way)
        for device in one["devices"]:
            if name == device["device"]:
                account_device(part, device, one)
        part.row("assumed")
        for text in one["assumes"]:
            part.says(f"· {text}")
        await shown.closed(sheet, "CPU/GPU")
        await shown.press("j")


def _services(part: Part, found: list[Raw]) -> None:
    for one in found:
        part.row(one["service"])
        if one["needs"] is not None:
            part.row(f"? needs {'a ' if one['needs']['kind'] == 'profile' else ''}{one['needs']['kind']}")
        else:
            best = min(one["devices"], key=lambda device: _VERDICTS.index(device["verdict"]))
            part.row(f"{best['verdict']}: {best['device']}")


def _head(part: Part, one: Raw) -> None:
    now = one["situation"]
    share = now["work"]["part"]["share"]
    objective = "no objective" if now["slo_p99_seconds"] is None else f"objective {w.duration(now['slo_p99_seconds'])}"
    part.row(one["service"])
    part.says(
        " · ".join(
            (
                f"{w.number(now['work']['per_second'])} requests/s", f"{w.duration(now['work']['cpu_seconds'])} CPU each",
                f"latency {w.duration(now['latency_seconds'])}", objective, f"{w.number(now['cores'])} cores left",
            )
        )
    )  # fmt: skip
    low, likely, high = (w.places(share[name] * 100, 0) for name in ("low", "mode", "high"))
    line = part.lines[part.row("could move", f"{low}–{high} % of CPU time, likely {likely}")]
    sure, maybe = line.count("█"), line.count("█") + line.count("▒")
    cells = maybe + line.count("░")
    assert abs(sure - share["low"] * cells) <= 0.5
    assert abs(maybe - share["high"] * cells) <= 0.5


def _list(axis: Part, part: Part, one: Raw) -> None:
    """All on one scale."""
    drawn = [way["throughput"] for way in one["here"]]
    drawn += [device["simulated"][name] for device in one["devices"] for name in ("throughput", "latency")]
    reach = reach_of(drawn)
    axis.row("after / before: throughput against these CPUs set right, latency without a queue")
    account_axis(axis, reach)
    for way in one["here"]:
        part.row("on these CPUs", way["what"])
        account_interval(part, part.row("throughput", w.ratio(way["throughput"])), way["throughput"], reach)
    for device in one["devices"]:
        part.row(device_title(device))
        for name in ("throughput", "latency"):
            gain = device["simulated"][name]
            account_interval(part, part.row(name, w.ratio(gain)), gain, reach)
        costs, fit = device["costs"], device["fit"]
        part.says(
            " · ".join(
                (
                    f"{device['simulated']['binding']} binds", f"×{w.number(device['ceiling'])} at most (Amdahl)",
                    f"{fit['verdict']}: {w.number(fit['need'] / 1e9)} of {w.number(fit['free'] / 1e9)} GB",
                    f"cost ×{w.number(costs['ratio']['p50'])}",
                    f"pays from {w.rate(costs['break_even_per_second']['p50'])}", "not validated",
                )
            )
        )  # fmt: skip
