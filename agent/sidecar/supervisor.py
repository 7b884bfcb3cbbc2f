"""Who starts the sidecar, notices that it died, starts it again and ends it with the agent?"""

import errno
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Sequence
from typing import Literal

from agent.child_process import KILLED_SECONDS, Backoff, spawn
from agent.sidecar.client import DEADLINE_SECONDS, SidecarClient

SidecarState = Literal["running", "off", "restarting", "missing"]
"""`missing`: there should be one, but nothing listens at the socket or the command cannot be started."""


class SidecarProcess:
    """The sidecar at `socket_path` if one is there when we start, else a child run by `command` with `--fd N` added.

    A child ends by itself when its end of the pair closes, so none outlives an agent that is killed. Ask through
    `client`; a child that the client gave up on (no answer in time) is killed and started anew.
    """

    def __init__(self, command: Sequence[str] | None, socket_path: str | None) -> None:
        self._command = command
        self._socket_path = socket_path
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._state: SidecarState = "off"
        self._remote = False
        self._watcher: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._unclaimed: socket.socket | None = None
        self.client = SidecarClient(self._connect)

    @property
    def state(self) -> SidecarState:
        if self._remote and not _is_socket(self._socket_path):
            return "missing"
        return self._state

    @property
    def pid(self) -> int | None:
        """The child's pid; None if there is no child now."""
        process = self._process
        return process.pid if process is not None else None

    def start(self) -> None:
        """Begin. A child is started when this returns; the first question waits until it is ready."""
        if _is_socket(self._socket_path):
            self._remote = True
            self._state = "running"
        elif self._command is not None:
            self._watcher = threading.Thread(target=self._watch, name="sidecar-watch", daemon=True)
            self._watcher.start()
            self._begun.wait()
        elif self._socket_path is not None:
            self._remote = True
            self._state = "missing"

    def stop(self, deadline_seconds: float) -> None:
        """End the child: SIGTERM, after `deadline_seconds` SIGKILL. A sidecar that runs on its own is left alone."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.terminate()
        if self._watcher is not None:
            self._watcher.join(deadline_seconds)
            if process is not None and self._watcher.is_alive():
                process.kill()
            self._watcher.join(KILLED_SECONDS)
        self.client.close()
        self._state = "off"

    def _watch(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            backoff.began()
            self._run_once()
            self._stopping.wait(backoff.ended())

    def _run_once(self) -> None:
        """Start a child and wait until it ends."""
        with self._lock:
            if self._stopping.is_set():
                return
            process = self._process = self._spawn()
            self._state = "running" if process is not None else "missing"
            self._begun.set()
        if process is None:
            return
        process.wait()
        with self._lock:
            self._process = None
            self._state = "restarting"
            if self._unclaimed is not None:
                self._unclaimed.close()
                self._unclaimed = None

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """A new child and our end of the pair in `_unclaimed`; None if the command cannot be started."""
        started = spawn(self._command or ())
        if started is None:
            return None
        process, self._unclaimed = started
        return process

    def _connect(self) -> socket.socket:
        """A connection for the client. Raises OSError where there is none now."""
        if self._remote:
            return self._connect_remote()
        with self._lock:
            stream, self._unclaimed = self._unclaimed, None
            if stream is not None:
                return stream
            if self._process is not None:  # the client dropped its only connection: this child is of no more use
                self._process.kill()
            why = "it is being restarted" if self._watcher is not None else "it is not running"
            raise ConnectionRefusedError(errno.ECONNREFUSED, why)

    def _connect_remote(self) -> socket.socket:
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            stream.settimeout(DEADLINE_SECONDS)
            stream.connect(self._socket_path or "")
        except OSError:
            stream.close()
            self._state = "missing"
            raise
        self._state = "running"
        return stream


def _is_socket(path: str | None) -> bool:
    try:
        return path is not None and stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
