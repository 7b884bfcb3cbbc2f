"""What can be learned by looking inside a process, each part on its own: read, or why not.

These are the answers of the sidecar's verb `facts(pid)`. Nothing secret is in them: the environment is cut to an
allow-list, settings files to the keys that a framework asks for, before they leave the reader.
"""

import msgspec

from collectors.entities import WorkerKey
from collectors.reading import Unsupported


class Environ(msgspec.Struct, frozen=True, tag="environ"):
    """The allow-listed part of the *initial* environment. A key that is absent was not set at start."""

    values: dict[str, str]


class Library(msgspec.Struct, frozen=True):
    """A mapped library that matters for advice. `kind`: openblas, mkl, blis, libgomp, libiomp, torch, onnxruntime, …"""

    kind: str
    path: str


class Listening(msgspec.Struct, frozen=True):
    """A TCP address on which the process holds a LISTEN socket."""

    address: str
    port: int
    inode: int


class SettingsFile(msgspec.Struct, frozen=True):
    """A server's settings file, cut to asked-for keys. `values` maps a dotted key to its JSON value; `present` False
    means that the file is not there, so that a default or the environment holds."""

    name: str
    path: str
    present: bool
    values: dict[str, bool | int | float | str | None] = {}


class Limits(msgspec.Struct, frozen=True, kw_only=True, tag="limits"):
    """Limits of the container as its own processes see them, read through /proc/PID/root/sys/fs/cgroup (cgroup v2).
    None = no limit or not stated there."""

    cpu_quota_cores: float | None = None
    memory_max_bytes: int | None = None
    cpuset: str | None = None


class ProcessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the inside of one process says. An erased environment (setproctitle) is Unsupported, not empty."""

    key: WorkerKey
    environ: Environ | Unsupported
    libraries: tuple[Library, ...] | Unsupported
    model_files: tuple[str, ...] | Unsupported
    cwd: str | Unsupported
    exe: str | Unsupported
    listening: tuple[Listening, ...] | Unsupported
    settings_files: tuple[SettingsFile, ...] = ()
    limits: Limits | Unsupported


def unreadable_facts(key: WorkerKey, reason: str, hint: str) -> ProcessFacts:
    """Facts of a process into which nobody could look."""
    no = Unsupported(reason, hint)
    return ProcessFacts(key=key, environ=no, libraries=no, model_files=no, cwd=no, exe=no, listening=no, limits=no)
