"""What is remembered of a process and of the group that forms a service with it?"""

from collectors.discover.process_table import Entry
from collectors.entities import Process, Role, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Framework


def serves(role: Role) -> bool:
    """Whether a process of this role does the service's work, as a resource tracker does not."""
    return role is not Role.SUPPORT


class Member:
    """What is known of one process of the table beside what was read."""

    __slots__ = ("adopted", "alone", "apart", "argv", "held", "knows", "leader", "lost_ns", "pattern")

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.argv = argv
        self.knows: ProcessFacts | None = None
        self.alone: tuple[Framework, Role] | None = None
        """What it is, without regard to its parent."""
        self.pattern: str | None = None
        """Name of the configured service whose pattern its command line matches."""
        self.held: tuple[Framework, Role] | None = None
        """What it was last, in its place in the tree."""
        self.leader: WorkerKey | None = None
        """The process of its service that it was last seen below."""
        self.adopted = False
        """Whether its parent took it in and did not start it."""
        self.apart = False
        """Whether it is a server by itself and runs another command line than its leader, as no fork of that one does."""
        self.lost_ns: int | None = None
        """Since when it is seen without a front-end, on the monotonic clock."""


class Group:
    """The processes of one service, front-end first, then by start. `orphaned_ns`: since when they are seen without a
    front-end, on the monotonic clock; None = they have one, or it cannot be told that they lost it."""

    __slots__ = ("apart", "framework", "idle", "members", "orphaned_ns", "pattern", "shared")

    def __init__(self, framework: Framework, pattern: str | None, orphaned_ns: int | None) -> None:
        self.framework = framework
        self.pattern = pattern
        self.orphaned_ns = orphaned_ns
        self.members: list[tuple[Entry, Role]] = []
        self.apart: set[WorkerKey] = set()
        """Members that would be another service without the others."""
        self.shared: list[tuple[Entry, Role]] = []
        """Processes of another service that work for this one too."""
        self.idle = False
        """Whether it only waits for a service to run, as a Ray node without a Serve application does."""

    @property
    def orphans(self) -> bool:
        return self.orphaned_ns is not None

    @property
    def root(self) -> WorkerKey:
        return self.members[0][0].key

    @property
    def works(self) -> bool:
        """Whether any of its processes does the service's work."""
        return not self.idle and any(serves(role) for _, role in self.members)

    @property
    def processes(self) -> tuple[tuple[Process, Role], ...]:
        """With those that it shares."""
        return tuple((entry.process, role) for entry, role in (*self.members, *self.shared))

    def united(self, other: "Group") -> "Group":
        """Both as one: orphans of one front-end have no common root."""
        since = min((ns for ns in (self.orphaned_ns, other.orphaned_ns) if ns is not None), default=None)
        found = Group(self.framework, self.pattern, since)
        found.members, found.shared = self.members + other.members, self.shared or other.shared
        found.members.sort(key=lambda item: (not serves(item[1]), item[0].key.started, item[0].key.pid))
        return found
