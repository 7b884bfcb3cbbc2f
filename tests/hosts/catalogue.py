"""Which hosts are there, and with which numbers?

Every number of a host is different, so that a collector that mixes up two fields or two hosts is caught; `salt` shifts
the counters of a host.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from tests.hosts.layouts import (
    COMOUNTED,
    HYBRID,
    HYBRID_LINES,
    NUMA_CPUS,
    RHEL7,
    RHEL7_LINES,
    ROOT_ONLY,
    SIDECAR,
    SIDECAR_LINES,
    UNIFIED,
    UNIFIED_LINES,
    V1,
    V1_LINES,
    Lines,
    comounted_lines,
    flat_cpus,
)
from tests.hosts.table import CoreRow, HostState, HostTable, NodeRow, ProcessRow, SocketRow, ThreadRow

GUNICORN = (b"/opt/venv/bin/python3.11", b"/opt/venv/bin/gunicorn", b"-w", b"2", b"-b", b"127.0.0.1:8000", b"app:app")
MASTER, FIRST, SECOND = 811, 812, 813
ESTABLISHED, TIME_WAIT, LISTEN = 0x01, 0x06, 0x0A


def hosts() -> tuple[HostTable, ...]:
    """Every host of this folder."""
    return (
        HostTable(
            name="plain-v1", shows="4 cores, cgroup v1 in separate mounts, a throttling quota", states={"": plain_v1()}
        ),
        HostTable(
            name="v1-comounted",
            shows="a container on cgroup v1 with cpu and cpuacct in one mount; CPU 2 is offline",
            states={"": v1_comounted()},
        ),
        HostTable(
            name="v2",
            shows="a pod on cgroup v2; the quota is set on the pod, not on the container",
            states={"": v2()},
            fixture_only="needs a kubelet on cgroup v2 with the cpu, cpuset and memory controllers",
        ),
        HostTable(
            name="hybrid",
            shows="v1 controllers beside an empty v2 hierarchy; the second worker sits in a cgroup of its own",
            states={"": hybrid()},
        ),
        HostTable(
            name="numa-smt",
            shows="2 NUMA nodes, 4 cores with 2 hyperthreads each, shared caches",
            states={"": numa_smt()},
            fixture_only="needs a machine with two sockets",
        ),
        HostTable(name="no-psi", shows="no /proc/pressure and no /proc/PID/io", states={"": no_psi()}),
        HostTable(
            name="no-schedstat",
            shows="Linux 3.10: no schedstat, no oom_kill line, `cpuacct,cpu` lines on a `cpu,cpuacct` mount",
            states={"": no_schedstat()},
            fixture_only="needs a kernel without CONFIG_SCHED_INFO",
        ),
        HostTable(name="hidepid", shows="/proc with hidepid=2: only the reader's own process", states={"": hidepid()}),
        HostTable(
            name="sidecar-view",
            shows="a sidecar container in a private cgroup namespace: the server's cgroup is out of reach",
            states={"": sidecar_view()},
            fixture_only="needs a pod with a shared process namespace",
        ),
        HostTable(
            name="hostile-names",
            shows="names with `)`, newlines, control characters and bytes that are not UTF-8",
            states={"": hostile_names()},
        ),
        HostTable(
            name="vanished-pids",
            shows="folders of processes that end while they are read; at t1 a worker and a thread are gone",
            states={"t0": vanished_pids(), "t1": vanished_pids_later()},
        ),
        HostTable(
            name="reused-pid",
            shows="at t1 the pid of a worker belongs to a new worker, one thread of which has yet to run (`0 0 0`)",
            states={"t0": reused_pid(), "t1": reused_pid_later()},
        ),
        HostTable(
            name="other-netns",
            shows="the service's port is only in its own network namespace",
            states={"": other_netns()},
        ),
        HostTable(
            name="counter-reset",
            shows="at t1 a core, the cgroup and the network counters start again",
            states={"t0": counter_reset(), "t1": counter_reset_later()},
        ),
    )


def plain_v1() -> HostState:
    state = base(salt=0, lines=V1_LINES)
    pressure = {"cpu": (3_716_391, None), "memory": (21_003, 20_001), "io": (88_412, 71_110)}
    return replace(state, cgroups=V1, pressure=pressure, cpus=flat_cpus(4))


def v1_comounted() -> HostState:
    state = base(salt=1, cpus=(0, 1, 3), lines=comounted_lines("cpu,cpuacct"))
    return replace(state, cgroups=COMOUNTED, cpus=flat_cpus(4, offline=2))


def v2() -> HostState:
    return replace(base(salt=2, lines=UNIFIED_LINES), cgroups=UNIFIED)


def hybrid() -> HostState:
    state = base(salt=3, lines=HYBRID_LINES)
    own = tuple((n, names, path if path == "/" else f"{path}/second") for n, names, path in HYBRID_LINES)
    return replace(state, cgroups=HYBRID, processes=changed(state, SECOND, lambda p: replace(p, cgroups=own)))


def numa_smt() -> HostState:
    return replace(base(salt=4, cpus=range(8)), cpus=NUMA_CPUS)


def no_psi() -> HostState:
    state = base(salt=5)
    silent = tuple(replace(p, read_bytes=None, write_bytes=None) for p in state.processes)
    return replace(state, pressure=None, processes=silent)


def no_schedstat() -> HostState:
    state = base(salt=6, lines=RHEL7_LINES)
    node = replace(state.node, oom_kills=None)
    return replace(state, cgroups=RHEL7, schedstat=False, pressure=None, node=node)


def hidepid() -> HostState:
    own = ProcessRow(
        pid=4321,
        ppid=1,
        started=9_000,
        uid=990,
        comm=b"nodewright",
        argv=(b"/opt/nodewright/bin/python3.11", b"/opt/nodewright/bin/nodewright", b"run"),
    )
    return replace(base(salt=7), processes=(own,))


def sidecar_view() -> HostState:
    return replace(base(salt=8, lines=SIDECAR_LINES), cgroups=SIDECAR)


def hostile_names() -> HostState:
    state = base(salt=9)
    title = b"gunicorn: worker [app:app]\x1b[31m\x07\nroot:x:0:0"
    named = tuple(replace(p, comm=b") R 1 (", argv=(title,)) if p.pid == SECOND else p for p in state.processes)
    named = tuple(replace(p, threads=tuple(hostile_thread(t) for t in p.threads)) for p in named)
    foreign = (
        ProcessRow(pid=4001, ppid=1, started=5_001, comm=b"a\nb) S 1 2 3", argv=(b"a\nb", b"", b"--x=\x1b]0;t\x07")),
        ProcessRow(pid=4002, ppid=1, started=5_002, comm=b"w\xff\xfe\\\t", argv=(b"\xff\xfe\xfd", b"\xc3")),
        ProcessRow(pid=4003, ppid=1, started=5_003, comm=b")", argv=()),
    )
    return replace(state, processes=named + foreign, port=None)


def hostile_thread(row: ThreadRow) -> ThreadRow:
    """The pool's threads, which no longer bear the names of their processes and so count as Python's: those of the
    first worker have hostile names, those of the second kept theirs while the process took another."""
    names = {10 * FIRST: b"x\n) R 0 (", 10 * FIRST + 1: b"\xff\xfewrk\\\t", SECOND: b") R 1 ("}
    kind = "python" if row.thread_class == "compute" else row.thread_class
    return replace(row, comm=names.get(row.tid, row.comm), thread_class=kind)


def vanished_pids() -> HostState:
    state = base(salt=10)
    return replace(
        state, processes=(*state.processes, ProcessRow(pid=900, ppid=1, started=0, comm=b"", argv=(), gone=True))
    )


def vanished_pids_later() -> HostState:
    state = a_second_later(vanished_pids())
    state = replace(state, processes=changed(state, SECOND, lambda p: replace(p, gone=True)))
    ended = changed(state, FIRST, lambda p: replace(p, threads=tuple(t for t in p.threads if t.tid != 10 * FIRST + 1)))
    return replace(state, processes=ended)


def reused_pid() -> HostState:
    return base(salt=11)


def reused_pid_later() -> HostState:
    state = a_second_later(reused_pid())
    young = worker(SECOND, salt=500, started=77_777, lines=((0, "", "/"),))
    born = ThreadRow(
        tid=10 * SECOND + 5,
        comm=b"gunicorn",
        thread_class="compute",
        state="R",
        user_ticks=0,
        system_ticks=0,
        run_ns=0,
        delay_ns=0,
        timeslices=0,
        cpu=2,
        allowed="0-3",
        voluntary=0,
        involuntary=0,
    )
    return replace(state, processes=changed(state, SECOND, lambda _: replace(young, threads=(*young.threads, born))))


def other_netns() -> HostState:
    state = base(salt=12)
    own = tuple(s for s in state.sockets if s.port == 8000)
    processes = changed(state, MASTER, lambda p: replace(p, own_netns=own))
    return replace(state, sockets=tuple(s for s in state.sockets if s.port == 22), processes=processes)


def counter_reset() -> HostState:
    return replace(base(salt=13, lines=V1_LINES), cgroups=V1)


def counter_reset_later() -> HostState:
    state = a_second_later(counter_reset())
    fresh = CoreRow(cpu=1, user=3, nice=0, system=2, idle=94, iowait=0, irq=0, softirq=1, steal=0)
    cores = tuple(fresh if core.cpu == 1 else core for core in state.cores)
    levels = tuple(
        replace(level, periods=10, throttled_periods=1, throttled_us=4_005, usage_us=150_006)
        if level.periods
        else level
        for level in state.cgroups.levels
    )
    node = replace(state.node, listen_overflows=0, listen_drops=0)
    return replace(state, cores=cores, node=node, cgroups=replace(state.cgroups, levels=levels))


def base(salt: int, cpus: Iterable[int] = range(4), lines: Lines = ((0, "", "/"),)) -> HostState:
    """A gunicorn master with two workers on a host without cgroup limits."""
    cpus = tuple(cpus)
    system = (
        ProcessRow(pid=1, ppid=0, started=1, uid=0, comm=b"systemd", argv=(b"/sbin/init",)),
        ProcessRow(pid=2, ppid=0, started=1, uid=0, comm=b"kthreadd", argv=()),
    )
    server = (master(salt, lines), worker(FIRST, salt, 4_410, lines), worker(SECOND, salt + 40, 4_412, lines))
    return HostState(
        node=node(salt),
        cores=tuple(core(number, salt) for number in cpus),
        pressure={name: (1_000_003 * n + salt, 70_001 * n + salt) for n, name in enumerate(("cpu", "memory", "io"), 1)},
        sockets=sockets(salt),
        processes=system + server,
        cgroups=ROOT_ONLY,
    )


def node(salt: int) -> NodeRow:
    return NodeRow(
        forks=6_330 + salt,
        context_switches=228_658 + salt,
        running=3 + salt,
        blocked=1 + salt,
        total_kib=24_684_084 + salt,
        available_kib=20_326_408 + salt,
        free_kib=19_354_128 + salt,
        cached_kib=901_644 + salt,
        swap_total_kib=2_097_148 + salt,
        swap_free_kib=1_048_572 + salt,
        page_faults=1_857_349 + salt,
        major_faults=1_113 + salt,
        swap_in_pages=51 + salt,
        swap_out_pages=87 + salt,
        oom_kills=4 + salt,
        listen_overflows=17 + salt,
        listen_drops=19 + salt,
    )


def core(number: int, salt: int) -> CoreRow:
    shift = 1_000 * number + salt
    return CoreRow(
        cpu=number,
        user=6_611 + shift,
        nice=13 + salt,
        system=1_446 + shift,
        idle=106_191 + shift,
        iowait=230 + salt,
        irq=5 + salt,
        softirq=25 + number,
        steal=8 + number + salt,
        guest=2,
    )


def sockets(salt: int) -> tuple[SocketRow, ...]:
    """Port 8000 as two SO_REUSEPORT sockets, and what must not be counted: a closed connection, a client's end."""
    return (
        SocketRow(port=22, state=LISTEN, inode=1_022),
        SocketRow(port=8000, state=LISTEN, rx_queue=0x10 + salt, inode=1_076),
        SocketRow(port=8000, state=LISTEN, rx_queue=0x0B, inode=1_077),
        SocketRow(port=8000, remote_port=40_000, state=ESTABLISHED, rx_queue=0x3E8, inode=1_078),
        SocketRow(port=8000, remote_port=40_001, state=ESTABLISHED, inode=1_079),
        SocketRow(port=8000, remote_port=40_002, state=TIME_WAIT),
        SocketRow(port=40_003, remote_port=8000, state=ESTABLISHED, inode=1_080),
        SocketRow(port=22, remote_port=50_022, state=ESTABLISHED, inode=1_081),
        SocketRow(family=6, port=9090, state=LISTEN, rx_queue=4, inode=1_090),
        SocketRow(family=6, port=8000, remote_port=40_004, state=ESTABLISHED, inode=1_082),
    )


