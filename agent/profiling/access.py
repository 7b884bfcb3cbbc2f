"""How do others get at profiles: read those that are kept, and ask for one?"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from advisor.profiling.header import ProfileFilter, ProfileHeader
from advisor.profiling.request import ProfileRequest, ProfileState
from advisor.profiling.stored import StoredProfile
from agent.store.reader import StoreReader


class NotStarted(Exception):  # noqa: N818 - an answer, not a fault
    """A profile was not begun. `cause`: `off` (profiling is switched off or cannot be done here), `unknown` (there is no
    such process or service), `busy` (one is being taken), `failed` (anything else)."""

    def __init__(self, cause: Literal["off", "unknown", "busy", "failed"], message: str, hint: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.hint = hint


class ProfileStarter(Protocol):
    """Takes profiles on request. Methods are called in any thread and do not wait for the profile."""

    def start(self, asked: ProfileRequest, /) -> ProfileState:
        """The state `running`, with a new id. Raises NotStarted."""
        ...

    def state(self, identity: str, /) -> ProfileState | None:
        """Of a profile that it began; None of any other."""
        ...


class ProfileAccess(Protocol):
    """All that the HTTP interface needs. Methods are called in threads of their own; those that read raise
    sqlite3.Error where a file cannot be read."""

    def profiles(self, wanted: ProfileFilter, /) -> Sequence[ProfileHeader]: ...

    def profile(self, identity: str, /) -> ProfileState | None: ...

    def merged(self, wanted: ProfileFilter, /) -> StoredProfile | None: ...

    def start(self, asked: ProfileRequest, /) -> ProfileState:
        """Raises NotStarted."""
        ...


class NoProfiles:
    """Where there are none, and none can be taken."""

    def profiles(self, wanted: ProfileFilter, /) -> Sequence[ProfileHeader]:
        return ()

    def profile(self, identity: str, /) -> ProfileState | None:
        return None

    def merged(self, wanted: ProfileFilter, /) -> StoredProfile | None:
        return None

    def start(self, asked: ProfileRequest, /) -> ProfileState:
        raise NotStarted("off", "profiling is off here", "ask an agent that runs with its sidecar")


class KeptProfiles:
    """The profiles of a store, and those that are being taken."""

    def __init__(self, reader: StoreReader, starter: ProfileStarter | None = None) -> None:
        """Without a `starter` none can be asked for."""
        self._reader = reader
        self._starter = starter

    def profiles(self, wanted: ProfileFilter, /) -> Sequence[ProfileHeader]:
        return self._reader.profiles(
            service=wanted.service, pid=wanted.pid, kind=wanted.kind, start=wanted.start, end=wanted.end,
            limit=wanted.limit,
        )  # fmt: skip

    def profile(self, identity: str, /) -> ProfileState | None:
        state = self._starter.state(identity) if self._starter is not None else None
        if state is not None and (state.state != "done" or state.profile is not None):
            return state
        kept = self._reader.profile(identity)
        if kept is None or state is None:
            return None if kept is None else _done(kept)
        return msgspec.structs.replace(state, profile=kept)

    def merged(self, wanted: ProfileFilter, /) -> StoredProfile | None:
        return self._reader.merged(service=wanted.service, start=wanted.start, end=wanted.end)

    def start(self, asked: ProfileRequest, /) -> ProfileState:
        if self._starter is None:
            return NoProfiles().start(asked)
        return self._starter.start(asked)


def _done(kept: StoredProfile) -> ProfileState:
    return ProfileState(
        id=kept.id,
        state="done",
        target=str(kept.pid) if kept.pid else kept.service,
        at_unix_seconds=kept.at_unix_seconds,
        seconds=kept.seconds,
        profile=kept,
    )
