"""Which role has each process in its place in the tree, and which of them are one service?"""

from collections.abc import Mapping, Set

from collectors.discover.members import Group, Member
from collectors.discover.process_table import Entry
from collectors.entities import Role, WorkerKey
from collectors.framework import Framework

SETTLED_NS = 10_000_000_000
"""A process that loses its front-end before that age was daemonising: it becomes one itself."""


class Placing:
    """One pass over the tree of processes: each is judged after its parent. `promoted` are pids of front-ends, and
    `left` of workers, that only a look inside told."""

    def __init__(
        self,
        entries: Mapping[int, Entry],
        members: Mapping[WorkerKey, Member],
        generic: Framework,
        promoted: Set[int],
        left: Set[int],
        now_ns: int,
    ) -> None:
        self._entries, self._members, self._generic = entries, members, generic
        self._promoted, self._left, self._now_ns = promoted, left, now_ns
        self._roots: dict[int, int | None] = {}
        """Pid -> pid of its service's root; None = of no service."""

    def groups(self) -> list[Group]:
        """The services, oldest first."""
        found: dict[int, Group] = {}
        for pid, entry in self._entries.items():
            for above in reversed(self._line(pid)):
                self._root(above)
            root, held = self._root(pid), self._members[entry.key].held
            if root is None or held is None:
                continue
            if root not in found:
                first = self._entries[root]
                top = self._members[first.key]
                found[root] = Group(held[0], top.pattern, self._orphaned_ns(top, first.process.ppid))
            found[root].members.append((entry, held[1]))
            if pid != root and self._members[entry.key].apart:
                found[root].apart.add(entry.key)
        for group in found.values():
            roles = group.framework.settled_roles(group.processes)
            group.members = [(entry, role) for (entry, _), role in zip(group.members, roles, strict=True)]
            group.members.sort(key=lambda item: (item[1] is not Role.FRONT_END, item[0].key.started, item[0].key.pid))
        return sorted(found.values(), key=lambda group: (group.root.started, group.root.pid))

    def _orphaned_ns(self, top: Member, ppid: int) -> int | None:
        """Since when a service's first process is an orphan; None if it is none, or if that cannot be told."""
        role, leader = top.held[1] if top.held else None, top.leader
        if leader is not None:
            # while the kernel names the leader as parent, some thread of it runs, however dead its main thread looks
            lost = role is not Role.FRONT_END and ppid != leader.pid and not self._runs(leader)
        else:
            lost = role is Role.WORKER and top.adopted
        if not lost:
            top.lost_ns = None
        elif top.lost_ns is None:
            top.lost_ns = self._now_ns
        return top.lost_ns

    def _runs(self, key: WorkerKey) -> bool:
        entry = self._entries.get(key.pid)
        return entry is not None and entry.key == key

    def _line(self, pid: int) -> list[int]:
        """The ancestors that are not placed yet, nearest first: the tree may be deeper than Python may recurse."""
        found: dict[int, None] = {}
        entry = self._entries.get(self._entries[pid].process.ppid)
        while entry is not None and entry.key.pid not in found and entry.key.pid not in self._roots:
            found[entry.key.pid] = None
            entry = self._entries.get(entry.process.ppid)
        return list(found)

    def _root(self, pid: int) -> int | None:
        if pid in self._roots:
            return self._roots[pid]
        self._roots[pid] = None  # a ring of parents, as a damaged tree may have one, ends here
        entry = self._entries[pid]
        parent = self._entries.get(entry.process.ppid)
        above = self._root(parent.key.pid) if parent and parent is not entry else None
        member = self._members[entry.key]
        over = self._members[parent.key].held if parent and above is not None else None
        inherited = self._inherited(entry, member, over)
        member.held = inherited or self._by_itself(entry, member)
        if inherited and parent:
            member.leader = parent.key
            member.apart = _is_apart(entry, member, parent)
        if member.held is not None:
            self._roots[pid] = above if inherited else pid
        return self._roots[pid]

    def _inherited(
        self, entry: Entry, member: Member, over: tuple[Framework, Role] | None
    ) -> tuple[Framework, Role] | None:
        """What it is as a child of a recognised process; None if it is none of that framework's."""
        if over is None:
            return None
        other = member.alone[0] if member.alone and member.alone[0] not in (over[0], self._generic) else None
        if other is not None and other.name not in over[0].claims:
            return None
        role = over[0].recognise(entry.process, over[1], member.knows)
        if role is None and member.pattern and over[0] is self._generic:
            role = Role.WORKER
        return (over[0], role) if role else None

    def _by_itself(self, entry: Entry, member: Member) -> tuple[Framework, Role] | None:
        """What it is on its own: if it was a worker long enough, an orphan and not a new front-end."""
        held = member.held
        if member.alone and entry.key.pid in self._left:
            return (member.alone[0], Role.WORKER)
        if held and held[1] is not Role.FRONT_END and not self._leads(entry, member):
            return held
        if entry.key.pid in self._promoted:
            return (self._generic, Role.FRONT_END)
        return member.alone

    def _leads(self, entry: Entry, member: Member) -> bool:
        """Whether a process that has lost its front-end is one itself: it was daemonising, is a server of its own that
        the other one had started, or took its place (gunicorn upgrades that way) and has workers with its own command
        line."""
        if member.alone is None or member.alone[1] is not Role.FRONT_END:
            return False
        if member.apart or entry.age_ns(self._now_ns) < SETTLED_NS:
            return True
        key, argv = entry.key, entry.process.argv
        return any(each.process.ppid == key.pid and each.process.argv == argv for each in self._entries.values())


def _is_apart(entry: Entry, member: Member, parent: Entry) -> bool:
    """A fork has its parent's command line, or a title, which is one item."""
    argv = entry.process.argv
    leads = member.alone is not None and member.alone[1] is Role.FRONT_END
    return leads and len(argv) > 1 and argv != parent.process.argv
