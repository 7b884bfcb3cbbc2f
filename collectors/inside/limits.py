"""Which limits does a process's own container have, as seen from inside it?"""

import os
import re
import stat

from collectors.facts import Limits
from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, reopen

_CGROUP = (b"sys", b"fs", b"cgroup")
_CPU_V1 = (b"cpu", b"cpu,cpuacct", b"cpuacct,cpu")
_FILE_BYTES = 4096
_CPUS = re.compile(r"[0-9]+(?:[-,][0-9]+)*+")
_DIGITS_LIMIT = 18
_UNLIMITED_BYTES = 1 << 60
"""Version 1 writes "no limit" as the highest multiple of the page size."""


def limits(folder: ProcessFolder) -> Limits:
    """Limits of the cgroup tree mounted in the process's root, version 2 or 1; none stated where that is the tree that we
    see ourselves, which the cgroup collector reads by path. Raises OSError if the root cannot be entered."""
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
        return _version_1(tree) or _version_2(tree)
    finally:
        os.close(tree)


def _version_2(tree: int) -> Limits:
    return Limits(
        cpu_quota_cores=_quota(_read(tree, b"cpu.max")),
        memory_max_bytes=_bytes(_read(tree, b"memory.max")),
        cpuset=_cpus(_read(tree, b"cpuset.cpus.effective")),
    )


def _version_1(tree: int) -> Limits | None:
    """None where none of the hierarchies is mounted: a folder without these files may be a cgroup of version 2."""
    folder = next((each for each in _CPU_V1 if _read(tree, each, b"cpu.cfs_period_us")), _CPU_V1[0])
    quota, period = _read(tree, folder, b"cpu.cfs_quota_us"), _read(tree, folder, b"cpu.cfs_period_us")
    memory = _read(tree, b"memory", b"memory.limit_in_bytes")
    cpuset = _read(tree, b"cpuset", b"cpuset.effective_cpus") or _read(tree, b"cpuset", b"cpuset.cpus")
    if quota is None and memory is None and cpuset is None:
        return None
    return Limits(cpu_quota_cores=_quota(f"{quota} {period}"), memory_max_bytes=_bytes(memory), cpuset=_cpus(cpuset))


def _same_as_ours(tree: int, ours: str) -> bool:
    try:
        return os.path.samestat(os.fstat(tree), os.stat(ours))
    except OSError:
        return False


def _read(tree: int, *parts: bytes) -> str | None:
    try:
        path = open_inside(tree, parts)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(path).st_mode):
            return None
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
    if not all(part.isdecimal() and len(part) <= _DIGITS_LIMIT and int(part) for part in (quota, period)):
        return None
    return int(quota) / int(period)


def _bytes(text: str | None) -> int | None:
    value = int(text) if text and text.isdecimal() else None
    return value if value is not None and value < _UNLIMITED_BYTES else None


def _cpus(text: str | None) -> str | None:
    """`0-3,8`. The process may have made the tree itself, so another text is not told: it could be of any file."""
    return text if text and _CPUS.fullmatch(text) else None
