"""Which services live below one front-end, where its framework names several?

One raylet starts the replicas of every application of a node: each application is a service of its own. What works for
all of them belongs to the first, and is known to the others.
"""

from collections.abc import Iterable, Iterator

from collectors.discover.members import Group
from collectors.discover.process_table import Entry
from collectors.entities import Process, Role
from collectors.framework import Framework

Item = tuple[Entry, Role]


def by_share(groups: Iterable[Group]) -> list[Group]:
    """The groups, each parted by `Framework.share`. The processes of a part come before those that work for all; a group
    in which none works by name is kept, as a process may turn to it, and is no service."""
    return [part for group in groups for part in _parts(group)]


def _parts(group: Group) -> Iterator[Group]:
    if type(group.framework).share is Framework.share:
        yield group
        return
    named: dict[str, list[Item]] = {}
    common: list[Item] = []
    shares: dict[int, str | None] = {}
    for item in sorted(group.members, key=lambda item: (item[0].key.started, item[0].key.pid)):
        share = _share(group, item[0].process, shares)
        shares[item[0].key.pid] = share
        (common if share is None else named.setdefault(share, [])).append(item)
    if not named:
        group.idle = True
        yield group
    for place, name in enumerate(sorted(named)):
        part = Group(group.framework, group.pattern, group.orphaned_ns)
        part.members = named[name] if place else named[name] + common
        part.shared = common if place else []
        yield part


def _share(group: Group, process: Process, shares: dict[int, str | None]) -> str | None:
    """A process that does not say for whom it works does so for whom its parent does."""
    own = group.framework.share(process)
    return shares.get(process.ppid) if own is None else own
