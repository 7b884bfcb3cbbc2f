"""Does a change stand there with its values, and with every place in which it can be made?"""

from typing import Any

from tests.tui.accounted import written as w
from tests.tui.accounted.sheet import Part

Raw = dict[str, Any]
_WHERE = {
    "env": ("environment of {target}", "{key}={value}"), "argument": ("command line of {target}", "{key} {value}"),
    "file": ("{target}", '"{key}": {value}'), "taskset": ("start of {target}", "taskset --cpu-list {value} {target}"),
    "cgroup": ("cgroup {target}", "{key}: {value}"), "systemd": ("systemctl edit {target}", "{key}={value}"),
    "code": ("code of {target}", "{key} = {value}"),
}  # fmt: skip


def _typed(place: Raw) -> str:
    """As somebody types it there: in JSON true, elsewhere as it is."""
    value = place["value"]
    return str(value).lower() if place["kind"] == "file" and isinstance(value, bool) else str(value)


def account_change(part: Part, change: Raw, *, every_place: bool) -> None:
    """`every_place`: with what comes of each; else the one that takes effect alone."""
    when = "after a restart" if change["restart"] else "without a restart"
    now, then = w.setting(change["current"]), w.setting(change["proposed"])
    part.row(f"{change['lever'].replace('_', ' ')}: {now} → {then}, {when}")
    best = next((one for one in change["how"] if one["effective"]), next(iter(change["how"]), None))
    for place in change["how"] if every_place else [best] if best is not None else []:
        where, what = (text.format(**{**place, "value": _typed(place)}) for text in _WHERE[place["kind"]])
        sign = {True: "✓", False: "✗", None: "?"}[place["effective"]] if every_place else ""
        part.row(sign, where)
        part.row(what)
        if every_place:
            effect = {True: "takes effect", False: "has no effect", None: "may have no effect"}[place["effective"]]
            because = f": {place['because']}" if place["because"] else ""
            part.says(f"{effect}{because}{'' if place['restart'] else ', no restart needed'}")
