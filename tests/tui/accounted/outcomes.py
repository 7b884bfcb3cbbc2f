"""Does a change that was made stand there with what was promised and what was measured, as `/v1/outcomes` says?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.intervals import NAMES, account_axis, account_interval, reach_of
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]
_WRITTEN = {"throughput": w.rate, "memory": w.size, "p50 latency": w.duration, "p99 latency": w.duration}


def changed(change: Raw) -> str:
    return f"{change['lever'].replace('_', ' ')}: {w.setting(change['old'])} → {w.setting(change['new'])}"


def account_outcome(part: Part, one: Raw, finding: str | None) -> None:
    """`finding`: whose promises stand beside what was measured; None: all."""
    promised = [
        gain for promise in one["promises"] if finding in (None, promise["finding"]) for gain in promise["gains"]
    ]
    measured = [
        {**found, "p10": found["low"], "p50": found["ratio"], "p90": found["high"]} for found in one["measured"]
    ]
    reach = reach_of([*promised, *measured])
    sign = {"verified": "✓", "refuted": "✗"}.get(one["state"], "?")
    part.row(sign, one["state"] + ("" if one["final"] else " so far"), w.day_and_minute(one["changed_at"]))
    part.says(", ".join(map(changed, one["changes"])))
    part.says(one["because"])
    account_axis(part, reach)
    for gain in promised:
        account_interval(part, part.row(NAMES[gain["metric"]], w.ratio(gain)), gain, reach)
    for found in measured:
        has_promise = any(gain["metric"] == found["metric"] for gain in promised)
        name = NAMES[found["metric"]]
        account_interval(part, part.row("measured" if has_promise else name, w.ratio(found)), found, reach)
        write = _WRITTEN[name]
        held = {True: "inside what was said", False: "outside what was said", None: "nothing was said of it"}
        verdict = held[one["covered"].get(found["metric"])]
        part.says(f"{verdict} · {found['what']}, {write(found['before'])} → {write(found['after'])}")


def account_scores(part: Part, scores: list[Raw]) -> None:
    """How many of them, from the share of them."""
    for one in scores:
        metric = "" if one["metric"] is None else f" of {one['metric'].removesuffix('_ratio').replace('_', ' ')}"
        inside = one["coverage"] * one["outcomes"]
        assert abs(inside - round(inside)) < 1e-9
        part.says(f"{one['rule']}{metric}: {round(inside)} of {one['outcomes']} measured inside what was said")
