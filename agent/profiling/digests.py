"""The newest digest of each worker, as the view of its service that rules get."""

import threading
from collections.abc import Collection, Mapping

import msgspec

from advisor.profiling.asking import FRESH_SECONDS
from advisor.profiling.view import ProfileView, WorkerProfile
from collectors.entities import Service, WorkerKey
from collectors.profiles.profile import PARTS, Missing


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's profile, of which service and of which generation of its levers it is; `at` in monotonic seconds."""

    service: str
    generation: int
    at: float
    worker: WorkerProfile
    missing: tuple[Missing, ...]
    clients: bool = True
    """Whether anything showed that somebody asked while it was taken."""


class Digests:
    """Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[WorkerKey, Digest] = {}
        self._refused: dict[str, tuple[int, float, Missing]] = {}

    def refused(self, service: str, generation: int, missing: Missing, at: float) -> None:
        """No process of a service could be profiled, for this reason."""
        with self._lock:
            self._refused[service] = (generation, at, missing)

    def put(self, digest: Digest) -> None:
        with self._lock:
            self._newest[digest.worker.key] = digest

    def view(self, service: Service, generation: int, now: float) -> ProfileView | None:
        """The profiles of the service's present processes in its present configuration; None where there is none.

        Old ones are left out as long as there are newer: of many workers only some are looked into again.
        """
        keys = {w.key for w in service.workers}
        with self._lock:
            found = [d for d in self._newest.values() if d.worker.key in keys and d.generation == generation]
            refused = self._refused.get(service.id)
        if not found:
            return _nothing(refused, generation, now)
        found = [d for d in found if now - d.at <= FRESH_SECONDS] or [max(found, key=lambda d: d.at)]
        parts = set.intersection(*({m.part for m in d.missing} for d in found))
        missing = {m.part: m for d in found for m in d.missing if m.part in parts}
        return ProfileView(
            age_seconds=now - min(d.at for d in found),
            workers=tuple(d.worker for d in sorted(found, key=lambda d: (-d.worker.cores, d.worker.key.pid))),
            missing=tuple(missing.values()),
        )

    def taken_at(self, generations: Mapping[str, int], with_clients: Collection[str] = ()) -> dict[WorkerKey, float]:
        """When each process was profiled in its service's present configuration. What was taken when nobody seemed to
        ask does not count for services `with_clients` now."""
        with self._lock:
            return {
                key: d.at
                for key, d in self._newest.items()
                if generations.get(d.service, d.generation) == d.generation
                and (d.clients or d.service not in with_clients)
            }

    def keep_only(self, keys: frozenset[WorkerKey]) -> None:
        """Forget processes that are gone."""
        with self._lock:
            for key in [k for k in self._newest if k not in keys]:
                del self._newest[key]


def _nothing(refused: tuple[int, float, Missing] | None, generation: int, now: float) -> ProfileView | None:
    """A view without profiles that says why, part by part."""
    if refused is None or refused[0] != generation:
        return None
    _, at, no = refused
    parts = tuple(Missing(part, no.reason, no.hint) for part in PARTS)
    return ProfileView(age_seconds=now - at, workers=(), missing=parts)
