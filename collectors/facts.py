"""What can be learned by looking inside a process, each part on its own: read, or why not.

These are the answers of the sidecar's verb `facts(pid)`. Nothing secret is in them: the environment is cut to an
allow-list, settings files to the keys that a framework asks for, before they leave the reader.
"""

from collections.abc import Mapping

import msgspec

from collectors.entities import WorkerKey
from collectors.model_file import ModelFile
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
    """A server's settings file, cut to asked-for keys. `values` maps a dotted key to its plain value; `present` False
    means that the file is not there, so that a default or the environment holds. `problem` says why a file that is
    there could not be understood in full (a configuration that computes its values): what is not in `values` is then
    unknown, not unset."""

    name: str
    path: str
    present: bool
    values: dict[str, bool | int | float | str | None] = {}
    problem: str | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True, tag="limits"):
    """Limits of the container as its own processes see them, read through /proc/PID/root/sys/fs/cgroup.
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
    models: tuple[ModelFile, ...] = ()
    """Headers of the model files that are mapped, open, or asked for."""
    devices: tuple[str, ...] = ()
    """Device files of GPUs and other accelerators that it has open, as /dev/nvidia0; empty also where nobody could look."""


Facts = Mapping[WorkerKey, ProcessFacts]


def unreadable_facts(key: WorkerKey, reason: str, hint: str) -> ProcessFacts:
    """Facts of a process into which nobody could look."""
    no = Unsupported(reason, hint)
    return ProcessFacts(key=key, environ=no, libraries=no, model_files=no, cwd=no, exe=no, listening=no, limits=no)
