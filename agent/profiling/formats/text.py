"""A profile, or what changed between two, as a person reads it in a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from advisor.profiling.difference import Change, FunctionChange, ProfileDifference
from advisor.profiling.frames import printable
from advisor.profiling.header import ProfileHeader
from advisor.profiling.sides import MEANING, shown_side, totals
from advisor.profiling.stored import LineUse, Side, StackSample, StoredProfile
from advisor.profiling.view import HotSpot, LoopProfile, Share, WorkerProfile
from collectors.profiles.profile import Wait

_BAR = 30
_MOST_FUNCTIONS = 15
_MOST_CHANGES = 25
_MOST_LINES = 15
_WIDTH = 90
"""Characters of a function's name."""


def profile_text(profile: StoredProfile, side: Side | None = None) -> str:
    """Classes with their sampling errors, hottest functions, waits, GIL and event loop; what could not be seen last."""
    parts = [list(_head(profile))]
    shown = shown_side(profile, side)
    samples = [one for one in profile.stacks if one.side == shown]
    if profile.digest is not None and side is None:
        parts += [list(part) for part in _of_digest(profile.digest)]
    else:
        parts.append(list(_classes(_shares(samples), f"{MEANING[shown]}, by class of work")))
        parts.append(list(_functions(_hot(samples))))
    parts += [list(_source_lines(profile.lines)), list(_remarks(profile))]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def difference_text(change: ProfileDifference) -> str:
    """The functions whose share changed most; what is within the noise is said to be."""
    lines = [
        f"base   {_named(change.base)}: {change.base_samples} samples",
        f"other  {_named(change.other)}: {change.other_samples} samples",
        f"{MEANING[change.side]}, shares of samples; ± is one standard error",
        "",
    ]
    sure = [one for one in change.functions if one.self_share.sure or one.inclusive.sure]
    lines += _changes(sure[:_MOST_CHANGES]) if sure else ["no function changed beyond the noise of sampling"]
    left = change.functions_compared - min(len(sure), _MOST_CHANGES)
    return "\n".join([*lines, "", f"{left} further functions are within the noise or changed less"]) + "\n"


def _head(profile: StoredProfile) -> Iterator[str]:
    worker = f" pid {profile.pid}" if profile.pid else ""
    yield printable(f"{profile.service or 'several services'}{worker}, {_time(profile.at_unix_seconds)}")
    counts = totals(profile)
    seen = ", ".join(f"{MEANING[side]} {count}" for side, count in counts.items() if count)
    yield printable(
        f"{profile.kind} ({profile.reason}), {profile.seconds:.3g} s at {profile.hertz:.3g} Hz; samples: {seen or 'none'}"
    )
    cost = profile.cost
    held = f", the process was held for {cost.stopped_seconds:.2f} s" if cost.stopped_seconds else ""
    yield f"taking it cost {cost.cpu_seconds:.2f} s of CPU{held}"


def _of_digest(digest: WorkerProfile) -> Iterator[Iterator[str]]:
    by = "" if digest.native else "; C functions are told by the line that calls them"
    yield _classes(digest.classes, f"{digest.cores:.2f} cores, by class of work ({digest.samples} samples{by})")
    yield _functions(digest.hot)
    yield _calls(digest)
    yield _waits(digest.waits)
    yield _gil(digest)
    if digest.loop is not None:
        yield _loop(digest.loop)


def _classes(classes: Mapping[str, Share], heading: str) -> Iterator[str]:
    yield heading
    if not classes:
        yield "  no samples"
    width = max(map(len, classes), default=0)
    for name, share in sorted(classes.items(), key=lambda item: -item[1].value):
        bar = "█" * round(_BAR * min(1.0, share.value))
        yield f"  {printable(name):<{width}}  {100 * share.value:5.1f} % ± {100 * share.error:3.1f}  {bar}".rstrip()


def _functions(hot: Sequence[HotSpot]) -> Iterator[str]:
    if hot:
        yield "hottest functions (share of CPU time or samples, in themselves)"
    for spot in sorted(hot, key=lambda one: -one.share)[:_MOST_FUNCTIONS]:
        yield f"  {100 * spot.share:5.1f} %  {_cut(spot.where)}  [{printable(spot.work)}]"


def _calls(digest: WorkerProfile) -> Iterator[str]:
    named = [*digest.phases.items(), *digest.calls.items()]
    if named:
        yield "of it: " + ", ".join(f"{printable(name)} {100 * share:.1f} %" for name, share in named)


def _waits(waits: Mapping[Wait, float]) -> Iterator[str]:
    if waits:
        yield "Python threads that wait, on average"
    for name, threads in sorted(waits.items(), key=lambda item: -item[1]):
        yield f"  {threads:6.2f}  {printable(name)}"


