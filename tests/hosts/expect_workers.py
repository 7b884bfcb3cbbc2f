"""What must be said of the processes and threads of a host's service?"""

import re
from typing import Any

from tests.hosts.table import HostState, ProcessRow, ThreadRow

PAGE_BYTES = 4096
TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000
BUSY_RATIO = 0.05

Row = dict[str, Any]


def living(state: HostState) -> list[ProcessRow]:
    return [process for process in state.members if not process.gone]


def earlier(process: ProcessRow, before: HostState | None) -> ProcessRow | None:
    """The same process in `before`: same pid and same start."""
    members = before.members if before else ()
    return next((p for p in members if (p.pid, p.started) == (process.pid, process.started)), None)


def worker_entity(process: ProcessRow) -> str:
    return f"worker:{process.pid}:{process.started}"


def worker_row(process: ProcessRow, before: ProcessRow | None) -> Row:
    """`before`: the values of the process's status and io files are as old as the fifth run before."""
    slow = before or process
    leader = slow.threads[0]
    return {
        "kind": "worker",
        "entity": worker_entity(process),
        "user_ticks": process.user_ticks,
        "system_ticks": process.system_ticks,
        "children_user_ticks": process.children_user_ticks,
        "children_system_ticks": process.children_system_ticks,
        "resident_bytes": process.resident_pages * PAGE_BYTES,
        "threads": len(process.threads),
        "minor_faults": process.minor_faults,
        "major_faults": process.major_faults,
        "voluntary_switches": leader.voluntary,
        "involuntary_switches": leader.involuntary,
        "read_bytes": slow.read_bytes,
        "write_bytes": slow.write_bytes,
    }


def thread_rows(state: HostState, before: HostState | None) -> list[Row]:
    rows = []
    for process in living(state):
        past = earlier(process, before)
        known = {thread.tid: thread for thread in past.threads} if past else {}
        for thread in process.threads:
            rows.append(thread_row(process, thread, known.get(thread.tid), state.schedstat))
        rows += class_rows(process, known, state.schedstat)
    return rows


def thread_row(process: ProcessRow, thread: ThreadRow, before: ThreadRow | None, schedstat: bool) -> Row:
    run_ns, delay_ns = run_and_delay(thread, schedstat)
    ran = run_ns - run_and_delay(before, schedstat)[0] if before else None
    return {
        "kind": "thread",
        "entity": f"thread:{process.pid}:{process.started}:{thread.tid}",
        "worker": worker_entity(process),
        "name": shown(thread.comm),
        "thread_class": thread.thread_class,
        "state": thread.state,
        "run_ns": run_ns,
        "delay_ns": delay_ns,
        "timeslices": thread.timeslices if schedstat else None,
        "last_cpu": thread.cpu,
        "allowed_cpus": thread.allowed,
        "busy": None if ran is None else int(ran >= BUSY_RATIO * SECOND_NS),
    }


def class_rows(process: ProcessRow, known: dict[int, ThreadRow], schedstat: bool) -> list[Row]:
    """Sums over the living threads and over those that ended since, as they were last read."""
    living_tids = {thread.tid for thread in process.threads}
    ended = [thread for tid, thread in known.items() if tid not in living_tids]
    rows = []
    for name in sorted({thread.thread_class for thread in (*process.threads, *ended)}):
        counted = [t for t in (*process.threads, *ended) if t.thread_class == name]
        times = [run_and_delay(thread, schedstat) for thread in counted]
        delays = [delay for _, delay in times if delay is not None]
        rows.append(
            {
                "kind": "thread_class",
                "entity": f"{worker_entity(process)}:{name}",
                "run_ns": sum(run for run, _ in times),
                "delay_ns": sum(delays) if schedstat else None,
                "threads": sum(t.thread_class == name for t in process.threads),
            }
        )
    return rows


def run_and_delay(thread: ThreadRow, schedstat: bool) -> tuple[int, int | None]:
    """Without schedstat only the CPU time in ticks is known."""
    if schedstat:
        return thread.run_ns, thread.delay_ns
    return (thread.user_ticks + thread.system_ticks) * TICK_NS, None


def shown(raw: bytes) -> str:
    """A name that can be stored and shown: foreign bytes and control characters as `\\xNN`."""
    pieces = re.split(rb"([^\x20-\x7e])", raw)
    return "".join(
        f"\\x{piece[0]:02x}" if re.fullmatch(rb"[^\x20-\x7e]", piece) else piece.decode() for piece in pieces
    )
