"""One profile that somebody asked for: of one process, or of every worker of a service, as one result."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from advisor.profiling.digest import digest
from advisor.profiling.stored import StoredProfile
from advisor.profiling.table import load_table
from agent.profiling.keeping import Whose, new_id, stored
from agent.profiling.merge import merge
from agent.profiling.profiler import Take
from collectors.profiles.profile import Missing, Profile, ProfileSpec

AT_ONCE = 2
"""Processes of a service that are looked into at the same time."""
ENDED = Missing("python", "it was ended before the turn of every process", "ask again")


def take_requested(
    whose: Sequence[Whose], spec: ProfileSpec, take: Take, end: threading.Event, name: str | None = None
) -> tuple[StoredProfile | Missing, list[Profile]]:
    """The profiles of these processes as one, and each as it was taken; the first reason why not where none could be
    taken. Blocks for `spec.seconds`, as often as `AT_ONCE` of them follow each other; once `end` is set none begins."""

    def one_of(one: Whose) -> Profile | Missing:
        return ENDED if end.is_set() else take(one.key, spec, end)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="requested") as pool:
        results = list(pool.map(one_of, whose))
    taken = [(one, result) for one, result in zip(whose, results, strict=True) if isinstance(result, Profile)]
    if not taken:
        no = next((result for result in results if isinstance(result, Missing)), None)
        return no or Missing("python", "there is no process to profile", "name a pid or a running service"), []
    profiles = [_stored(one, profile, name or new_id()) for one, profile in taken]
    whole = profiles[0] if len(profiles) == 1 else merge(profiles, name or new_id())
    failed = [f"{result.reason} ({result.hint})" for result in results if isinstance(result, Missing)]
    notes = (*whole.notes, *dict.fromkeys(failed))
    whole = msgspec.structs.replace(whole, notes=notes, reason="requested", kind="request")
    return whole, [profile for _, profile in taken]


def _stored(whose: Whose, profile: Profile, name: str) -> StoredProfile:
    table = load_table()
    return stored(
        profile, table, whose, kind="request", reason="requested", digest=digest(profile, table), name=name
    )  # fmt: skip
