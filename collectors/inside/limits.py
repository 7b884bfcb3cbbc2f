"""Which limits does a process's own container have, as seen from inside it?"""

import os

from collectors.facts import Limits
from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, reopen

_CGROUP = (b"sys", b"fs", b"cgroup")
_FILE_BYTES = 4096


def limits(folder: ProcessFolder) -> Limits:
    """Limits of the cgroup v2 tree mounted in the process's root; none stated where that is the tree that we see
    ourselves, which the cgroup collector reads by path. Raises OSError if the root cannot be entered."""
    root = folder.open("root", os.O_PATH | os.O_DIRECTORY)
    try:
        tree = open_inside(root, _CGROUP)
    except (FileNotFoundError, NotADirectoryError):
        return Limits()
    finally:
        os.close(root)
    try:
        if _same_as_ours(tree, folder.host.cgroup):
            return Limits()
        return Limits(
            cpu_quota_cores=_quota(_read(tree, b"cpu.max")),
            memory_max_bytes=_bytes(_read(tree, b"memory.max")),
            cpuset=_read(tree, b"cpuset.cpus.effective"),
        )
    finally:
        os.close(tree)


def _same_as_ours(tree: int, ours: str) -> bool:
    try:
        return os.path.samestat(os.fstat(tree), os.stat(ours))
    except OSError:
        return False


def _read(tree: int, name: bytes) -> str | None:
    try:
        path = open_inside(tree, (name,))
    except OSError:
        return None
    try:
        descriptor = reopen(path, 0)
    except OSError:
        return None
    finally:
        os.close(path)
    try:
        return os.read(descriptor, _FILE_BYTES).decode("ascii", "replace").strip() or None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _quota(text: str | None) -> float | None:
    """`150000 100000` is 1.5 cores; `max 100000` no limit."""
    quota, _, period = (text or "").partition(" ")
    if not (quota.isdecimal() and period.isdecimal() and int(period)):
        return None
    return int(quota) / int(period)


def _bytes(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
