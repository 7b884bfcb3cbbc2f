"""Which services run on this node, and into which of their processes is a look wanted?

`scan` keeps the table of processes, lets the frameworks recognise them, and groups them into services. What is learnt
by looking inside arrives later and from another thread; a service is published once that is known, or after 3 s.
"""

from collections import deque
from collections.abc import Mapping, Sequence

from collectors.entities import Process, Service, WorkerKey
from collectors.fact_schedule import FactSchedule
from collectors.facts import ProcessFacts
from collectors.framework import Framework, SettingsRequest
from collectors.grouping import Group, Grouping, serves
from collectors.host import Host
from collectors.manager import Manager
from collectors.process_table import ProcessTable
from collectors.publisher import Publisher
from collectors.registry import all_frameworks, all_managers


class Discovery:
    """The services of one host. One thread calls `scan` and reads; `learn` may be called from any thread."""

    def __init__(
        self,
        frameworks: Sequence[Framework] | None = None,
        managers: Sequence[Manager] | None = None,
        patterns: Mapping[str, str] | None = None,
        metrics_urls: Mapping[str, str] | None = None,
    ) -> None:
        """`patterns`: name of a service -> regular expression on its front-end's joined command line. `metrics_urls`:
        name of a service -> its metrics page, where it is not the framework's own."""
        self.services: tuple[Service, ...] = ()
        self._frameworks = tuple(frameworks) if frameworks is not None else all_frameworks()
        self._publisher = Publisher(managers if managers is not None else all_managers(), metrics_urls or {})
        self._table = ProcessTable()
        self._grouping = Grouping(self._frameworks, patterns or {})
        self._schedule = FactSchedule()
        self._facts: dict[WorkerKey, ProcessFacts] = {}
        self._arrived: deque[ProcessFacts] = deque()
        self._groups: list[Group] = []
        self._now_ns = 0

    @property
    def facts(self) -> Mapping[WorkerKey, ProcessFacts]:
        """What was learnt of the processes that are there."""
        return self._facts

    def learn(self, facts: ProcessFacts) -> None:
        """What a look inside a process told; it counts from the next scan on. Any thread may call it."""
        self._arrived.append(facts)

    def scan(self, host: Host) -> bool:
        """Look at the host again. True if the services, their workers, or what is known of them have changed."""
        self._now_ns = host.clock.now().mono_ns
        self._table.update(host, self._now_ns)
        touched = self._forget(self._table.gone)
        learnt = self._take_arrived()
        news = self._table.changed.union(key.pid for key in learnt)
        touched |= self._grouping.judge(news, self._table.entries, self._facts)
        if touched or learnt:
            self._regroup(host)
        elif not self._publisher.waiting:
            return False
        services = self._publisher.services(self._groups, self._facts, self._now_ns)
        workers = {worker.key for service in services for worker in service.workers}
        changed = services != self.services or not workers.isdisjoint(learnt)
        self.services = services
        return changed

    def wanted(self) -> list[tuple[Process, tuple[SettingsRequest, ...]]]:
        """Processes to look into now, with the settings files to read beside them; front-ends come first."""
        own = {entry.key: group.framework for group in self._groups for entry, role in group.members if serves(role)}
        members = (entry for group in self._groups for entry, role in group.members if serves(role))
        found = self._schedule.wanted(members, self._grouping.candidates(), self._now_ns)
        processes = ((entry.process, own.get(entry.key)) for entry in found)
        return [(process, tuple(by.settings_requests(process)) if by else ()) for process, by in processes]

    def close(self) -> None:
        """Give back the descriptors that are kept."""
        self._table.close()

    def _forget(self, gone: Sequence[WorkerKey]) -> bool:
        """Processes that ended; True if one was of a service."""
        touched = False
        for key in gone:
            self._facts.pop(key, None)
            self._publisher.forget(key)
            self._schedule.forget(key)
            touched |= self._grouping.forget(key)
        return touched

    def _take_arrived(self) -> set[WorkerKey]:
        """Apply what other threads handed in; the processes of which something new is known."""
        found = set()
        while self._arrived:
            facts = self._arrived.popleft()
            entry = self._table.entries.get(facts.key.pid)
            if entry is None or entry.key != facts.key:
                continue
            self._schedule.learnt(entry, self._now_ns)
            if self._facts.get(facts.key) != facts:
                self._facts[facts.key] = facts
                found.add(facts.key)
        return found

    def _regroup(self, host: Host) -> None:
        entries = self._table.entries
        self._groups = self._grouping.groups(entries, self._facts, self._now_ns)
        inside = {entry.key.pid for group in self._groups for entry, _ in group.members}
        for pid in [entry.key.pid for entry in self._table if entry.watched and entry.key.pid not in inside]:
            self._table.unwatch(pid)
        for pid in inside:
            self._table.watch(host, pid)
