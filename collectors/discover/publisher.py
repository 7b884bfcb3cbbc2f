"""Under which name, and with which workers and models, is a group of processes published as a service?

The name is decided once, so it waits for a look inside, or for 3 s if none comes; what else is known may change.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from collectors.containers.container import Container
from collectors.containers.names import ContainerNames
from collectors.discover.identity import Identity, Names
from collectors.discover.members import Group, serves
from collectors.discover.process_table import SECOND_NS, Entry
from collectors.entities import Role, Service, Worker, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Traits
from collectors.host import Host
from collectors.learned import environment_of
from collectors.manager import Manager
from collectors.model_join import with_files
from collectors.reading import Unsupported

WITHOUT_FACTS_NS = 3 * SECOND_NS
"""How long a service waits to be published for a look inside that does not come."""
STARTING_NS = 10 * SECOND_NS
"""How long a server may take to open its socket before it is published without a port."""
DRIVERS = frozenset(("cuda", "rocm"))
"""Libraries that a process has mapped once it uses a GPU, not for having been built for one."""
_NO_POOL = DRIVERS | {"cudart", "ray"}


class _Ready(NamedTuple):
    """A group of which enough is known."""

    group: Group
    traits: Traits
    container: Container | None
    identity: Identity


class Publisher:
    """Makes services of groups and remembers their identities. One thread uses it."""

    def __init__(self, managers: Sequence[Manager], metrics_urls: Mapping[str, str]) -> None:
        self.waiting = False
        """Whether a group was held back, so that time alone may change the services."""
        self._managers = managers
        self._metrics_urls = metrics_urls
        self._containers = ContainerNames()
        self._identities: dict[WorkerKey, Identity] = {}
        self._held_since: dict[WorkerKey, int] = {}
        """First process of a service -> since when a look inside it is waited for: an old one may become a server."""
        self._recalled: dict[WorkerKey, Identity] = {}
        self._names = Names()

    def services(self, host: Host, groups: Sequence[Group], facts: Facts, now_ns: int) -> tuple[Service, ...]:
        """The services that are known well enough to have a lasting name."""
        ready = self._ready(host, groups, facts, now_ns)
        apart = [item.identity for item in ready if item.group.orphans]
        if len(apart) > len(set(apart)):  # it is known only now that they are of one service
            ready = self._ready(host, groups, facts, now_ns)
        ready.sort(key=lambda item: item.group.orphans)
        names = self._names.assign(item.identity for item in ready)
        services = [self._service(item, *name, facts) for item, name in zip(ready, names, strict=True)]
        return tuple(sorted(services, key=lambda service: service.name))

    def _ready(self, host: Host, groups: Sequence[Group], facts: Facts, now_ns: int) -> list[_Ready]:
        ready: list[_Ready] = []
        self.waiting = False
        for group in self._united(groups):
            traits = group.framework.traits(group.processes, facts)
            container = self._container(host, group, facts)
            identity = self._identity(group, traits, container, facts, now_ns)
            if identity is None:
                self.waiting = True
            else:
                self._identities.update((e.key, identity) for e, _ in group.members if e.key not in group.apart)
                for key in group.apart:
                    self._identities.pop(key, None)
                ready.append(_Ready(group, traits, container, identity))
        return ready

    def identity(self, key: WorkerKey) -> Identity | None:
        """What the service of this process is, once that is decided."""
        return self._identities.get(key)

    def recall(self, identities: Mapping[WorkerKey, Identity]) -> None:
        """Of which service a process was before the agent was restarted: it counts for an orphan, whose front-end
        cannot tell it any more."""
        self._recalled = dict(identities)

    def forget(self, key: WorkerKey) -> None:
        """A process has ended."""
        self._identities.pop(key, None)
        self._held_since.pop(key, None)
        self._recalled.pop(key, None)

    def _united(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, orphans of one service together; without those that do no work any more."""
        found: list[Group] = []
        orphans: dict[Identity, Group] = {}
        for group in groups:
            identity = self._known(group) if group.orphans else None
            if identity is None:
                found.append(group)
            else:
                orphans[identity] = orphans[identity].united(group) if identity in orphans else group
        return [group for group in (*found, *orphans.values()) if group.works]

    def _known(self, group: Group) -> Identity | None:
        own = self._identities.get(group.root)
        return own or (self._recalled.get(group.root) if group.orphans else None)

    def _container(self, host: Host, group: Group, facts: Facts) -> Container | None:
        """That of a service's first process."""
        values = environment_of((each for each, _ in group.processes), facts).values or {}
        return self._containers.container_of(host, group.members[0][0].process, values.get("HOSTNAME"))

    def _identity(
        self, group: Group, traits: Traits, container: Container | None, facts: Facts, now_ns: int
    ) -> Identity | None:
        """What the service is for good: decided once, when enough is known of its first process."""
        entry = group.members[0][0]
        if (known := self._known(group)) is not None:
            return known
        since_ns = self._held_since.setdefault(entry.key, now_ns)
        if not _ripe(entry, traits, facts.get(entry.key), since_ns, now_ns):
            return None
        owner, manager = self._owner(group, container)
        title = f"{group.framework.name}/{traits.application}" + (f":{traits.port}" if traits.port else "")
        return Identity(
            framework=group.framework.name,
            application=group.pattern or traits.application,
            port=traits.port,
            owner=owner,
            manager=manager,
            title=group.pattern or title,
        )

    def _owner(self, group: Group, container: Container | None) -> tuple[str | None, str]:
        """(unit or workload, manager) of a service's first process."""
        process = group.members[0][0].process
        manager = next((each for each in self._managers if each.owns(process, container)), None)
        return (manager.owner(process, container), manager.name) if manager else (None, "bare")

    def _service(self, ready: _Ready, own_id: str, name: str, facts: Facts) -> Service:
        group, traits, container, identity = ready
        ordered = sorted(group.members, key=lambda item: item[1] is Role.SUPPORT)
        workers = tuple(
            Worker(
                process=entry.process,
                role=role,
                framework=group.framework.name,
                service=name,
                slot=slot,
                compute_libraries=_libraries(facts.get(entry.key)),
                drivers=_drivers(facts.get(entry.key)),
                devices=known.devices if (known := facts.get(entry.key)) is not None else (),
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
            models=with_files(traits.models, (entry.key for entry, _ in group.members), facts),
            metrics_urls=(self._metrics_urls[name],) if name in self._metrics_urls else traits.metrics_urls,
            calls=traits.calls,
            chains=traits.chains,
            sets=traits.sets,
            container=container,
            orphaned=group.orphans,
            orphaned_ns=group.orphaned_ns,
            started=min(worker.key.started for worker in workers),
        )


def _ripe(entry: Entry, traits: Traits, known: ProcessFacts | None, since_ns: int, now_ns: int) -> bool:
    """Whether enough is known of a service's first process, or no more is to come."""
    if known is None:
        return now_ns - since_ns >= WITHOUT_FACTS_NS
    if traits.port is not None or isinstance(known.listening, Unsupported):
        return True
    return entry.age_ns(now_ns) >= STARTING_NS


def _libraries(known: ProcessFacts | None) -> tuple[str, ...] | None:
    if known is None or isinstance(known.libraries, Unsupported):
        return None
    return tuple(sorted({library.kind for library in known.libraries} - _NO_POOL))


def _drivers(known: ProcessFacts | None) -> tuple[str, ...] | None:
    if known is None or isinstance(known.libraries, Unsupported):
        return None
    return tuple(sorted({library.kind for library in known.libraries} & DRIVERS))
