"""Which processes form a service, and in which role?

A service is the top-most process that a framework recognises, with all its descendants of the same framework. A worker
whose front-end is gone keeps the role that it had, because by itself it often does not say what it is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from collectors.command_line import may_serve
from collectors.entities import Process, Role, WorkerKey
from collectors.facts import Listening, ProcessFacts
from collectors.framework import Facts, Framework
from collectors.process_table import SHELLS, Entry

SETTLED_NS = 10_000_000_000
"""A process that loses its front-end before that age was daemonising: it becomes one itself."""


def serves(role: Role) -> bool:
    """Whether a process of this role does the service's work, as a resource tracker does not."""
    return role is not Role.SUPPORT


class Member:
    """What is known of one process of the table beside what was read."""

    __slots__ = ("alone", "argv", "held", "knows", "pattern")

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.argv = argv
        self.knows: ProcessFacts | None = None
        self.alone: tuple[Framework, Role] | None = None
        """What it is, without regard to its parent."""
        self.pattern: str | None = None
        """Name of the configured service whose pattern its command line matches."""
        self.held: tuple[Framework, Role] | None = None
        """What it was last, in its place in the tree."""


class Group:
    """The processes of one service, front-end first, then by start. `orphans`: they have no front-end any more."""

    __slots__ = ("framework", "members", "orphans", "pattern")

    def __init__(self, framework: Framework, pattern: str | None, orphans: bool) -> None:
        self.framework = framework
        self.pattern = pattern
        self.orphans = orphans
        self.members: list[tuple[Entry, Role]] = []

    @property
    def root(self) -> WorkerKey:
        return self.members[0][0].key

    @property
    def processes(self) -> tuple[tuple[Process, Role], ...]:
        return tuple((entry.process, role) for entry, role in self.members)


class Grouping:
    """Classifies the processes of a table. Remembers each one's role; one thread uses it."""

    def __init__(self, frameworks: Sequence[Framework], patterns: Mapping[str, str]) -> None:
        self._frameworks = frameworks
        self._generic = next((f for f in frameworks if f.name == "generic"), frameworks[-1])
        self._patterns = {name: re.compile(pattern) for name, pattern in patterns.items()}
        self._members: dict[WorkerKey, Member] = {}
        self._possible: dict[WorkerKey, Entry] = {}

    def forget(self, key: WorkerKey) -> bool:
        """A process has ended; True if it was one of a service."""
        self._possible.pop(key, None)
        member = self._members.pop(key, None)
        return member is not None and member.held is not None

    def judge(self, pids: Iterable[int], entries: Mapping[int, Entry], facts: Facts) -> bool:
        """Processes that are new, have changed, or of which more is known; True if that may change a service."""
        touched = False
        for entry in [entries[pid] for pid in pids if pid in entries]:
            member = self._judge_alone(entry, facts.get(entry.key))
            above = entries.get(entry.process.ppid)
            over = self._members.get(above.key) if above else None
            touched |= bool(member.alone or member.held or (over and (over.held or over.alone)))
        return touched

    def groups(self, entries: Mapping[int, Entry], facts: Facts, now_ns: int) -> list[Group]:
        """The services among `entries`, oldest first. Every entry must have been judged."""
        return _Tree(entries, self._members, self._generic, self._promoted(entries, facts), now_ns).groups()

    def candidates(self) -> Iterator[Entry]:
        """Processes of no service that may turn out to be a server when looked into."""
        return (entry for key, entry in self._possible.items() if self._members[key].held is None)

    def _judge_alone(self, entry: Entry, known: ProcessFacts | None) -> Member:
        """What a process is by itself, from its command line and its facts."""
        member, argv = self._members.get(entry.key), entry.process.argv
        if member is not None and member.argv == argv and member.knows is known:
            return member
        if member is None:
            member = self._members[entry.key] = Member(argv)
        elif member.argv != argv:
            member.held, member.argv = None, argv
        member.knows = known
        self._possible.pop(entry.key, None)
        if may_serve(entry.process):
            self._possible[entry.key] = entry
        roles = ((f, role) for f in self._frameworks if (role := f.recognise(entry.process, None, known)))
        member.alone = next(roles, None)
        if self._patterns and entry.process.comm not in SHELLS:
            line = " ".join(argv)
            member.pattern = next((name for name, pattern in self._patterns.items() if pattern.search(line)), None)
            if member.pattern and member.alone is None:
                member.alone = (self._generic, Role.FRONT_END)
        return member

    def _promoted(self, entries: Mapping[int, Entry], facts: Facts) -> set[int]:
        """Pids of processes that share the listening socket of a generic server below them: the server forked after it
        had opened the socket, and only its workers have loaded the libraries."""
        found = set()
        for pid, entry in entries.items():
            alone = self._members[entry.key].alone
            sockets = _inodes(facts.get(entry.key)) if alone and alone[0] is self._generic else frozenset()
            while sockets and (above := entries.get(entry.process.ppid)) and above.key.pid != pid:
                if not sockets & _inodes(facts.get(above.key)):
                    break
                found.add(above.key.pid)
                entry = above
        return found


