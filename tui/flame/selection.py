"""Which stacks of a profile does a picture show, and how are its sides called?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.profiling.frames import split_frame
from advisor.profiling.sides import shown_side, totals
from advisor.profiling.stored import Side, StackSample, StoredProfile
from collectors.profiles.profile import Missing, Part

ORDER: tuple[Side, ...] = ("cpu", "native", "gil", "wait")
TABS: Mapping[Side, str] = {"cpu": "on CPU", "native": "native", "gil": "GIL held", "wait": "waiting"}
COUNTED: Mapping[Side, str] = {
    "cpu": "CPU time of Python threads",
    "native": "CPU time",
    "gil": "time in which the GIL was held",
    "wait": "waiting of Python threads",
}
"""Of what a share of samples is a share."""
_PARTS: Mapping[Side, Part] = {"cpu": "python", "native": "native", "gil": "gil", "wait": "python"}


@dataclass(frozen=True, slots=True)
class Filters:
    """`side` None: the first that the profile has. `threads`: each thread by itself. `native`: native frames too."""

    side: Side | None = None
    threads: bool = False
    native: bool = True


def side_of(profile: StoredProfile, filters: Filters) -> Side:
    return shown_side(profile, filters.side)


def samples_of(profiles: Sequence[StoredProfile]) -> Mapping[Side, tuple[int, ...]]:
    """Samples of each side, in each of them."""
    counts = [totals(profile) for profile in profiles]
    return {side: tuple(count[side] for count in counts) for side in ORDER}


def stacks_of(profile: StoredProfile, side: Side, filters: Filters) -> list[StackSample]:
    return [one for one in profile.stacks if one.side == side and one.count > 0]


def frames_of(one: StackSample, filters: Filters) -> tuple[str, ...]:
    """A stack as it is drawn, root first."""
    frames = one.frames
    if not filters.native and one.side != "native":
        frames = tuple(frame for frame in frames if not is_native(frame))
    return (f"thread {one.thread}", *frames) if filters.threads else frames


def is_native(frame: str) -> bool:
    """`symbol (library)`: a place without a line that is no Python source."""
    _, file, line = split_frame(frame)
    return file is not None and line is None and not file.endswith((".py", ".pyx"))


def has_native(profiles: Sequence[StoredProfile]) -> bool:
    """Whether native frames stand in stacks of Python, so that they can be left out."""
    frames = {frame for profile in profiles for one in profile.stacks if one.side != "native" for frame in one.frames}
    return any(map(is_native, frames))


def why_missing(profile: StoredProfile, side: Side) -> Missing | None:
    """What the profile says of a side that it lacks."""
    return next((one for one in profile.missing if one.part == _PARTS[side]), None)