def master(salt: int, lines: Lines) -> ProcessRow:
    return ProcessRow(
        pid=MASTER,
        ppid=1,
        started=4_400,
        comm=b"gunicorn",
        argv=GUNICORN,
        role="front-end",
        threads=(main_thread(MASTER, salt),),
        minor_faults=5_213 + salt,
        major_faults=2 + salt,
        user_ticks=31 + salt,
        system_ticks=12 + salt,
        children_user_ticks=7_001 + salt,
        children_system_ticks=702 + salt,
        resident_pages=7_356 + salt,
        read_bytes=1_036_288 + salt,
        write_bytes=8_192 + salt,
        libraries=(),
        cgroups=lines,
    )


def worker(pid: int, salt: int, started: int, lines: Lines) -> ProcessRow:
    """A worker: main thread, a busy and a sleeping thread of the BLAS pool (which bear the process's name), and an
    io_uring thread of the kernel."""
    return ProcessRow(
        pid=pid,
        ppid=MASTER,
        started=started,
        comm=b"gunicorn",
        argv=GUNICORN,
        role="worker",
        threads=(
            main_thread(pid, salt),
            pool_thread(10 * pid, salt, busy=True),
            pool_thread(10 * pid + 1, salt, busy=False),
            kernel_thread(10 * pid + 2, pid, salt),
        ),
        minor_faults=41_003 + salt,
        major_faults=11 + salt,
        user_ticks=9_310 + salt,
        system_ticks=518 + salt,
        children_user_ticks=3 + salt,
        children_system_ticks=1 + salt,
        resident_pages=44_239 + salt,
        read_bytes=52_428_800 + salt,
        write_bytes=409_600 + salt,
        libraries=("openblas",),
        cgroups=lines,
    )


