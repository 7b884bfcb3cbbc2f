"""Which hosts are there, and what is special about each?"""

from dataclasses import replace

from tests.hosts.layouts import (
    COMOUNTED,
    HYBRID,
    HYBRID_LINES,
    NUMA_CPUS,
    RHEL7,
    RHEL7_LINES,
    SAME_CONTAINER,
    SAME_CONTAINER_LINES,
    SIDECAR,
    SIDECAR_LINES,
    UNIFIED,
    UNIFIED_LINES,
    V1,
    V1_LINES,
    V1_SIDECAR,
    V1_SIDECAR_LINES,
    comounted_lines,
    flat_cpus,
)
from tests.hosts.server import FIRST, MASTER, SECOND, a_second_later, base, changed, worker
from tests.hosts.table import CoreRow, HostState, HostTable, ProcessRow, ThreadRow


def hosts() -> tuple[HostTable, ...]:
    """Every host of this folder."""
    return (*server_hosts(), *view_hosts(), *moving_hosts())


def server_hosts() -> tuple[HostTable, ...]:
    """Machines: cgroups, cores, kernels."""
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
    )


def view_hosts() -> tuple[HostTable, ...]:
    """What a reader is shown, or is not."""
    return (
        HostTable(name="hidepid", shows="/proc with hidepid=2: only the reader's own process", states={"": hidepid()}),
        HostTable(
            name="sidecar-view",
            shows="a sidecar container in a private cgroup namespace: the server's cgroup is out of reach",
            states={"": sidecar_view()},
            fixture_only="needs a pod with a shared process namespace",
        ),
        HostTable(
            name="sidecar-v1",
            shows="a sidecar container on cgroup v1: paths are those of the host, the mounts show only its own cgroup",
            states={"": sidecar_v1()},
            fixture_only="needs a pod with a shared process namespace on cgroup v1",
        ),
        HostTable(
            name="same-container",
            shows="reader and server in one container on cgroup v1: the mounts begin at the cgroup of both",
            states={"": same_container()},
            fixture_only="needs a container runtime on cgroup v1",
        ),
        HostTable(
            name="hostile-names",
            shows="names with `)`, newlines, control characters and bytes that are not UTF-8",
            states={"": hostile_names()},
        ),
        HostTable(
            name="other-netns",
            shows="the service's port is only in its own network namespace",
            states={"": other_netns()},
        ),
    )


def moving_hosts() -> tuple[HostTable, ...]:
    """What changes within a second."""
    return (
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


def sidecar_v1() -> HostState:
    return replace(base(salt=14, lines=V1_SIDECAR_LINES), cgroups=V1_SIDECAR)


def same_container() -> HostState:
    return replace(base(salt=15, lines=SAME_CONTAINER_LINES), cgroups=SAME_CONTAINER)


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
