"""Does the page of a device, or of another form on the CPUs, say what `/v1/migration` says of it?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.intervals import account_axis, account_interval, reach_of
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]


def device_title(device: Raw) -> str:
    sign, where = ("●", "in this node") if device["present"] else ("○", "not in this node")
    return f"{sign} {device['device']} {device['verdict']} · {where} · grade {device['grade']}"


def account_form(part: Part, way: Raw) -> None:
    part.row("on these CPUs", way["what"])
    part.row("what it would bring")
    reach = reach_of([way["throughput"]])
    account_axis(part, reach)
    account_interval(part, part.row(w.ratio(way["throughput"])), way["throughput"], reach)
    part.row("throughput for the same CPU time")
    part.row(f"×{w.number(way['ceiling'])} at most: what it does not touch stays (Amdahl)")


def account_device(part: Part, device: Raw, one: Raw) -> None:
    part.row(device_title(device))
    part.row(device["note"])
    for name, texts in (("why", device["reasons"]), ("what would change it", device["flips"])):
        part.row(name)
        for text in texts:
            part.says(f"· {text}")
    _speed(part, device)
    part.row("memory")
    fit = device["fit"]
    said = (
        f"{fit['verdict']}: {w.number(fit['need'] / 1e9)} of {w.number(fit['free'] / 1e9)} GB · that such a device has"
    )
    part.bar(part.row(said), fit["need"] / fit["free"])
    _cost(part, device, one)


def _speed(part: Part, device: Raw) -> None:
    seen = device["simulated"]
    part.row("speed, after / before")
    reach = reach_of(seen[name] for name in ("throughput", "as_configured", "latency"))
    account_axis(part, reach)
    for label, name, of_what in (
        ("throughput", "throughput", "against these CPUs set right"),
        ("", "as_configured", "against these CPUs as they are set"),
        ("latency", "latency", "of a request that does not queue"),
    ):
        account_interval(part, part.row(label, w.ratio(seen[name])), seen[name], reach)
        part.row(of_what)
    part.row("at most on it", f"{_between(seen['per_second'])} requests/s")
    part.row("at most here", f"{_between(seen['cpu_per_second'])} requests/s, set right")
    times = seen["device_seconds"]
    batch = f"{w.duration(times['p10'])}–{w.duration(times['p90'])}"
    part.row(f"a batch of {seen['batch']}", f"{batch} on it, in {device['precision']}")
    part.row(f"a request gets ×{w.number(device['ceiling'])} faster at most: what stays on the host (Amdahl)")
    part.row("what takes longest, and how often")
    for name, share in seen["terms"].items():
        part.bar(part.row(name, w.share(share)), share)


def _between(found: Raw) -> str:
    likely, low, high = (w.number(found[name]) for name in ("p50", "p10", "p90"))
    return f"{likely} ({low}–{high})"


def _cost(part: Part, device: Raw, one: Raw) -> None:
    costs, node, price = device["costs"], one["situation"]["price"], one["prices"][device["device"]]
    part.row("cost of 1000 requests")
    part.row(costs["currency"], "now", "moved")
    for label, name in (("at this load", "at_load"), ("at capacity", "at_capacity")):
        moved = costs[f"{name}_moved"]
        likely, low, high = (w.digits(moved[point], 2) for point in ("p50", "p10", "p90"))
        spread = w.number(moved["p50"]) if moved["p10"] == moved["p90"] else f"{likely} ({low}–{high})"
        part.row(label, w.number(costs[name]), spread)
    even = costs["break_even_per_second"]
    more = f"pays from {w.rate(even['p50'])} ({w.number(even['p10'])}–{w.number(even['p90'])})"
    part.row(f"{w.ratio(costs['ratio'])} at this load; {more}")
    device_price = f"{w.number(price['hourly'])} {price['currency']} an hour"
    part.says(f"this node {w.number(node['hourly'])} {node['currency']} an hour; with the device {device_price}")
