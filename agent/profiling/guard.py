"""Does a service get slower while it is looked into? Then we stop, and leave it alone for a while."""

import threading

import msgspec

from agent.profiling.scene import ServiceScene

SLOWER = 1.5
SLOWER_SECONDS = 0.005
LONGER_QUEUE = 4.0
STEADY_SECONDS = 12
"""Seconds of load before the profile, without which nothing is known of how the service does by itself."""
FIRST_REST_SECONDS = 300.0
LAST_REST_SECONDS = 3600.0


class Rest(msgspec.Struct, frozen=True):
    """A service that is left alone until a monotonic time, and why."""

    until: float
    because: str
    seconds: float


class Guard:
    """Compares each service's latency and queue during a profile with what they were when it began. Any thread may call
    it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: dict[str, ServiceScene] = {}
        self._rests: dict[str, Rest] = {}
        self.count = 0
        """How often it stopped a profile."""

    def begin(self, scene: ServiceScene) -> None:
        with self._lock:
            self._before[scene.service.id] = scene

    def end(self, service: str) -> None:
        with self._lock:
            self._before.pop(service, None)

    def hurts(self, scene: ServiceScene, now: float) -> str | None:
        """Why the profile that runs must stop; None while all is well."""
        with self._lock:
            before = self._before.get(scene.service.id)
            because = None if before is None else _worse(before, scene)
            if because is not None:
                known = self._rests.get(scene.service.id)
                seconds = min(LAST_REST_SECONDS, 2 * known.seconds) if known else FIRST_REST_SECONDS
                self._rests[scene.service.id] = Rest(now + seconds, because, seconds)
                self.count += 1
                del self._before[scene.service.id]
            return because

    def rests(self, service: str, now: float) -> Rest | None:
        """Why a service is left alone now; None where it may be looked into."""
        rest = self._rests.get(service)
        return rest if rest is not None and now < rest.until else None

    def resting(self, now: float) -> dict[str, str]:
        with self._lock:
            return {service: rest.because for service, rest in self._rests.items() if now < rest.until}


def _worse(before: ServiceScene, now: ServiceScene) -> str | None:
    if before.loaded_seconds < STEADY_SECONDS:
        return None  # its load was only beginning: more of it is no fault of ours
    old, new = before.latency_seconds, now.latency_seconds
    if old is not None and new is not None and new > SLOWER * old and new > old + SLOWER_SECONDS:
        return f"its latency rose from {old * 1e3:.1f} to {new * 1e3:.1f} ms while it was profiled"
    if now.queue > SLOWER * before.queue + LONGER_QUEUE:
        return f"its queue grew from {before.queue:.0f} to {now.queue:.0f} while it was profiled"
    return None
