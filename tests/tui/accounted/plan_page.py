"""Does the page of a plan say what `/v1/advice` says of its steps, alone and together?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.intervals import NAMES, account_axis, account_interval, reach_of
from tests.tui.accounted.places import account_change
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]


def account_plan(part: Part, plan: Raw, findings: list[Raw]) -> None:
    """The steps below each other, then all of them together, on one scale."""
    gains = [gain for step in plan["steps"] for gain in step["gains"]] + plan["total"]
    reach = reach_of(gains)
    part.says(plan["verdict"])
    part.row(f"plan of {plan['service']}, {len(plan['steps'])} steps")
    for number, step in enumerate(plan["steps"], 1):
        part.says(f"{number} {step['title']}")
        for change in step["changes"]:
            account_change(part, change, every_place=False)
        for gain in step["gains"]:
            _step_gain(part, gain, reach)
    part.row("all steps together, after / before")
    account_axis(part, reach)
    for gain in plan["total"]:
        _step_gain(part, gain, reach)
    in_vain = [one["title"] for one in findings if one["id"] in plan["will_not_help"]]
    for title in in_vain:
        part.says(title)
    part.says(plan["assumes"])


def _step_gain(part: Part, gain: Raw, reach: float) -> None:
    account_interval(part, part.row(NAMES[gain["metric"]], w.ratio(gain)), gain, reach)
