"""How does the service manager learn that we are ready, re-read our settings, and are still alive? sd_notify(3).

Datagrams to the socket that `$NOTIFY_SOCKET` names. Without one (a terminal, a container) nothing is sent.
"""

import os
import socket
import time
from collections.abc import MutableMapping

_FEW = 3
"""Signs of life in the time after which a missing one counts as death."""


class ServiceManager:
    """What the manager asked for in `environ`, which is taken out of it: no child of ours speaks for us."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        for_us = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.pop("WATCHDOG_USEC", "")
        wanted = self._address is not None and for_us and microseconds.isdecimal()
        self.longest_seconds = int(microseconds) * 1e-6 or None if wanted else None
        """Silence after which the manager ends us; None where it does not watch."""

    @property
    def beat_seconds(self) -> float | None:
        """How often to call `alive`."""
        return None if self.longest_seconds is None else self.longest_seconds / _FEW

    def ready(self, status: str) -> None:
        """What was asked for is done: we have started, or settings are re-read."""
        self._tell("READY=1", f"STATUS={' '.join(status.split())}")

    def reloading(self) -> None:
        """Settings are being re-read, until `ready`."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def alive(self) -> None:
        if self.longest_seconds is not None:
            self._tell("WATCHDOG=1")

    def _tell(self, *states: str) -> None:
        """A manager that does not listen is no reason to stop."""
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
                stream.setblocking(False)
                stream.sendto("\n".join(states).encode(), self._address)
        except OSError:
            pass


def _address(name: str) -> str | None:
    """`@` begins an abstract address; a host that is no path (vsock) is not for us."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None