def _gil(digest: WorkerProfile) -> Iterator[str]:
    held = digest.gil_held
    told = "not known" if held is None else f"{100 * held.value:.1f} % ± {100 * held.error:.1f} of the time"
    yield (
        f"GIL held {told}; {digest.gil_waiting:.2f} threads waited for it, {digest.python_active:.2f} ran or wanted to;"
        f" pools of native libraries used {digest.pool_cores:.2f} cores"
    )


def _loop(loop: LoopProfile) -> Iterator[str]:
    yield (
        f"event loop (thread {loop.tid}): {100 * loop.idle:.1f} % idle, {100 * loop.busy:.1f} % computing,"
        f" {100 * loop.blocked:.1f} % blocked, {100 * loop.gil_wait:.1f} % waiting for the GIL"
    )
    for spot in loop.hot[:_MOST_FUNCTIONS]:
        yield f"  {100 * spot.share:5.1f} %  {_cut(spot.where)}  [{printable(spot.work)}]"


def _source_lines(lines: Sequence[LineUse]) -> Iterator[str]:
    if lines:
        yield "source lines (share of CPU time: Python, native, system; memory growth; copied per second; GPU)"
    for line in sorted(lines, key=_line_total, reverse=True)[:_MOST_LINES]:
        parts = f"{100 * line.python_ratio:5.1f} {100 * line.native_ratio:5.1f} {100 * line.system_ratio:5.1f} %"
        grown = "–" if line.memory_growth_bytes is None else f"{line.memory_growth_bytes / 2**20:.1f} MiB"
        copied = "–" if line.copy_bytes_per_second is None else f"{line.copy_bytes_per_second / 2**20:.1f} MiB/s"
        gpu = "–" if line.gpu_ratio is None else f"{100 * line.gpu_ratio:.0f} %"
        yield f"  {parts}  {grown:>11}  {copied:>11}  {gpu:>5}  {_cut(f'{line.file}:{line.line}  {line.text}')}"


def _remarks(profile: StoredProfile) -> Iterator[str]:
    for entry in profile.missing:
        yield printable(f"not seen: {entry.part}: {entry.reason} ({entry.hint})")
    for note in profile.notes:
        yield printable(f"note: {note}")


def _changes(functions: Iterable[FunctionChange]) -> list[str]:
    lines = [
        f"  {'in itself':^37}  {'with what it calls':^37}",
        f"  {'before':>9}  {'after':>9}  {'points':>15}  {'before':>9}  {'after':>9}  {'points':>15}",
    ]
    for one in functions:
        cores = ""
        if one.cores_before is not None and one.cores_after is not None:
            cores = f", {one.cores_before:.2f} → {one.cores_after:.2f} cores"
        lines.append(f"  {_change(one.self_share)}  {_change(one.inclusive)}  {_cut(one.where)}{cores}")
    return lines


def _change(change: Change) -> str:
    points = f"{100 * change.delta:+.1f} ± {100 * change.error:.1f}" if change.sure else "noise"
    return f"{100 * change.before:7.1f} %  {100 * change.after:7.1f} %  {points:>15}"


def _shares(samples: Sequence[StackSample]) -> dict[str, Share]:
    """Of each class, with its binomial error."""
    counts: Counter[str] = Counter()
    for one in samples:
        counts[one.work] += one.count
    total = sum(counts.values())
    return {
        work: Share(count / total, (count / total * (1 - count / total) / total) ** 0.5)
        for work, count in counts.items()
        if total
    }


def _hot(samples: Sequence[StackSample]) -> list[HotSpot]:
    counts: Counter[tuple[str, str]] = Counter()
    for one in samples:
        counts[one.frames[-1] if one.frames else one.thread, one.work] += one.count
    total = sum(counts.values())
    best = counts.most_common(_MOST_FUNCTIONS)
    return [HotSpot(where=where, work=work, share=count / total) for (where, work), count in best if total]


def _line_total(line: LineUse) -> float:
    return line.python_ratio + line.native_ratio + line.system_ratio


def _named(header: ProfileHeader) -> str:
    return printable(f"{header.id}  {header.service} {_time(header.at_unix_seconds)}, {header.seconds:.3g} s")


def _time(unix_seconds: float) -> str:
    return f"{datetime.fromtimestamp(min(max(unix_seconds, 0), 253e9), UTC):%Y-%m-%d %H:%M:%S} UTC"


def _cut(text: str) -> str:
    whole = printable(text)
    return whole if len(whole) <= _WIDTH else "…" + whole[1 - _WIDTH :]
