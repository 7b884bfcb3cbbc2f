"""Which numbers make up a host? Plain rows, in the units of the kernel files, that know no file format.

`catalogue.py` fills them in, `build.py` writes them as kernel files, `expect.py` says what a collector must make of
them. None means that this kernel or host does not give the number.
"""

from dataclasses import dataclass

NO_V1_LIMIT_BYTES = 9223372036854771712
"""What memory.limit_in_bytes of cgroup v1 says where there is no limit (LONG_MAX cut to a page)."""


@dataclass(frozen=True, kw_only=True)
class ThreadRow:
    """A thread. `thread_class` is what it is to be taken for."""

    tid: int
    comm: bytes
    thread_class: str
    state: str = "S"
    user_ticks: int
    system_ticks: int
    run_ns: int
    delay_ns: int
    timeslices: int
    cpu: int
    allowed: str
    voluntary: int
    involuntary: int


@dataclass(frozen=True, kw_only=True)
class ProcessRow:
    """A process; `role` None = not of the service. `gone`: its folder is listed, but nothing in it can be read."""

    pid: int
    ppid: int
    started: int
    uid: int = 1000
    comm: bytes
    argv: tuple[bytes, ...]
    role: str | None = None
    threads: tuple[ThreadRow, ...] = ()
    minor_faults: int = 0
    major_faults: int = 0
    user_ticks: int = 0
    system_ticks: int = 0
    children_user_ticks: int = 0
    children_system_ticks: int = 0
    resident_pages: int = 0
    read_bytes: int | None = None
    write_bytes: int | None = None
    libraries: tuple[str, ...] | None = None
    cgroups: tuple[tuple[int, str, str], ...] = ((0, "", "/"),)
    own_netns: "tuple[SocketRow, ...] | None" = None
    gone: bool = False


@dataclass(frozen=True, kw_only=True)
class CoreRow:
    """A `cpuN` line of /proc/stat, in ticks. Guest time is part of `user` already."""

    cpu: int
    user: int
    nice: int
    system: int
    idle: int
    iowait: int
    irq: int
    softirq: int
    steal: int
    guest: int = 0


@dataclass(frozen=True, kw_only=True)
class NodeRow:
    """What is counted once per node. Memory in KiB; `oom_kills` None = a kernel before 4.13."""

    last_pid: int
    forks: int
    context_switches: int
    running: int
    blocked: int
    total_kib: int
    available_kib: int
    free_kib: int
    cached_kib: int
    swap_total_kib: int
    swap_free_kib: int
    page_faults: int
    major_faults: int
    swap_in_pages: int
    swap_out_pages: int
    oom_kills: int | None
    listen_overflows: int
    listen_drops: int


@dataclass(frozen=True, kw_only=True)
class SocketRow:
    """A row of /proc/net/tcp (family 4) or tcp6. For a LISTEN row `rx_queue` is the length of its accept queue."""

    family: int = 4
    port: int
    remote_port: int = 0
    state: int
    rx_queue: int = 0
    inode: int = 0


@dataclass(frozen=True, kw_only=True)
class CgroupRow:
    """One level of the hierarchy. None = the level has no such file; `quota_us` -1 = it has one that says "no limit",
    likewise `memory_limit_bytes` -1."""

    path: str
    quota_us: int | None = None
    period_us: int | None = None
    weight: int | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    throttled_us: int | None = None
    usage_us: int | None = None
    cpus: str | None = None
    memory_limit_bytes: int | None = None
    memory_current_bytes: int | None = None
    memory_peak_bytes: int | None = None
    memory_limit_hits: int | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, kw_only=True)
class CgroupTree:
    """`version`: v1, v2 or hybrid. `folders`: the mount folder of each v1 controller. `reachable`: False where the
    levels are those of the reader itself, and the watched processes live outside of what it has mounted.
    `mounted`: the path in the host's hierarchy that the mounts show as their root; the levels begin there. `own`: the
    reader's cgroup as /proc/self/cgroup names it."""

    version: str
    levels: tuple[CgroupRow, ...]
    folders: tuple[tuple[str, str], ...] = ()
    reachable: bool = True
    mounted: str = "/"
    own: str = "/system.slice/nodewright.service"

    def folder(self, controller: str) -> str:
        return dict(self.folders)[controller]


@dataclass(frozen=True, kw_only=True)
class CpuRow:
    """A CPU's place in the machine. `caches`: (level, type, size in KiB, CPUs that share it)."""

    cpu: int
    online: bool = True
    node: int | None = 0
    core_id: int = 0
    package: int = 0
    siblings: str = ""
    caches: tuple[tuple[int, str, int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class HostState:
    """One host at one instant. `pressure`: resource -> (some, full) in µs, or None for a kernel without PSI."""

    node: NodeRow
    cores: tuple[CoreRow, ...]
    pressure: dict[str, tuple[int, int | None]] | None
    sockets: tuple[SocketRow, ...]
    processes: tuple[ProcessRow, ...]
    cgroups: CgroupTree
    cpus: tuple[CpuRow, ...] = ()
    schedstat: bool = True
    port: int | None = 8000

    @property
    def members(self) -> tuple[ProcessRow, ...]:
        """The processes of the model server."""
        return tuple(p for p in self.processes if p.role)


@dataclass(frozen=True, kw_only=True)
class HostTable:
    """A host: one state, or `t0` and `t1` one second apart. `fixture_only`: why no ordinary test machine shows it."""

    name: str
    shows: str
    states: dict[str, HostState]
    fixture_only: str | None = None
