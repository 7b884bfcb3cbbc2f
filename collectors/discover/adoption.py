"""Has a process lost the one that started it?

The kernel gives the children of a process that ends to the nearest reaper: pid 1 of their pid namespace, or an ancestor
that asked for them, as `systemd --user` and a container's shim do.
"""

from os.path import basename

from collectors.command_line import is_python, parse_command
from collectors.discover.process_table import SHELLS
from collectors.entities import Process

_SPAWN = "multiprocessing.spawn import spawn_main"
_REAPERS = SHELLS | {
    "systemd",
    "init",
    "docker-init",
    "catatonit",
    "conmon",
    "containerd-shim",
    "s6-svscan",
    "runit",
    "runsvdir",
}
"""Names, cut to 15 bytes, of what takes orphans in, and of shells, which start servers but never one of their workers."""


def is_spawned(process: Process) -> bool:
    """Whether multiprocessing spawned it: only a Python program starts such a process, and it does not say which."""
    return _SPAWN in parse_command(process.argv).code


def is_handed(process: Process) -> bool:
    """Whether it was handed its listening socket (`--fd 3`, `fd://3`): whoever opened it may have started several."""
    return any(item == "--fd" or item.startswith("--fd=") or "fd://" in item for item in process.argv)


def adopted(process: Process, parent: Process | None) -> bool:
    """Whether the parent cannot be what started this worker, so that it took it in. False where that cannot be told:
    the parent is not visible, or is a Python program as pid 1 of a container, which may have given itself a title."""
    if parent is None:
        return process.ppid == 1
    if _runs_python(parent):
        return False
    return parent.comm in _REAPERS or (process.ppid == 1 and not _has_title(parent))


def _runs_python(process: Process) -> bool:
    return is_python(basename("".join(process.argv[:1]))) or is_python(process.comm)


def _has_title(process: Process) -> bool:
    """Whether its command line may be a title that replaced that of an interpreter: it is one item and no plain path."""
    line = "".join(process.argv)
    return len(process.argv) < 2 and (not line.startswith("/") or " " in line or ":" in line)
