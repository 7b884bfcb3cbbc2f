"""A profile as a flame graph: width is the share of samples, colour the class of work."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zlib import crc32

from advisor.profiling.frames import printable
from advisor.profiling.sides import MEANING, shown_side
from advisor.profiling.stored import Side, StackSample, StoredProfile
from agent.profiling.formats.boxes import LEAST_SHARE, Box, Stacks
from agent.profiling.formats.svg import Legend, Rectangle, draw

COLOURS = ("#77aadd", "#ee8866", "#eedd88", "#44bb99", "#ffaabb", "#99ddff", "#bbcc33", "#aaaa00")
"""Eight that also people who do not see all colours tell apart, under black text: the light scheme of
https://personal.sron.nl/~pault/."""
GREY = "#dddddd"
_WANTED = {
    "kernel": 0, "serialise": 1, "glue": 2, "python": 3, "loop": 4, "array": 5, "tokenise": 6, "decode": 7,
}  # fmt: skip
"""The colours of the classes that are large most often."""
_LEAST = f"{100 * LEAST_SHARE:g} %"
_UNKNOWN = frozenset({"unknown", "other", ""})
_MOSTLY = 0.6
"""A frame has the colour of a class that makes up more of its samples than this."""


def flamegraph(profile: StoredProfile, *, side: Side | None = None, threads: bool = False) -> str:
    """An SVG file of one side (without `side` the first that it has); `threads` puts the threads at the root."""
    shown = shown_side(profile, side)
    stacks = [one for one in profile.stacks if one.side == shown and one.count > 0]
    works = [work for work, _ in _by_work(stacks).most_common()]
    table = Stacks(
        [(one.thread, *one.frames) if threads else one.frames for one in stacks],
        [one.count for one in stacks],
        *([one.count if one.work == work else 0 for one in stacks] for work in works),
    )
    colours = _colours(works)
    boxes = table.boxes()
    rectangles = [Rectangle(0, 0.0, 1.0, "all", f"{table.total:.0f} samples", GREY)]
    rectangles += [_rectangle(box, table, works, colours) for box in boxes]
    return draw(
        title_of(profile), f"{MEANING[shown]}: {table.total:.0f} samples; {described(profile)}", rectangles,
        _legend(stacks, colours), small_note(boxes),
    )  # fmt: skip


def title_of(profile: StoredProfile) -> str:
    worker = f" pid {profile.pid}" if profile.pid else ""
    return printable(f"{profile.service or 'several services'}{worker}")


def described(profile: StoredProfile) -> str:
    """When, how long and why."""
    at = datetime.fromtimestamp(min(max(profile.at_unix_seconds, 0), 253e9), UTC)
    return printable(f"{at:%Y-%m-%d %H:%M:%S} UTC, {profile.seconds:.3g} s, {profile.kind} ({profile.reason})")


def small_note(boxes: Sequence[Box]) -> list[str]:
    hidden = sum(box.hidden for box in boxes)
    if not hidden:
        return [f"frames below {_LEAST} of the samples are not drawn"]
    return [f"{hidden} frames, each below {_LEAST} of the samples or too deep, are drawn together"]


def hidden_label(box: Box) -> str:
    return f"({box.hidden} {'deeper' if box.deeper else 'small'} frame{'s' if box.hidden > 1 else ''})"


def _rectangle(box: Box, table: Stacks, works: Sequence[str], colours: Mapping[str, str]) -> Rectangle:
    """A row lower than its box: the first row is that of all samples."""
    count = box.width * table.total
    share = f"{count:.0f} samples, {100 * box.width:.2f} %"
    if box.hidden:
        return Rectangle(box.row + 1, box.start, box.width, hidden_label(box), share, GREY)
    parts = sorted(((table.of(box, column), work) for column, work in enumerate(works)), reverse=True)
    shares = ", ".join(f"{printable(work)} {100 * part / count:.0f} %" for part, work in parts[:3] if part > 0)
    most, work = parts[0]
    colour = colours[work] if most > _MOSTLY * count else GREY
    return Rectangle(box.row + 1, box.start, box.width, box.name, f"{share}\n{shares}", colour)


def _by_work(stacks: Sequence[StackSample]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in stacks:
        counts[one.work] += one.count
    return counts


def _legend(stacks: Sequence[StackSample], colours: Mapping[str, str]) -> list[Legend]:
    counts = _by_work(stacks)
    total = sum(counts.values())
    entries = [
        Legend(colours[work], f"{printable(work)} {100 * count / total:.1f} %") for work, count in counts.most_common()
    ]
    return [*entries, Legend(GREY, "mixed or unknown")] if entries else []


def _colours(works: Sequence[str]) -> dict[str, str]:
    """Colour of each class, the same in nearly all pictures: where two would share one, the larger class has it. The
    ninth class and all smaller ones are grey, as unknown is."""
    free = list(COLOURS)
    chosen = {}
    for work in works:
        if work in _UNKNOWN or not free:
            chosen[work] = GREY
            continue
        wanted = COLOURS[_WANTED.get(work, crc32(work.encode("utf-8", "replace")) % len(COLOURS))]
        colour = wanted if wanted in free else free[0]
        free.remove(colour)
        chosen[work] = colour
    return chosen
