"""Under which name, and with which workers and models, is a group of processes published as a service?

The name is decided once, so it waits for a look inside, or for 3 s if none comes; what else is known may change.
"""

from collections.abc import Mapping, Sequence

from collectors.entities import Role, Service, Worker, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Traits
from collectors.grouping import Group, serves
from collectors.identity import Identity, Names
from collectors.learned import environment_of
from collectors.manager import Manager
from collectors.pods import in_pod, workload_of
from collectors.process_table import SECOND_NS, Entry
from collectors.reading import Unsupported

WITHOUT_FACTS_NS = 3 * SECOND_NS
"""How long a service waits to be published for a look inside that does not come."""
STARTING_NS = 10 * SECOND_NS
"""How long a server may take to open its socket before it is published without a port."""
_NO_POOL = frozenset(("cuda",))


class Publisher:
    """Makes services of groups and remembers their identities. One thread uses it."""

    def __init__(self, managers: Sequence[Manager], metrics_urls: Mapping[str, str]) -> None:
        self.waiting = False
        """Whether a group was held back, so that time alone may change the services."""
        self._managers = managers
        self._metrics_urls = metrics_urls
        self._identities: dict[WorkerKey, Identity] = {}
        self._names = Names()

    def services(self, groups: Sequence[Group], facts: Facts, now_ns: int) -> tuple[Service, ...]:
        """The services that are known well enough to have a lasting name."""
        ready: list[tuple[Group, Traits, Identity]] = []
        self.waiting = False
        for group in self._united(groups):
            traits = group.framework.traits(group.processes, facts)
            identity = self._identity(group, traits, facts, now_ns)
            if identity is None:
                self.waiting = True
            else:
                self._identities.update((entry.key, identity) for entry, _ in group.members)
                ready.append((group, traits, identity))
        ready.sort(key=lambda item: item[0].orphans)
        names = self._names.assign(identity for _, _, identity in ready)
        services = [self._service(*item, *name, facts) for item, name in zip(ready, names, strict=True)]
        return tuple(sorted(services, key=lambda service: service.name))

    def forget(self, key: WorkerKey) -> None:
        """A process has ended."""
        self._identities.pop(key, None)

    def _united(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, orphans of one service together; without those that do no work any more."""
        found: list[Group] = []
        orphans: dict[Identity, Group] = {}
        for group in groups:
            identity = self._identities.get(group.root) if group.orphans else None
            if identity in orphans:
                orphans[identity].members += group.members
                continue
            copy = Group(group.framework, group.pattern, group.orphans)
            copy.members = list(group.members)
            found.append(copy)
            if identity is not None:
                orphans[identity] = copy
        return [group for group in found if any(serves(role) for _, role in group.members)]

    def _identity(self, group: Group, traits: Traits, facts: Facts, now_ns: int) -> Identity | None:
        """What the service is for good: decided once, when enough is known of its first process."""
        entry = group.members[0][0]
        if (known := self._identities.get(entry.key)) is not None:
            return known
        if not _ripe(entry, traits, facts.get(entry.key), now_ns):
            return None
        owner, manager = self._owner(group, facts)
        title = f"{group.framework.name}/{traits.application}" + (f":{traits.port}" if traits.port else "")
        return Identity(
            framework=group.framework.name,
            application=group.pattern or traits.application,
            port=traits.port,
            owner=owner,
            manager=manager,
            title=group.pattern or title,
        )

    def _owner(self, group: Group, facts: Facts) -> tuple[str | None, str]:
        """(unit or workload, manager) of a service's first process."""
        process = group.members[0][0].process
        for manager in self._managers:
            if (owner := manager.owner(process)) is not None:
                return owner, manager.name
        owner = None
        if any(in_pod(path) for _, path in process.cgroups):
            values = environment_of((each for each, _ in group.processes), facts).values or {}
            owner = workload_of(values["HOSTNAME"]) if values.get("HOSTNAME") else None
        return owner, "bare"

    def _service(
        self, group: Group, traits: Traits, identity: Identity, own_id: str, name: str, facts: Facts
    ) -> Service:
        ordered = sorted(group.members, key=lambda item: item[1] is Role.SUPPORT)
        workers = tuple(
            Worker(
                process=entry.process,
                role=role,
                framework=group.framework.name,
                service=name,
                slot=slot,
                compute_libraries=_libraries(facts.get(entry.key)),
                request_threads=traits.request_threads if serves(role) else None,
            )
            for slot, (entry, role) in enumerate(ordered)
        )
        return Service(
            id=own_id,
            name=name,
            framework=identity.framework,
            application=identity.application,
            port=identity.port or traits.port,
            owner=identity.owner,
            manager=identity.manager,
            workers=workers,
            models=traits.models,
            metrics_url=self._metrics_urls.get(name, traits.metrics_url),
            started=min(worker.key.started for worker in workers),
        )


def _ripe(entry: Entry, traits: Traits, known: ProcessFacts | None, now_ns: int) -> bool:
    """Whether enough is known of a service's first process, or no more is to come."""
    if known is None:
        return now_ns - entry.seen_ns >= WITHOUT_FACTS_NS
    if traits.port is not None or isinstance(known.listening, Unsupported):
        return True
    return entry.age_ns(now_ns) >= STARTING_NS


def _libraries(known: ProcessFacts | None) -> tuple[str, ...] | None:
    if known is None or isinstance(known.libraries, Unsupported):
        return None
    return tuple(sorted({library.kind for library in known.libraries} - _NO_POOL))
