"""How is a profile asked for, and how far is one?"""

from typing import Annotated, Literal

import msgspec

from advisor.profiling.stored import StoredProfile

LONGEST_SECONDS = 300


class ProfileRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile that is asked for: of one process by its pid, or of the workers of a service by its name.

    `native`: the stacks of native functions too, for which the process is held still at each look. `idle`: also of
    threads that wait. `gil`: only of the thread that holds the GIL. `hertz`: looks a second.
    """

    target: int | str
    seconds: Annotated[float, msgspec.Meta(ge=1, le=LONGEST_SECONDS)] = 10.0
    hertz: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    native: bool = False
    idle: bool = False
    gil: bool = False


class ProfileState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a profile is. `running`: ask again when its seconds are over. `failed`: `reason` and `hint` say why and
    what to do. `done`: `profile` holds it, of several workers as one."""

    id: str
    state: Literal["running", "done", "failed"]
    target: str
    at_unix_seconds: float
    seconds: float
    reason: str = ""
    hint: str = ""
    profile: StoredProfile | None = None
