"""Is the process in another pid namespace than we are, and how is it looked at then?

A profiler names threads as the process itself does. With CAP_SYS_ADMIN we enter the namespace, with a /proc of its own;
without, threads are told by the `NSpid` line of their status.
"""

import os
from collections.abc import Collection
from functools import cache

from collectors.inside.folder import ProcessFolder
from collectors.profiles.pthread_ids import kernel_ids

PTHREADS_LIMIT = 512
"""Names that are looked for in the process's memory: it is the process that says them."""
_CAP_SYS_ADMIN = 1 << 21
_TOOLS = ("/usr/bin/nsenter", "/usr/bin/unshare")


class PidSpace:
    """How the threads of one process are named in its own pid namespace. `foreign`: not ours."""

    def __init__(self, folder: ProcessFolder) -> None:
        self._folder = folder
        self.inner_pid = self._inner(None) or folder.key.pid
        self.foreign = len(self._numbers(None)) > 1
        self._known: dict[int, int] = {}
        self._pthreads: set[int] = set()

    def learn(self, names: Collection[int], tids: tuple[int, ...]) -> None:
        """All names of one look together: a pthread_t is told by what the others are not."""
        if self._known.keys() >= set(names):
            return
        inner = {found: tid for tid in tids if (found := self._inner(tid)) is not None} if self.foreign else {}
        numbers = inner or {tid: tid for tid in tids}
        self._known |= numbers
        unknown = sorted(set(names) - self._known.keys())
        if not unknown:
            return
        self._pthreads.update(unknown[: PTHREADS_LIMIT - len(self._pthreads)])
        found_ids = kernel_ids(self._folder, sorted(self._pthreads), numbers)
        self._known |= {pthread: numbers[number] for pthread, number in found_ids.items()}

    def outer(self, name: int) -> int | None:
        """Our number of the thread that a profiler calls `name`: its number in the process's own namespace, or its
        pthread_t, as far as it was learnt. None where no thread is called so."""
        return self._known.get(name)

    def enter(self) -> tuple[str, ...] | None:
        """The words before a command that make it run inside the namespace; None where we may not enter."""
        if not may_enter():
            return None
        return ("/usr/bin/nsenter", "-t", str(self._folder.key.pid), "-p", "/usr/bin/unshare", "-m", "--mount-proc")

    def _inner(self, tid: int | None) -> int | None:
        numbers = self._numbers(tid)
        return numbers[-1] if numbers else None

    def _numbers(self, tid: int | None) -> list[int]:
        """The line NSpid: the number in our namespace first, in the innermost last. Kernels before 4.1 have none."""
        name = "status" if tid is None else f"task/{tid}/status"
        try:
            _, found, rest = self._folder.read(name).partition(b"\nNSpid:")
        except OSError:
            return []
        return [int(number) for number in rest.partition(b"\n")[0].split()] if found else []


@cache
def may_enter() -> bool:
    """Whether this process holds CAP_SYS_ADMIN and util-linux is there."""
    try:
        with open("/proc/self/status", "rb") as status:
            _, _, rest = status.read().partition(b"\nCapEff:")
    except OSError:
        return False
    effective = int(rest.partition(b"\n")[0].strip() or b"0", 16)
    return bool(effective & _CAP_SYS_ADMIN) and all(os.access(tool, os.X_OK) for tool in _TOOLS)
