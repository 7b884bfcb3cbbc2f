"""What of a profile stands in a list: all but its stacks, source lines and digest."""

import msgspec

from advisor.profiling.stored import StoredKind, StoredProfile


class ProfileHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a stored profile; names and units as in `StoredProfile`. `size_bytes`: what its rows take, stacks not
    counted, which several profiles share."""

    id: str
    at_unix_seconds: float
    seconds: float
    service: str
    service_id: str
    pid: int
    started: int
    slot: int | None
    kind: StoredKind
    reason: str
    hertz: float
    samples: int
    size_bytes: int = 0


class ProfileFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which profiles are wanted: those that began from `start` to before `end` (Unix seconds), the newest `limit`."""

    service: str | None = None
    pid: int | None = None
    kind: StoredKind | None = None
    start: float | None = None
    end: float | None = None
    limit: int = 100


def header_of(profile: StoredProfile, size_bytes: int = 0) -> ProfileHeader:
    names = [name for name in ProfileHeader.__struct_fields__ if name != "size_bytes"]
    return ProfileHeader(size_bytes=size_bytes, **{name: getattr(profile, name) for name in names})
