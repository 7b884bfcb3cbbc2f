"""Which processes form a service, and in which role?

A service is the top-most process that a framework recognises, with all its descendants of the same framework. A worker
whose front-end is gone keeps the role that it had, because by itself it often does not say what it is; one that was not
seen before it was left alone is told by its title, or by what a look inside shows.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from collectors.command_line import may_serve
from collectors.discover.adoption import adopted, is_handed, is_spawned
from collectors.discover.members import Group, Member
from collectors.discover.placing import Placing
from collectors.discover.process_table import SHELLS, Entry
from collectors.discover.remembered import Remembered, fingerprint
from collectors.entities import Role, WorkerKey
from collectors.facts import Listening, ProcessFacts
from collectors.framework import Facts, Framework
from collectors.reading import Unsupported


class Grouping:
    """Classifies the processes of a table. Remembers each one's role; one thread uses it."""

    def __init__(self, frameworks: Sequence[Framework], patterns: Mapping[str, str]) -> None:
        self._frameworks = frameworks
        self._generic = next((f for f in frameworks if f.name == "generic"), frameworks[-1])
        self._patterns = {name: re.compile(pattern) for name, pattern in patterns.items()}
        self._members: dict[WorkerKey, Member] = {}
        self._possible: dict[WorkerKey, Entry] = {}
        self._spawned: dict[WorkerKey, Entry] = {}
        """Spawned workers that were taken in: what they are, only a look inside tells."""
        self._remembered: dict[WorkerKey, Remembered] = {}

    def recall(self, remembered: Iterable[Remembered]) -> None:
        """Which process had which role before the agent was restarted; call it before the first `judge`."""
        self._remembered = {each.key: each for each in remembered}

    def leader(self, key: WorkerKey) -> WorkerKey | None:
        """The process of its service that this one was last seen below."""
        member = self._members.get(key)
        return member.leader if member else None

    def forget(self, key: WorkerKey) -> bool:
        """A process has ended; True if it was one of a service."""
        self._possible.pop(key, None)
        self._spawned.pop(key, None)
        self._remembered.pop(key, None)
        member = self._members.pop(key, None)
        return member is not None and member.held is not None

    def judge(self, pids: Iterable[int], entries: Mapping[int, Entry], facts: Facts) -> bool:
        """Processes that are new, have changed, or of which more is known; True if that may change a service."""
        touched = False
        for entry in [entries[pid] for pid in pids if pid in entries]:
            above = entries.get(entry.process.ppid)
            member = self._judge_alone(entry, facts.get(entry.key), above)
            over = self._members.get(above.key) if above else None
            touched |= bool(member.alone or member.held or (over and (over.held or over.alone)))
        return touched

    def groups(self, entries: Mapping[int, Entry], facts: Facts, now_ns: int) -> list[Group]:
        """The services among `entries`, oldest first. Every entry must have been judged."""
        promoted, left = self._promoted(entries, facts), self._left(entries, facts)
        return Placing(entries, self._members, self._generic, promoted, left, now_ns).groups()

    def left_alone(self) -> Iterator[Entry]:
        """Spawned workers of no service that were taken in: a few, whose own look inside tells what they are."""
        return (entry for key, entry in self._spawned.items() if self._members[key].held is None)

    def candidates(self) -> Iterator[Entry]:
        """Processes of no service that may turn out to be a server when looked into."""
        return (entry for key, entry in self._possible.items() if self._members[key].held is None)

    def _judge_alone(self, entry: Entry, known: ProcessFacts | None, parent: Entry | None) -> Member:
        """What a process is by itself, from its command line and its facts."""
        member, argv = self._members.get(entry.key), entry.process.argv
        taken_in = adopted(entry.process, parent.process if parent else None)
        if member is not None and (member.argv, member.adopted) == (argv, taken_in) and member.knows is known:
            return member
        if member is None:
            member = self._members[entry.key] = self._as_remembered(entry)
        elif member.argv != argv:
            member.held, member.argv = None, argv
        member.knows, member.adopted = known, taken_in
        self._possible.pop(entry.key, None)
        self._spawned.pop(entry.key, None)
        if may_serve(entry.process):
            self._possible[entry.key] = entry
        elif taken_in and is_spawned(entry.process):
            self._spawned[entry.key] = entry
        roles = ((f, role) for f in self._frameworks if (role := f.recognise(entry.process, None, known)))
        member.alone = next(roles, None)
        if member.alone is None and entry.key in self._spawned and _computes(known):
            member.alone = (self._generic, Role.WORKER)
        if self._patterns and entry.process.comm not in SHELLS:
            line = " ".join(argv)
            member.pattern = next((name for name, pattern in self._patterns.items() if pattern.search(line)), None)
            if member.pattern and member.alone is None:
                member.alone = (self._generic, Role.FRONT_END)
        return member

    def _as_remembered(self, entry: Entry) -> Member:
        """A process that is seen for the first time, with what was known of it before the agent was restarted."""
        member, before = Member(entry.process.argv), self._remembered.pop(entry.key, None)
        if before is None or before.fingerprint != fingerprint(entry.process):
            return member
        framework = next((f for f in self._frameworks if f.name == before.framework), None)
        if framework is not None:
            member.held, member.leader, member.lost_ns = (framework, before.role), before.leader, before.orphaned_ns
        return member

    def _left(self, entries: Mapping[int, Entry], facts: Facts) -> set[int]:
        """Pids of forked workers that had lost their front-end before they were first seen. Each looks like a front-end;
        but they hold one listening socket, as only children of one process do, and this process is gone."""
        kin: defaultdict[tuple[object, ...], list[Entry]] = defaultdict(list)
        for entry in entries.values():
            member = self._members[entry.key]
            if member.adopted and member.alone and member.alone[1] is Role.FRONT_END and not is_handed(entry.process):
                for inode in _inodes(facts.get(entry.key)) if member.alone[0] is not self._generic else ():
                    kin[inode, entry.process.argv, entry.process.cgroups].append(entry)
        found = {entry.key.pid for same in kin.values() if len(same) > 1 for entry in same}
        parents = {(entry.process.ppid, entry.process.argv) for entry in entries.values()} if found else set()
        return {pid for pid in found if (pid, entries[pid].process.argv) not in parents}

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


def _computes(known: ProcessFacts | None) -> bool:
    """Whether a numeric library is known to be mapped; every program of a Ray cluster has Ray's own."""
    if known is None or isinstance(known.libraries, Unsupported):
        return False
    return any(library.kind != "ray" for library in known.libraries)


def _inodes(known: ProcessFacts | None) -> frozenset[int]:
    if known is None or not isinstance(known.listening, tuple):
        return frozenset()
    sockets: tuple[Listening, ...] = known.listening
    return frozenset(socket.inode for socket in sockets)
