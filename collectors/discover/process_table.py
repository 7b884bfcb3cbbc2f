"""Which processes are there, and which are new, gone or have become another program since the last look?

The processes of services are looked at each time, through a kept descriptor of their stat file, which costs 1 us. Of
the others, young ones and interpreters are looked at again because exec() makes another program of a process.
"""

from collections.abc import Iterator
from os.path import basename

from collectors.command_line import is_python
from collectors.discover.proc_listing import ProcListing
from collectors.entities import Process, WorkerKey
from collectors.host import Host
from collectors.kept import DescriptorBudget, RepeatedFile, read_once
from collectors.procfs import parse_cgroup, parse_cmdline, parse_stat, parse_status_fields

SECOND_NS = 1_000_000_000
READ_AGAIN_NS = 10 * SECOND_NS
YOUNG_NS = 10 * SECOND_NS
DESCRIPTORS = 512
_KERNEL_THREADS = 2
_DEAD = b"ZX"
_STAT_BYTES = 1024
_STATUS_BYTES = 4096
_CMDLINE_BYTES = 1 << 16
SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "busybox", "env", "tini", "dumb-init"))


class Entry:
    """A process of the table. `process` is replaced when it changes; its owner and cgroup are read once it is watched."""

    __slots__ = ("born_ns", "command_hash", "due_ns", "process", "seen_ns", "stat", "stat_head", "watched")

    def __init__(self, process: Process, command_hash: int, now_ns: int, started_ns: int) -> None:
        self.process = process
        self.command_hash = command_hash
        self.seen_ns = now_ns
        self.born_ns = min(now_ns, started_ns)
        """When it began on the clock of the host; a clock that is behind cannot make it younger than it is seen."""
        self.due_ns = now_ns
        self.watched = False
        """Whether it is watched: a process of a service."""
        self.stat: RepeatedFile | None = None
        self.stat_head = b""

    @property
    def key(self) -> WorkerKey:
        return self.process.key

    def age_ns(self, now_ns: int) -> int:
        """How long it has run."""
        return now_ns - self.born_ns


