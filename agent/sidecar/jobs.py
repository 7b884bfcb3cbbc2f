"""How does the sidecar profile some processes while it goes on answering?

Each profile is taken in a thread of its own, few at a time; its result waits, as pieces of JSON that fit into a frame,
until it is fetched or too old.
"""

import ctypes
import logging
import os
import threading
import time
from collections.abc import Collection

import msgspec

from agent.framing import FRAME_LIMIT_BYTES
from agent.sidecar.protocol import ProfilePart, ProfilePending, ProfileStarted, Refusal
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.native.symbol_cache import SymbolCache
from collectors.profiles.profile import Missing, Profile, ProfileSpec
from collectors.profiles.take import LONGEST_SECONDS, take_profile

log = logging.getLogger("nodewright.sidecar")

RUNNING_LIMIT = 2
LATE_SECONDS = 30.0
"""A profile that takes so much longer than was asked for hangs in the kernel, as on a file system that does not answer. It
no longer keeps others out."""
HANGING_LIMIT = 4
ABANDONED_SECONDS = 10.0
"""A profile for which nobody asked so long ends with what was seen."""
KEPT_SECONDS = 60.0
KEPT_LIMIT = 8
PART_BYTES = FRAME_LIMIT_BYTES // 2
"""Bytes travel as base64, which makes four of three."""


class _Stop(threading.Event):
    """Set, or nobody has asked how far it is for a while: whom it is for is gone, and may have gone without a word."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_at = time.monotonic()

    def is_set(self) -> bool:
        return super().is_set() or time.monotonic() - self.asked_at > ABANDONED_SECONDS


class _Job:
    def __init__(self, key: WorkerKey, seconds: float) -> None:
        self.key = key
        self.late_at = time.monotonic() + seconds + LATE_SECONDS
        self.stop = _Stop()
        self.thread: threading.Thread | None = None
        self.parts: tuple[bytes, ...] | None = None
        self.refusal: Refusal | None = None
        self.ended_at: float | None = None


class ProfileJobs:
    """The profiles that are being taken and those that wait to be fetched. Used by the sidecar's one serving thread."""

    def __init__(self, host: Host, calls: Collection[str] | None = None) -> None:
        """`calls`: functions to look for on source lines; None = those of the table of classes, read at the first use."""
        self._host = host
        self._calls = calls
        self._symbols = SymbolCache()
        self._jobs: dict[str, _Job] = {}
        self._count = 0
        self._prefix = os.urandom(4).hex()
        """Names of an earlier sidecar mean nothing to this one."""

    def start(self, key: WorkerKey, spec: ProfileSpec) -> ProfileStarted | Refusal:
        """Begin, unless too many run or this process is being profiled already."""
        self._forget_old()
        running = [job for job in self._jobs.values() if job.ended_at is None]
        hanging = [job for job in running if time.monotonic() > job.late_at]
        if any(job.key == key for job in running):
            return _refused("profile.busy", f"pid {key.pid} is being profiled", "ask again when that is done")
        if len(hanging) >= HANGING_LIMIT:
            return _refused("profile.hanging", f"{len(hanging)} profiles do not end", "restart the sidecar")
        if len(running) - len(hanging) >= RUNNING_LIMIT:
            return _refused("profile.busy", f"{len(running)} profiles are being taken", "ask again in a few seconds")
        if not 0 <= spec.seconds <= LONGEST_SECONDS or not 1 <= spec.hertz <= 1000:
            hint = f"0 to {LONGEST_SECONDS:g} seconds at 1 to 1000 looks a second"
            return _refused("profile.out-of-range", f"{spec.seconds:g} s at {spec.hertz} Hz", hint)
        self._count += 1
        name, job = f"{self._prefix}-{self._count}", _Job(key, spec.seconds)
        job.thread = threading.Thread(target=self._run, args=(job, spec), name=f"profile-{name}", daemon=True)
        self._jobs[name] = job
        job.thread.start()
        return ProfileStarted(name)

    def poll(self, name: str, part: int, *, end: bool) -> ProfilePending | ProfilePart | Refusal:
        job = self._jobs.get(name)
        if job is None:
            return _refused("profile.unknown", f"there is no profile {name}", "ask for a new one")
        job.stop.asked_at = time.monotonic()
        if end:
            job.stop.set()
        if job.ended_at is None:
            return ProfilePending(name)
        if job.refusal is not None:
            del self._jobs[name]
            return job.refusal
        parts = job.parts or (b"",)
        if not 0 <= part < len(parts):
            return _refused("profile.unknown", f"profile {name} has {len(parts)} parts", "ask for a new one")
        if part == len(parts) - 1:
            del self._jobs[name]
        return ProfilePart(id=name, part=part, parts=len(parts), data=parts[part])

    def close(self) -> None:
        """End all that run, with their children."""
        for job in self._jobs.values():
            job.stop.set()
        until = time.monotonic() + 3.0
        for job in self._jobs.values():
            if job.thread is not None:
                job.thread.join(max(0.0, until - time.monotonic()))

    def _run(self, job: _Job, spec: ProfileSpec) -> None:
        try:
            result = take_profile(self._host, job.key, spec, self._known_calls(), job.stop, self._symbols)
            if isinstance(result, Missing):
                job.refusal = _refused("profile.impossible", result.reason, result.hint)
            else:
                job.parts = _parts(result)
        except Exception:  # one profile's fault must not end the sidecar
            log.exception("a profile could not be taken")
            job.refusal = _refused("sidecar.fault", "the sidecar failed on this profile", "see its log")
        finally:
            job.ended_at = time.monotonic()
            _give_memory_back()

    def _known_calls(self) -> Collection[str]:
        if self._calls is None:
            from advisor.profiling.table import load_table

            self._calls = load_table().calls
        return self._calls

    def _forget_old(self) -> None:
        ended = sorted((job.ended_at, name) for name, job in self._jobs.items() if job.ended_at is not None)
        old = [name for at, name in ended if time.monotonic() - at > KEPT_SECONDS]
        for name in {*old, *(name for _, name in ended[: max(0, len(ended) - KEPT_LIMIT)])}:
            del self._jobs[name]


def _parts(profile: Profile) -> tuple[bytes, ...]:
    body = msgspec.json.encode(profile)
    return tuple(body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES))


def _refused(key: str, message: str, hint: str) -> Refusal:
    return Refusal(key=key, message=message, hint=hint)


def _give_memory_back() -> None:
    """What a profile took stays with the allocator otherwise; musl has no such call."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        pass
