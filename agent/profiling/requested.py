"""One profile that somebody asked for: of one process, or of every worker of a service, as one result."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from agent.profiling.keeping import Whose, new_id, stored
from agent.profiling.merge import merge
from agent.profiling.profiler import Take
from agent.profiling.stored import StoredProfile
from collectors.profiles.profile import Missing, Profile, ProfileSpec

AT_ONCE = 2
"""Processes of a service that are looked into at the same time."""


def take_requested(
    whose: Sequence[Whose], spec: ProfileSpec, take: Take, end: threading.Event, name: str | None = None
) -> tuple[StoredProfile | Missing, list[Profile]]:
    """The profiles of these processes as one, and each as it was taken; the first reason why not where none could be
    taken. Blocks for `spec.seconds`, as often as `AT_ONCE` of them follow each other."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="requested") as pool:
        results = list(pool.map(lambda one: take(one.key, spec, end), whose))
    taken = [(one, result) for one, result in zip(whose, results, strict=True) if isinstance(result, Profile)]
    if not taken:
        no = next((result for result in results if isinstance(result, Missing)), None)
        return no or Missing("python", "there is no process to profile", "name a pid or a running service"), []
    profiles = [_stored(one, profile, name or new_id()) for one, profile in taken]
    whole = profiles[0] if len(profiles) == 1 else merge(profiles, name or new_id())
    failed = [f"{result.reason} ({result.hint})" for result in results if isinstance(result, Missing)]
    whole = msgspec.structs.replace(whole, notes=(*whole.notes, *failed), reason="requested", kind="request")
    return whole, [profile for _, profile in taken]


def _stored(whose: Whose, profile: Profile, name: str) -> StoredProfile:
    table = load_table()
    return stored(
        profile, table, whose, kind="request", reason="requested", digest=digest(profile, table), name=name
    )  # fmt: skip
