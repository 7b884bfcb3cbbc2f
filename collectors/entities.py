"""The things that samples are about: processes, workers, services, models."""

from enum import StrEnum
from functools import cached_property
from typing import Literal

import msgspec

from collectors.containers.container import Container
from collectors.model_file import ModelFile

Calls = Literal["synchronous", "asynchronous"]
"""How a server calls a model's code: a call that blocks its thread, or a coroutine of an event loop."""


class WorkerKey(msgspec.Struct, frozen=True, order=True):
    """A process that no reused pid can be taken for: `started` is field 22 of /proc/PID/stat, in clock ticks."""

    pid: int
    started: int

    @property
    def entity(self) -> str:
        return f"worker:{self.pid}:{self.started}"


class Role(StrEnum):
    """What a process does for its service."""

    FRONT_END = "front-end"
    WORKER = "worker"
    GATEWAY = "gateway"
    SUPPORT = "support"


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process as any user may see it. `argv` is as read (a title set by setproctitle is one item, padding removed);
    it may hold secrets and is redacted before it is stored or shown."""

    key: WorkerKey
    ppid: int
    uid: int | None
    comm: str
    argv: tuple[str, ...]
    cgroups: tuple[tuple[str, str], ...] = ()
    """(controllers, path) lines of /proc/PID/cgroup: `("cpu,cpuacct", "/a")` on v1, `("", "/a")` on v2."""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that belongs to a service."""

    process: Process
    role: Role
    framework: str
    service: str
    """Name of the service."""
    slot: int
    """Position among the service's workers, oldest first: a bounded label where a pid would not be."""
    compute_libraries: tuple[str, ...] | None = None
    """Kinds of mapped libraries that own thread pools (`openblas`, `libgomp`, …); None = not readable."""
    drivers: tuple[str, ...] | None = None
    """Kinds of mapped drivers of GPUs (`cuda`, `rocm`), which a process has once it uses one; None = not readable."""
    devices: tuple[str, ...] = ()
    """Device files of accelerators that it has open, as /dev/nvidia0; empty also where nobody could look."""
    request_threads: int | None = None
    """Python threads that the server starts for requests in this worker; None = unknown, 1 = the main thread alone."""

    @property
    def key(self) -> WorkerKey:
        return self.process.key

    @property
    def pid(self) -> int:
        return self.process.key.pid


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model that a service holds. `version` None = not stated; `path` as configured, `format` as the server states
    it; `files` are those of its files whose headers were read."""

    name: str
    version: str | None = None
    runtime: str | None = None
    path: str | None = None
    format: str | None = None
    files: tuple[ModelFile, ...] = ()
    instances: int | None = None
    """Copies of it inside a process that take requests at the same time; None = not known."""

    @property
    def size_bytes(self) -> int | None:
        """Size of its files; None where none was seen."""
        return sum(one.size_bytes for one in self.files) if self.files else None

    @property
    def parameters(self) -> int | None:
        """Parameters that the headers state; None if none does."""
        found = [one.parameters for one in self.files if one.parameters is not None]
        return sum(found) if found else None


class Service(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A front-end and its workers: the unit of most advice.

    `name` is stable over restarts: framework, application or model folder, and port. `id` also covers the owning unit
    or pod (without its hash suffix); acknowledgements, baselines and the ledger hang on it.
    """

    id: str
    name: str
    framework: str
    application: str
    port: int | None
    owner: str | None
    """Unit or pod that owns the processes, hash suffix cut; None = bare processes."""
    manager: str
    workers: tuple[Worker, ...]
    models: tuple[Model, ...] = ()
    metrics_urls: tuple[str, ...] = ()
    """Where its metrics page may be, the likeliest first."""
    calls: Calls | None = None
    chains: tuple[tuple[str, ...], ...] = ()
    """Pipelines, each as the names of its models in order."""
    sets: tuple[tuple[str, str | None], ...] = ()
    """Variables that the server itself sets for its workers after their start; None = to a value that is not visible,
    unless it was set at start."""
    container: Container | None = None
    orphaned: bool = False
    """Its front-end is gone and its workers are still there."""
    orphaned_ns: int | None = None
    """Since when they are seen without it, at the latest, on the monotonic clock; None = they have it."""
    started: int
    """Start of the oldest process, in clock ticks."""

    @cached_property
    def serving(self) -> tuple[Worker, ...]:
        """The processes that run models: the workers, or the front-end where there is no other."""
        workers = tuple(w for w in self.workers if w.role is Role.WORKER)
        return workers or tuple(w for w in self.workers if w.role is Role.FRONT_END)

    @property
    def front_end(self) -> Worker | None:
        return next((w for w in self.workers if w.role is Role.FRONT_END), None)

    @property
    def metrics_url(self) -> str | None:
        return next(iter(self.metrics_urls), None)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(w.pid for w in self.workers)


def service_id(framework: str, application: str, owner: str | None, port: int | None) -> str:
    """A short stable name for the identity of a service."""
    from hashlib import blake2b  # it loads OpenSSL: 4 MB, which the sidecar can do without

    text = "\x1f".join((framework, application, owner or "", str(port or "")))
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