class _Tree:
    """One pass over the tree of processes: each is judged after its parent."""

    def __init__(
        self,
        entries: Mapping[int, Entry],
        members: Mapping[WorkerKey, Member],
        generic: Framework,
        promoted: set[int],
        now_ns: int,
    ) -> None:
        self._entries, self._members, self._generic = entries, members, generic
        self._promoted, self._now_ns = promoted, now_ns
        self._roots: dict[int, int | None] = {}
        """Pid -> pid of its service's root; None = of no service."""

    def groups(self) -> list[Group]:
        found: dict[int, Group] = {}
        for pid, entry in self._entries.items():
            root, held = self._root(pid), self._members[entry.key].held
            if root is None or held is None:
                continue
            top = self._members[self._entries[root].key]
            if root not in found:
                found[root] = Group(held[0], top.pattern, top.held is not None and top.held[1] is not Role.FRONT_END)
            found[root].members.append((entry, held[1]))
        for group in found.values():
            group.members.sort(key=lambda item: (item[1] is not Role.FRONT_END, item[0].key.started, item[0].key.pid))
        return sorted(found.values(), key=lambda group: (group.root.started, group.root.pid))

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
        if member.held is not None:
            self._roots[pid] = above if inherited else pid
        return self._roots[pid]

    def _inherited(
        self, entry: Entry, member: Member, over: tuple[Framework, Role] | None
    ) -> tuple[Framework, Role] | None:
        """What it is as a child of a recognised process; None if it is none of that framework's."""
        if over is None or (member.alone is not None and member.alone[0] not in (over[0], self._generic)):
            return None
        role = over[0].recognise(entry.process, over[1], member.knows)
        if role is None and member.pattern and over[0] is self._generic:
            role = Role.WORKER
        return (over[0], role) if role else None

    def _by_itself(self, entry: Entry, member: Member) -> tuple[Framework, Role] | None:
        """What it is on its own: if it was a worker long enough, an orphan and not a new front-end."""
        held = member.held
        if held and held[1] is not Role.FRONT_END and not self._leads(entry, member):
            return held
        if entry.key.pid in self._promoted:
            return (self._generic, Role.FRONT_END)
        return member.alone

    def _leads(self, entry: Entry, member: Member) -> bool:
        """Whether a process that has lost its front-end is one itself: it was daemonising, or took its place (gunicorn
        upgrades that way) and has workers with its own command line."""
        if member.alone is None or member.alone[1] is not Role.FRONT_END:
            return False
        if entry.age_ns(self._now_ns) < SETTLED_NS:
            return True
        key, argv = entry.key, entry.process.argv
        return any(each.process.ppid == key.pid and each.process.argv == argv for each in self._entries.values())


def _inodes(known: ProcessFacts | None) -> frozenset[int]:
    if known is None or not isinstance(known.listening, tuple):
        return frozenset()
    sockets: tuple[Listening, ...] = known.listening
    return frozenset(socket.inode for socket in sockets)
