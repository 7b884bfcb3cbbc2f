"""How much CPU time may a process take that shares its quota with the agent?

Under a quota (of a container, of a unit) whoever uses it up stops the others with it: no priority helps against that.
"""

import os
import time
from pathlib import Path

SHARE = 0.5
"""Of the quota."""


class Pace:
    """Sleeps where more than `cores` were used since it was made."""

    def __init__(self, cores: float | None) -> None:
        """`cores` None: as much as there is."""
        self._cores = cores
        self._began, self._cpu = time.monotonic(), time.process_time()

    @classmethod
    def here(cls) -> "Pace":
        """As the quota of this process's cgroup and of those above it allows."""
        quota = quota_cores(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
        return cls(None if quota is None or quota > (os.cpu_count() or 1) else SHARE * quota)

    def keep(self) -> None:
        if self._cores is not None:
            due = (time.process_time() - self._cpu) / self._cores - (time.monotonic() - self._began)
            if due > 0:
                time.sleep(due)


def quota_cores(membership: Path, root: Path) -> float | None:
    """The tightest CPU quota, in cores, of the cgroups that `membership` names and of those above them; None without one, and
    where it cannot be read."""
    found = []
    for line in _text(membership).splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "" or "cpu" in controllers.split(","):
            base = root / controllers if controllers else root
            inner = Path(path.lstrip("/"))
            found += [_quota(base / folder) for folder in (inner, *inner.parents)]
    return min((quota for quota in found if quota is not None), default=None)


def _quota(folder: Path) -> float | None:
    version_2 = _text(folder / "cpu.max").split()
    words = version_2 or [*_text(folder / "cpu.cfs_quota_us").split(), *_text(folder / "cpu.cfs_period_us").split()]
    try:
        quota, period = (float(word) for word in words)
    except ValueError:  # `max`, or nothing there
        return None
    return quota / period if quota > 0 and period > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
