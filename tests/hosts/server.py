"""What does a host with a gunicorn master and two workers count, now and a second later?

Every number of a host is different, so that a collector that mixes up two fields or two hosts is caught; `salt` shifts
the counters of a host.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from tests.hosts.layouts import ROOT_ONLY, Lines
from tests.hosts.table import CoreRow, HostState, NodeRow, ProcessRow, SocketRow, ThreadRow

GUNICORN = (b"/opt/venv/bin/python3.11", b"/opt/venv/bin/gunicorn", b"-w", b"2", b"-b", b"127.0.0.1:8000", b"app:app")
MASTER, FIRST, SECOND = 811, 812, 813
ESTABLISHED, TIME_WAIT, LISTEN = 0x01, 0x06, 0x0A


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
        last_pid=6_946,
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
        row,
        last_pid=row.last_pid + 5,
        forks=row.forks + 5,
        context_switches=row.context_switches + 901,
        page_faults=row.page_faults + 77,
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