def main_thread(pid: int, salt: int) -> ThreadRow:
    return ThreadRow(
        tid=pid,
        comm=b"gunicorn",
        thread_class="main",
        user_ticks=28 + salt,
        system_ticks=11 + salt,
        run_ns=391_000_117 + salt,
        delay_ns=55_004_003 + salt,
        timeslices=604 + salt,
        cpu=0,
        allowed="0-3",
        voluntary=2_034 + salt,
        involuntary=114 + salt,
    )


def pool_thread(tid: int, salt: int, busy: bool) -> ThreadRow:
    return ThreadRow(
        tid=tid,
        comm=b"gunicorn",
        thread_class="compute",
        state="R" if busy else "S",
        user_ticks=(9_200 if busy else 61) + salt,
        system_ticks=(480 if busy else 20) + salt,
        run_ns=(96_804_000_551 if busy else 812_000_331) + salt,
        delay_ns=(48_000_000_771 if busy else 6_000_221) + salt,
        timeslices=(31_004 if busy else 88) + salt,
        cpu=1 if busy else 3,
        allowed="1" if busy else "0-1,3",
        voluntary=(771 if busy else 85) + salt,
        involuntary=(30_233 if busy else 3) + salt,
    )


def kernel_thread(tid: int, pid: int, salt: int) -> ThreadRow:
    return ThreadRow(
        tid=tid,
        comm=b"iou-wrk-%d" % pid,
        thread_class="kernel",
        user_ticks=0,
        system_ticks=7 + salt,
        run_ns=70_000_013 + salt,
        delay_ns=1_000_009 + salt,
        timeslices=41 + salt,
        cpu=2,
        allowed="0-3",
        voluntary=40 + salt,
        involuntary=1 + salt,
    )


