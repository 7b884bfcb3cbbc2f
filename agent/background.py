"""What may block runs here and not in the sampler: looking into processes, and asking servers for their metrics."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from collectors.collector import Collector
from collectors.discovery import Discovery
from collectors.entities import Process, Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Request
from collectors.host import Host
from collectors.reading import Reading
from collectors.runner import collect_one

log = logging.getLogger("nodewright.background")

FactsReader = Callable[[WorkerKey, Sequence[Request]], ProcessFacts]
Wanted = Iterable[tuple[Process, Sequence[Request]]]


class Background:
    """One thread with a queue of processes to look into and the collectors that run outside the sampler."""

    def __init__(
        self, host: Host, discovery: Discovery, read_facts: FactsReader, collectors: Sequence[Collector]
    ) -> None:
        self.services: tuple[Service, ...] = ()
        self._host = host
        self._discovery = discovery
        self._read_facts = read_facts
        self._collectors = [c for c in collectors if c.own_thread and c.process is None]
        self._due = dict.fromkeys((c.name for c in self._collectors), 0.0)
        self._queue: deque[tuple[Process, Sequence[Request]]] = deque()
        self._queued: set[WorkerKey] = set()
        self._done: deque[Reading] = deque(maxlen=64)
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._guarded, name="background", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        self._stop = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def wanted(self, entries: Wanted) -> None:
        """Processes whose facts are wanted; one that is queued already is not queued again."""
        added = False
        for process, requests in entries:
            if process.key not in self._queued:
                self._queued.add(process.key)
                self._queue.append((process, requests))
                added = True
        if added:
            self._wake.set()

    def readings(self) -> list[Reading]:
        """Readings finished since the last call."""
        found = []
        while self._done:
            found.append(self._done.popleft())
        return found

    def _guarded(self) -> None:
        """A fault of ours here costs what is inside processes and servers' metrics, not the sampling."""
        try:
            self._run()
        except Exception:
            log.exception("looking into processes failed; it goes on without")

    def _run(self) -> None:
        while not self._stop:
            self._look()
            next_due = self._collect()
            self._wake.wait(max(0.02, min(5.0, next_due - time.monotonic())))
            self._wake.clear()

    def _look(self) -> None:
        while self._queue and not self._stop:
            process, requests = self._queue.popleft()
            facts = self._read_facts(process.key, requests)
            self._queued.discard(process.key)
            self._discovery.learn(facts)

    def _collect(self) -> float:
        """Run what is due; the monotonic time at which the next is."""
        soonest = time.monotonic() + 5.0
        for collector in self._collectors:
            now = time.monotonic()
            if not self.services or self._stop:
                break
            if now >= self._due[collector.name]:
                self._done.append(collect_one(collector, self._host, self.services, time.monotonic_ns()))
                self._due[collector.name] = now + collector.cadence_seconds
            soonest = min(soonest, self._due[collector.name])
        return soonest
