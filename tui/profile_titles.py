"""How is what is drawn called, what is on its way, and what cannot be drawn?"""

from datetime import UTC, datetime

from advisor.documents import Problem
from advisor.profiling.stored import Side, StoredProfile
from tui import format as fmt
from tui.flame.loading import Loaded
from tui.flame.selection import TABS, why_missing
from tui.profiles import Compared, Span, Target


def title_of(loaded: Loaded) -> tuple[str, ...]:
    """What is drawn: the parts of one line, the most important first."""
    if loaded.change is not None:
        before, after = loaded.change.base, loaded.change.other
        samples = f"{loaded.change.base_samples} and {fmt.count(loaded.change.other_samples, 'sample')}"
        times = f"{_clock(before.at_unix_seconds)} → {_clock(after.at_unix_seconds)}"
        return f"{after.service or fmt.UNKNOWN}: what changed", times, samples
    profile, what = loaded.profiles[0].head, loaded.what
    name = profile.service or fmt.UNKNOWN
    if isinstance(what, Span):
        held = fmt.duration(profile.seconds)
        return f"{name}: {fmt.duration(what.seconds)} as one", f"up to {_clock(what.end)}", f"{held} looked at"
    who = f" pid {profile.pid}" if profile.pid else ""
    rate = f" at {fmt.number(profile.hertz)} Hz" if profile.hertz else ""
    when = _clock(profile.at_unix_seconds)
    held = f"{fmt.duration(profile.seconds)}{rate}" + ("" if profile.pid else ", processes added up")
    return f"{name}{who}", f"{profile.kind}: {profile.reason}", held, when


def asked_title(what: Target | Compared) -> tuple[str, ...]:
    match what:
        case Span():
            return (f"{what.service}: asking for {fmt.duration(what.seconds)} as one",)
        case Compared(other=Span() as span):
            return (f"{span.service}: asking what changed",)
        case Compared():
            return ("asking what changed",)
        case _:
            return ("asking for this profile",)


def problem_text(problem: Problem) -> tuple[str, ...]:
    """Why nothing is drawn, and what helps somebody at these screens."""
    hint = "M goes on to a longer span, and d ends a comparison" if problem.key == "profile.none" else problem.hint
    return "There is nothing to draw", f"Reason: {problem.message}.", f"What helps: {hint}"


def nothing_text(profile: StoredProfile, side: Side) -> tuple[str, ...]:
    """Why there is nothing to draw of a side, and what helps."""
    missing = why_missing(profile, side)
    why: tuple[str, ...]
    if missing is not None:
        why = (f"Reason: {missing.reason}.", f"What helps: {missing.hint}")
    else:
        why = (*(f"Note: {note}" for note in profile.notes), "No thread was seen in that state while it was taken.")
    return (f"{TABS[side]}: no sample in this profile", *why, "v goes to the next side that has some.")


def _clock(unix_seconds: float) -> str:
    return f"{datetime.fromtimestamp(min(max(unix_seconds, 0), 253e9), UTC):%H:%M:%S} UTC"