def changed(state: HostState, pid: int, change: Callable[[ProcessRow], ProcessRow]) -> tuple[ProcessRow, ...]:
    return tuple(change(p) if p.pid == pid else p for p in state.processes)


def a_second_later(state: HostState) -> HostState:
    """Counters one second on: of the pool only the busy thread ran; the master's main thread ran exactly 5 % of the
    time, the workers' 2 %."""
    cores = tuple(
        replace(c, user=c.user + 70 + c.cpu, idle=c.idle + 28 - c.cpu, system=c.system + 2) for c in state.cores
    )
    row = state.node
    later = replace(
        row, forks=row.forks + 5, context_switches=row.context_switches + 901, page_faults=row.page_faults + 77
    )
    return replace(state, cores=cores, node=later, processes=tuple(process_later(p) for p in state.processes))


def process_later(row: ProcessRow) -> ProcessRow:
    if not row.role:
        return row
    ran = {"main": 50_000_000 if row.role == "front-end" else 20_000_000, "compute": 970_000_000, "kernel": 0}
    threads = tuple(
        replace(t, run_ns=t.run_ns + ran[t.thread_class], delay_ns=t.delay_ns + 30_000_001, timeslices=t.timeslices + 9,
                user_ticks=t.user_ticks + ran[t.thread_class] // 10_000_000)
        if t.state == "R" or t.thread_class == "main" else t
        for t in row.threads
    )  # fmt: skip
    return replace(
        row,
        threads=threads,
        user_ticks=row.user_ticks + 99,
        minor_faults=row.minor_faults + 6,
        read_bytes=None if row.read_bytes is None else row.read_bytes + 4_096,
        write_bytes=None if row.write_bytes is None else row.write_bytes + 512,
    )
