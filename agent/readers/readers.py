"""All reader processes of the agent: which there are, what they brought, and what they cost."""

import time
from collections.abc import Callable, Sequence

from advisor.documents import ReaderStatus
from agent.child_process import cost_of
from agent.readers.reader import FIRST_SECONDS, Reader
from collectors.collector import Collector
from collectors.host import Host
from collectors.reading import Reading


class Readers:
    """A reader for each process name among `collectors`. `always`: names that are started although nothing seems to be
    there; `never`: names that are left out."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        host: Host,
        always: Sequence[str] = (),
        never: Sequence[str] = (),
    ) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called in a thread of a reader when its state has changed."""
        groups: dict[str, list[Collector]] = {}
        for collector in collectors:
            if collector.process is not None and collector.process not in never:
                groups.setdefault(collector.process, []).append(collector)
        self._readers = [
            Reader(name, own, host, always=name in always, on_change=self._changed) for name, own in groups.items()
        ]

    def _changed(self) -> None:
        self.on_change()

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def end(self) -> None:
        """Begin to stop all of them."""
        for reader in self._readers:
            reader.end()

    def stop(self, timeout_seconds: float) -> None:
        self.end()
        until = time.monotonic() + timeout_seconds
        for reader in self._readers:
            reader.stop(max(0.0, until - time.monotonic()))

    def readings(self) -> list[Reading]:
        """Readings since the last call."""
        return [reading for reader in self._readers for reading in reader.readings()]

    def status(self) -> tuple[ReaderStatus, ...]:
        return tuple(_status(reader) for reader in self._readers)


def first_readings(collectors: Sequence[Collector], host: Host) -> dict[str, Reading]:
    """One reading of each collector, by name; where its process has said nothing in time, what is said for it."""
    readers = Readers(collectors, host)
    found: dict[str, Reading] = {}
    until = time.monotonic() + FIRST_SECONDS + 1.0
    readers.start()
    try:
        while len(found) < len(collectors) and time.monotonic() < until:
            found.update((reading.collector, reading) for reading in readers.readings())
            time.sleep(0.02)
    finally:
        readers.stop(1.0)
    return found


def _status(reader: Reader) -> ReaderStatus:
    health, now = reader.health, time.monotonic()
    pid, answered = health.pid, health.answered
    cpu, resident = (None, None) if pid is None else cost_of(pid)
    return ReaderStatus(
        name=reader.name,
        state=health.state,
        detail=health.detail,
        since_seconds=round(now - health.since, 3),
        heartbeat_seconds=None if answered is None or pid is None else round(now - answered, 3),
        restarts=health.restarts,
        cpu_seconds=cpu,
        resident_bytes=resident,
    )
