"""Which process belonged to which service before the agent was restarted? A small file beside the database says so.

It counts for the same boot and pid namespace only: elsewhere the same pid and start are another process.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from collectors.discover.remembered import Remembered
from collectors.discovery import Discovery
from collectors.entities import Service
from collectors.host import Host

log = logging.getLogger("nodewright.known_processes")

FILE = "processes.json"
SAVE_SECONDS = 60.0
LIMIT_BYTES = 4 << 20


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    boot: str
    processes: tuple[Remembered, ...]


class KnownProcesses:
    """The file of one agent. One thread uses it; `write` gets what is to be done on another, which may wait for a disk."""

    def __init__(self, folder: Path, host: Host) -> None:
        self._path = folder / FILE
        self._host = host
        self._boot = _boot(host)
        self._services: tuple[Service, ...] | None = None
        self._written_at: float | None = None

    def load(self) -> tuple[Remembered, ...]:
        """What was kept in this boot; nothing where there is no such file, or none that can be understood."""
        try:
            with open(self._path, "rb") as file:
                found = msgspec.json.decode(file.read(LIMIT_BYTES), type=_Document)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            log.warning("%s is not read, so orphans of before may go unnoticed: %s", self._path, error)
            return ()
        return found.processes if self._boot and found.boot == self._boot else ()

    def take(self, discovery: Discovery, write: Callable[[Callable[[], None]], object]) -> None:
        """Keep what discovery found if it is new, once a minute at most."""
        now = self._host.clock.now()
        seconds = now.mono_ns / 1e9
        early = self._written_at is not None and seconds - self._written_at < SAVE_SECONDS
        if early or discovery.waiting or discovery.services is self._services:
            return
        self._services, self._written_at = discovery.services, seconds
        processes = discovery.remember(now)
        write(lambda: self.save(processes))

    def finish(self, discovery: Discovery) -> None:
        """Keep what discovery found last, however new. Nothing else may use it any more."""
        if not discovery.waiting:
            self.save(discovery.remember(self._host.clock.now()))

    def save(self, processes: tuple[Remembered, ...]) -> None:
        """Replace the file as a whole. One that cannot be written is logged: it only helps after a restart."""
        if self._boot is None:
            return
        body = msgspec.json.encode(_Document(boot=self._boot, processes=processes))
        beside = self._path.with_name(f".{FILE}.{os.getpid()}")
        try:
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(body)
            os.replace(beside, self._path)
        except OSError as error:
            log.warning("%s: %s", self._path, os.strerror(error.errno or 0), extra={"once": "known processes"})
            with suppress(OSError):
                beside.unlink()


def _boot(host: Host) -> str | None:
    """What names this boot and this pid namespace; None where that is not readable."""
    try:
        boot = host.text(f"{host.proc}/sys/kernel/random/boot_id").strip()
        return f"{boot} {os.readlink(f'{host.proc}/self/ns/pid')}" if boot else None
    except OSError:
        return None
