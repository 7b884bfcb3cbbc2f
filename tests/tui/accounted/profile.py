"""Do the list of profiles, the picture of one, of a span, and of what changed, say what `/v1/profiles` says?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.frames import account_boxes, account_change, account_detail, counted, of_side, whole
from tests.tui.accounted.played import Shown
from tests.tui.accounted.sheet import Part, Sheet
from tui.widgets.class_legend import ClassLegend
from tui.widgets.frame_detail import FrameDetail
from tui.widgets.icicle import Icicle
from tui.widgets.profile_head import ProfileHead
from tui.widgets.profile_list import ProfileList

Raw = dict[str, Any]
_SIDES = {"cpu": "on CPU", "native": "native", "gil": "GIL held", "wait": "waiting"}


async def account(shown: Shown) -> None:
    headers = await shown.agent.get("profiles?limit=200")
    await shown.press("5")
    if not headers:
        await shown.until(lambda: "No profiles yet" in shown.text())
        return await shown.closed(await shown.sheet(), "Profile")
    newest, oldest = [(await shown.agent.get(f"profiles/{one['id']}"))["profile"] for one in (headers[0], headers[-1])]
    title = (
        f"{newest['service']} pid {newest['pid']} · {newest['kind']}: {newest['reason']} · "
        f"{w.duration(newest['seconds'])} at {w.number(newest['hertz'])} Hz · {_clock(newest['at_unix_seconds'])}"
    )
    await _one(shown, headers, newest, title, "cpu")
    await shown.press("v")
    await _one(shown, headers, newest, title, "native")
    await shown.press("v", "v", "M")
    end = datetime.fromisoformat((await shown.agent.get("node"))["at"]).timestamp()
    merged = await shown.agent.get(f"profiles/merged?service={newest['service']}&start={end - 900}&end={end}")
    assert merged["seconds"] == sum(one["seconds"] for one in headers)
    said = f"{merged['service']}: 15 min as one · up to {_clock(end)} · {w.duration(merged['seconds'])} looked at"
    await _one(shown, headers, merged, said, "cpu")
    await shown.press("M", "M", "M", "M")
    await _change(shown, headers, oldest, newest)
    return None


def _clock(unix_seconds: float) -> str:
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%H:%M:%S} UTC"


async def _drawn(shown: Shown, title: str, side: str) -> None:
    def come() -> bool:
        head = shown.app.screen.query_one(ProfileHead).head
        return head is not None and " · ".join(head.title) == title and head.side == side

    await shown.until(come)


async def _one(shown: Shown, headers: list[Raw], profile: Raw, title: str, side: str) -> None:
    """A picture of one profile, or of several as one."""
    await _drawn(shown, title, side)
    stacks = of_side(profile, side)
    async for sheet, path in _walk(shown):
        await _list(shown, sheet.part(ProfileList), headers)
        _head(sheet.part(ProfileHead), title, [profile], side)
        account_boxes(sheet.part(Icicle), [stacks])
        account_detail(sheet.part(FrameDetail), path, stacks)
        for work, count in counted(stacks).items():
            sheet.part(ClassLegend).says(f"{work} {w.share(count / whole(stacks))}")
        await shown.closed(sheet, "Profile")


async def _walk(shown: Shown) -> AsyncIterator[tuple[Sheet, list[str]]]:
    """The screen at each box from the root to where most of the time is spent, and the frames of that box."""
    icicle = shown.app.screen.query_one(Icicle)
    await shown.press("right")
    for step in (-1, 1):
        node = None
        while node is not icicle.node:
            node = icicle.node
            assert node is not None
            if step > 0:
                yield await shown.sheet(), [one.name for one in node.path]
            icicle.action_step(step)
    await shown.press("escape")


async def _list(shown: Shown, part: Part, headers: list[Raw], base: str = "") -> None:
    now = datetime.fromisoformat((await shown.agent.get("node"))["at"]).timestamp()
    for one in headers:
        age = w.duration(round(now - one["at_unix_seconds"]))
        what = f"{one['kind']}: {one['reason']}"
        samples = w.counted(one["samples"], "sample")
        part.row("b" if one["id"] == base else "", one["service"], f"pid {one['pid']}", f"{age} ago", what, samples)


def _head(part: Part, title: str, profiles: list[Raw], side: str) -> None:
    part.row(title)
    said = []
    for name, label in _SIDES.items():
        counts = [sum(one["count"] for one in of_side(profile, name)) for profile in profiles]
        told = " → ".join(str(count or w.NOT_KNOWN) for count in counts) if any(counts) else w.NOT_KNOWN
        said.append(f"[{label} {told}]" if name == side else f"{label} {told}")
    part.row("samples:", *said)
    part.row("whole profile")


async def _change(shown: Shown, headers: list[Raw], before: Raw, after: Raw) -> None:
    """The first that was taken against the last one."""
    profiles = shown.app.screen.query_one(ProfileList)
    await shown.press("end")
    await shown.until(lambda: profiles.chosen == before["id"])
    await shown.press("d", "home", "d")
    difference = await shown.agent.get(f"profiles/diff?base={before['id']}&other={after['id']}")
    times = " → ".join(_clock(one["at_unix_seconds"]) for one in (before, after))
    samples = f"{difference['base_samples']} and {w.counted(difference['other_samples'], 'sample')}"
    title = f"{after['service']}: what changed · {times} · {samples}"
    await _drawn(shown, title, difference["side"])
    sides = [of_side(one, difference["side"]) for one in (before, after)]
    async for sheet, path in _walk(shown):
        await _list(shown, sheet.part(ProfileList), headers, before["id"])
        _head(sheet.part(ProfileHead), title, [before, after], difference["side"])
        account_boxes(sheet.part(Icicle), sides)
        account_change(sheet.part(FrameDetail), path, sides, difference["functions"])
        await shown.closed(sheet, "Profile")
