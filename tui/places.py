"""How is a place of a change written so that a person can type it?"""

from advisor.finding import Change
from collectors.levers import Place
from tui import format as fmt


def place_text(place: Place) -> tuple[str, str]:
    """Where to write, and exactly what."""
    key, value, target = (fmt.plain(str(part)) for part in (place.key, written(place), place.target))
    match place.kind:
        case "env":
            return f"environment of {target}", f"{key}={value}"
        case "argument":
            return f"command line of {target}", f"{key} {value}"
        case "file":
            return target, f'"{key}": {value}'
        case "taskset":
            return f"start of {target}", f"taskset --cpu-list {value} {target}"
        case "numactl":
            return f"start of {target}", f"numactl --{key}={value} {target}"
        case "cgroup":
            return f"cgroup {target}", f"{key}: {value}"
        case "systemd":
            return f"systemctl edit {target}", f"{key}={value}"
        case "code":
            return f"code of {target}", f"{key} = {value}"
        case _:
            return f"{fmt.plain(place.kind)} {target}", f"{key} = {value}"


def written(place: Place) -> str:
    """The value as its place wants it: JSON in a settings file, plain elsewhere."""
    if place.kind != "file" or place.value is None:
        return "" if place.value is None else str(place.value)
    return str(place.value).lower() if isinstance(place.value, bool) else str(place.value)


def effect_text(place: Place) -> str:
    """Whether this place wins where the service runs, and why."""
    words = {True: "takes effect", False: "has no effect", None: "may have no effect"}[place.effective]
    reason = f": {fmt.plain(place.because)}" if place.because else ""
    return f"{words}{reason}" + ("" if place.restart else ", no restart needed")


def change_text(change: Change) -> str:
    """`compute threads: 2 → 1, after a restart`"""
    when = "after a restart" if change.restart else "without a restart"
    now, then = fmt.value(change.current), fmt.value(change.proposed)
    return f"{fmt.metric_name(change.lever)}: {now} → {then}, {when}"
