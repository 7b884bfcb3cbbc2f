"""Are the boxes of a flame graph, and the numbers of the one under the cursor, those of the stacks in `/v1/profiles`?"""

import re
from collections import Counter
from collections.abc import Sequence
from math import log, sqrt
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]
_POINTS = re.compile(r"[+-]\d+\.\d")


def of_side(profile: Raw, side: str) -> list[Raw]:
    return [one for one in profile["stacks"] if one["side"] == side and one["count"]]


def counted(stacks: list[Raw]) -> Counter[str]:
    """Samples by class of work."""
    found: Counter[str] = Counter()
    for one in stacks:
        found[one["work"]] += one["count"]
    return found


def whole(stacks: list[Raw]) -> int:
    return sum(one["count"] for one in stacks)


def under(stacks: list[Raw], path: list[str]) -> list[Raw]:
    """The stacks that go through it."""
    return [one for one in stacks if one["frames"][: len(path)] == path]


def account_boxes(part: Part, sides: Sequence[list[Raw]]) -> None:
    """What digits there are belong to names of frames; of two profiles also to the change of a box, in points."""
    names = {frame.partition(" (")[0] for stacks in sides for one in stacks for frame in one["frames"]}
    changes = {_points(_change(sides, list(path))[2]) for path in _paths(sides)} if len(sides) == 2 else set()
    for row, line in enumerate(part.lines):
        for match in _POINTS.finditer(line):
            assert match[0] in changes, f"no box changed by {match[0]}: {line}"
            part.cell(row, match.start(), match[0])
        for match in re.finditer(r"[\w.<>]*\d[\w.<>]*", line):
            if not any(found.start() <= match.start() < found.end() for found in _POINTS.finditer(line)):
                assert any(match[0] in name for name in names), f"{match[0]} is in no frame: {line}"
                part.cell(row, match.start(), match[0])


def account_detail(part: Part, path: list[str], stacks: list[Raw]) -> None:
    """Name, place, shares with their error, and what it is made of; of all samples the legend says it."""
    _named(part, path)
    here, own, total = under(stacks, path), [one for one in stacks if one["frames"] == path], whole(stacks)
    part.says(
        f"total {_measured(whole(here), total)} · self {_measured(whole(own), total)} · "
        f"{whole(here)} of {w.counted(total, 'sample')}"
    )
    for work, count in counted(here).most_common(3) if path else ():
        part.says(f"{work} {w.share(count / whole(here))}")


def account_change(part: Part, path: list[str], sides: Sequence[list[Raw]], functions: list[Raw]) -> None:
    """The box under its callers, then the function wherever it was called from."""
    _named(part, path)
    before, after, delta, error = _change(sides, path)
    noise = "" if abs(delta) > sqrt(2 * log(_compared(sides) / 0.05)) * error else ", noise"
    part.says(f"here {_told(before, after, delta, error)}{noise}")
    function = next((one for one in functions if path and one["where"] == path[-1]), None)
    if function is not None:
        for label, found in (("everywhere", function["inclusive"]), ("self", function["self_share"])):
            noise = "" if found["sure"] else ", noise"
            told = _told(found["before"], found["after"], found["after"] - found["before"], found["error"])
            part.says(f"{label} {told}{noise}")


def _named(part: Part, path: list[str]) -> None:
    if not path:
        return part.row("all samples") and None
    name, _, place = path[-1].partition(" (")
    part.says(name)
    if place:
        part.says(place.removesuffix(")"))
    return None


def _measured(count: int, total: int) -> str:
    """With one standard error of a share of so many samples."""
    share = count / total
    return f"{w.places(100 * share, 1)} % ± {w.places(100 * sqrt(share * (1 - share) / total), 1)}"


def _change(sides: Sequence[list[Raw]], path: list[str]) -> tuple[float, float, float, float]:
    """Share before and after, the difference, and its standard error by the rule of succession."""
    counts = [(whole(under(stacks, path)), whole(stacks)) for stacks in sides]
    before, after = (count / total for count, total in counts)
    likely = [((count + 1) / (total + 2), total) for count, total in counts]
    return before, after, after - before, sqrt(sum(share * (1 - share) / total for share, total in likely))


def _compared(sides: Sequence[list[Raw]]) -> int:
    """Boxes with a thousandth of the picture and more: so many changes are looked at at once."""
    shares = [_change(sides, list(path)) for path in _paths(sides)]
    return sum(before + after >= 0.002 for before, after, _, _ in shares)


def _paths(sides: Sequence[list[Raw]]) -> set[tuple[str, ...]]:
    """Every box by its frames from the root on; the root has none."""
    stacks = [tuple(one["frames"]) for side in sides for one in side]
    return {frames[:depth] for frames in stacks for depth in range(len(frames) + 1)}


def _told(before: float, after: float, delta: float, error: float) -> str:
    shares = f"{w.places(100 * before, 1)} → {w.places(100 * after, 1)} %"
    return f"{shares}: {_points(delta)} ± {w.places(100 * error, 1)}"


def _points(delta: float) -> str:
    text = w.places(100 * delta, 1)
    return text if text.startswith("-") else f"+{text}"