class ProcessTable:
    """The processes of one host, without kernel threads and zombies. One thread uses it."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.gone: list[WorkerKey] = []
        """Processes found to have ended in the last update."""
        self.changed: set[int] = set()
        """Pids that are new or have become another program in the last update."""
        self._listing = ProcListing()
        self._volatile: dict[int, Entry] = {}
        self._watched: dict[int, Entry] = {}
        self._budget = DescriptorBudget(DESCRIPTORS)

    def update(self, host: Host, now_ns: int) -> None:
        """Look again; `gone` and `changed` say what is not as before."""
        self.gone, self.changed = [], set()
        self._look_at_watched(host, now_ns)
        listed = self._listing.update(host, now_ns)
        for pid in listed.gone:
            self._drop(pid)
        self._look_at_orphans(host, now_ns)
        for pid in listed.replaced:
            if pid in self.entries:
                self._read_again(host, self.entries[pid], now_ns)
            else:
                self._add(host, pid, now_ns)
        for pid in listed.new:
            if pid not in self.entries:
                self._add(host, pid, now_ns)
        for entry in [entry for entry in self._volatile.values() if now_ns >= entry.due_ns]:
            self._look_at_command(host, entry, now_ns)

    def watch(self, host: Host, pid: int) -> None:
        """A process of a service: look at it each time, and learn its owner and cgroup."""
        entry = self.entries.get(pid)
        if entry is None or entry.watched:
            return
        entry.watched = True
        self._watched[pid] = self._volatile[pid] = entry
        entry.process = _completed(host, entry.process)

    def unwatch(self, pid: int) -> None:
        entry = self._watched.pop(pid, None)
        if entry is not None:
            entry.watched = False
            self._close(entry)

    def close(self) -> None:
        for pid in list(self._watched):
            self.unwatch(pid)
        self._listing.close()

    def _look_at_watched(self, host: Host, now_ns: int) -> None:
        for pid, entry in list(self._watched.items()):
            try:
                if entry.stat is None:
                    entry.stat = RepeatedFile(f"{host.proc}/{pid}/stat", self._budget)
                data = entry.stat.read(_STAT_BYTES)
            except OSError:
                data = b""
            end = data.rfind(b")")
            fields = data[end + 2 :].split(None, 20)
            if len(fields) < 21 or fields[0] in _DEAD or int(fields[19]) != entry.key.started:
                self._drop(pid)
            elif data[:end] != entry.stat_head or int(fields[1]) != entry.process.ppid:
                entry.stat_head = data[:end]
                self._read_again(host, entry, now_ns)

    def _look_at_orphans(self, host: Host, now_ns: int) -> None:
        """The children of what has ended have another parent now."""
        ended = {key.pid for key in self.gone}
        for entry in [e for e in self.entries.values() if e.process.ppid in ended] if ended else ():
            self._read_again(host, entry, now_ns)

    def _add(self, host: Host, pid: int, now_ns: int) -> None:
        try:
            stat = parse_stat(read_once(f"{host.proc}/{pid}/stat", _STAT_BYTES))
            command = read_once(f"{host.proc}/{pid}/cmdline", _CMDLINE_BYTES)
        except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError):
            return
        except OSError:
            self._listing.try_again(pid)
            return
        argv = parse_cmdline(command)
        if stat.state in "ZX" or (not argv and _KERNEL_THREADS in (pid, stat.ppid)):
            return
        process = Process(key=WorkerKey(pid, stat.started), ppid=stat.ppid, uid=None, comm=stat.comm, argv=argv)
        entry = Entry(process, hash(command), now_ns, stat.started * SECOND_NS // host.ticks_per_second)
        self.entries[pid] = entry
        self.changed.add(pid)
        self._plan(entry, now_ns)

    def _plan(self, entry: Entry, now_ns: int) -> None:
        """When it is to be read again: at the next look while young, then seldom, or never if it is no interpreter."""
        pid = entry.key.pid
        if entry.age_ns(now_ns) < YOUNG_NS:
            entry.due_ns = now_ns + 1
            self._volatile[pid] = entry
        elif entry.watched or _is_interpreter(entry.process):
            spread = 0 if pid in self._volatile else pid % 10 * SECOND_NS
            entry.due_ns = now_ns + READ_AGAIN_NS - spread
            self._volatile[pid] = entry
        else:
            self._volatile.pop(pid, None)

    def _look_at_command(self, host: Host, entry: Entry, now_ns: int) -> None:
        """Whether its command line is another one now; of a watched process, read all again."""
        try:
            command = read_once(f"{host.proc}/{entry.key.pid}/cmdline", _CMDLINE_BYTES)
        except OSError:
            self._drop(entry.key.pid)
            return
        if entry.watched or hash(command) != entry.command_hash:
            self._read_again(host, entry, now_ns)
        else:
            self._plan(entry, now_ns)

    def _read_again(self, host: Host, entry: Entry, now_ns: int) -> None:
        pid = entry.key.pid
        try:
            stat = parse_stat(read_once(f"{host.proc}/{pid}/stat", _STAT_BYTES))
            command = read_once(f"{host.proc}/{pid}/cmdline", _CMDLINE_BYTES)
        except (OSError, ValueError):
            self._drop(pid)
            return
        if stat.started != entry.key.started:
            self._drop(pid)
            self._add(host, pid, now_ns)
            return
        argv, entry.command_hash = parse_cmdline(command), hash(command)
        before = entry.process
        process = Process(
            key=before.key, ppid=stat.ppid, uid=before.uid, comm=stat.comm, argv=argv, cgroups=before.cgroups
        )  # fmt: skip
        entry.process = _completed(host, process) if entry.watched else process
        if entry.process != before:
            self.changed.add(pid)
        self._plan(entry, now_ns)

    def _drop(self, pid: int) -> None:
        entry = self.entries.pop(pid, None)
        if entry is None:
            return
        self._listing.try_again(pid)
        self.gone.append(entry.key)
        self._volatile.pop(pid, None)
        self._watched.pop(pid, None)
        self.changed.discard(pid)
        self._close(entry)

    @staticmethod
    def _close(entry: Entry) -> None:
        if entry.stat is not None:
            entry.stat.close()
            entry.stat = None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())


def _is_interpreter(process: Process) -> bool:
    """A script that is started by its path has the script's name, and the interpreter's only on its command line."""
    names = (process.comm, basename("".join(process.argv[:1])))
    return any(name in SHELLS or is_python(name) for name in names)


def _completed(host: Host, process: Process) -> Process:
    """With owner and cgroup, as far as they can be read."""
    uid, cgroups = process.uid, process.cgroups
    try:
        fields = parse_status_fields(read_once(f"{host.proc}/{process.key.pid}/status", _STATUS_BYTES), "Uid")
        uid = int(fields["Uid"].split()[1])
        cgroups = parse_cgroup(host.text(f"{host.proc}/{process.key.pid}/cgroup"))
    except (OSError, KeyError, IndexError, ValueError):
        pass
    return Process(
        key=process.key, ppid=process.ppid, uid=uid, comm=process.comm, argv=process.argv, cgroups=cgroups
    )  # fmt: skip
