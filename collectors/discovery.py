"""Which services run on this node, and into which of their processes is a look wanted?

`scan` keeps the table of processes, lets the frameworks recognise them, and groups them into services. What is learnt
by looking inside arrives later and from another thread; a service is published once that is known, or after 3 s.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice

from collectors.discover.fact_schedule import FactSchedule
from collectors.discover.grouping import Grouping
from collectors.discover.members import Group, serves
from collectors.discover.process_table import ProcessTable
from collectors.discover.publisher import Publisher
from collectors.discover.remembered import Remembered, fingerprint, kept, recalled
from collectors.discover.shares import by_share
from collectors.entities import Process, Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Framework, Request
from collectors.host import Host
from collectors.manager import Manager
from collectors.reading import Instant
from collectors.registry import all_frameworks, all_managers

LEFT_ALONE = 32
"""Into at most so many spawned workers of unknown servers is a look wanted at once."""


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

    @property
    def waiting(self) -> bool:
        """Whether a service is held back because too little is known of it yet."""
        return self._publisher.waiting

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
        services = self._publisher.services(host, self._groups, self._facts, self._now_ns)
        workers = {worker.key for service in services for worker in service.workers}
        changed = services != self.services or not workers.isdisjoint(learnt)
        self.services = services
        return changed

    def remember(self, now: Instant) -> tuple[Remembered, ...]:
        """What an agent that is started anew has to know of the processes of services, with wall times."""
        found = (
            Remembered(
                key=entry.key,
                fingerprint=fingerprint(entry.process),
                framework=group.framework.name,
                role=role,
                leader=self._grouping.leader(entry.key),
                identity=identity,
                orphaned_ns=group.orphaned_ns,
            )
            for group in self._groups
            for entry, role in group.members
            if (identity := self._publisher.identity(entry.key)) is not None
        )
        return kept(found, now)

    def recall(self, remembered: Iterable[Remembered], now: Instant) -> None:
        """What was remembered before a restart; call it before the first scan."""
        found = recalled(remembered, now)
        self._grouping.recall(found)
        self._publisher.recall({each.key: each.identity for each in found})

    def wanted(self) -> list[tuple[Process, tuple[Request, ...]]]:
        """Processes to look into now, with the settings files and models to read beside them; front-ends come first."""
        works = [group for group in self._groups if group.works]
        looked = [(e, g.framework) for g in works for e, role in g.members if g.framework.worth_a_look(e.process, role)]
        own = {entry.key: framework for entry, framework in looked}
        members = (entry for entry, _ in looked)
        left = islice(self._grouping.left_alone(), LEFT_ALONE)
        found = self._schedule.wanted(chain(members, left), self._grouping.candidates(), self._now_ns)
        return [(entry.process, self._requests(entry.process, own.get(entry.key))) for entry in found]

    def _requests(self, process: Process, by: Framework | None) -> tuple[Request, ...]:
        if by is None:
            return tuple(request for each in self._frameworks for request in each.candidate_requests(process))
        return (*by.settings_requests(process), *by.model_requests(process, self._facts.get(process.key)))

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
        self._groups = by_share(self._grouping.groups(entries, self._facts, self._now_ns))
        for entry in (
            e for g in self._groups if g.orphaned_ns == self._now_ns for e, role in g.members if serves(role)
        ):
            self._schedule.again(entry.key, self._now_ns)
        inside = {entry.key.pid for group in self._groups for entry, _ in group.members}
        for pid in [entry.key.pid for entry in self._table if entry.watched and entry.key.pid not in inside]:
            self._table.unwatch(pid)
        for pid in inside:
            self._table.watch(host, pid)
