"""How is a second writer of the same database refused?"""

import fcntl
import os
from pathlib import Path

from agent.store.errors import AlreadyRunning


class WriterLock:
    """An exclusive flock on `STATE.lock`, which holds the owner's pid. The kernel frees it when the process ends.

    The file stays: unlinking it would let two processes hold locks on two files of that name.
    """

    def __init__(self, state_path: Path) -> None:
        """Raises AlreadyRunning, or OSError as open(2) does."""
        path = f"{state_path}.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(self._descriptor, 32, 0).strip()
            os.close(self._descriptor)
            raise AlreadyRunning(state_path, int(text) if text.isdigit() else None) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
