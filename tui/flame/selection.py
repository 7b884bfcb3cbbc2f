"""What of a profile can a picture show, and how are its sides called?"""

from collections.abc import Mapping
from dataclasses import dataclass

from advisor.profiling.frames import split_frame
from advisor.profiling.stored import Side, StoredProfile
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


def is_native(frame: str) -> bool:
    """`symbol (library)`: a place without a line that is no Python source."""
    _, file, line = split_frame(frame)
    return file is not None and line is None and not file.endswith((".py", ".pyx"))


def why_missing(profile: StoredProfile, side: Side) -> Missing | None:
    """What the profile says of a side that it lacks."""
    return next((one for one in profile.missing if one.part == _PARTS[side]), None)
