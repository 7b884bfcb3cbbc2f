"""What does a program cost, its children included?"""

import os
from dataclasses import dataclass
from pathlib import Path

from agent.demo.processes import members, process_table

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident and proportional set size of one process, in bytes; `proportional_bytes` None without the rights."""

    pid: int
    command: str
    resident_bytes: int
    proportional_bytes: int | None


def tree_pids(root: int) -> list[int]:
    """The program that was started as `root` and everything that came of it."""
    return [row.pid for row in members([root], process_table())]


def tree_cpu_seconds(root: int) -> float:
    """CPU time of the program and all its children, those that have ended and were waited for included.

    User, system, and both of the children that were waited for, from /proc/PID/stat: what a child spent moves from its
    own row to its parent's, and is in the sum exactly once.
    """
    return sum(_cpu_ticks(pid) for pid in tree_pids(root)) * TICK_SECONDS


def tree_memory(root: int) -> list[Memory]:
    """Memory of each process of the program."""
    rows = [_memory(pid) for pid in tree_pids(root)]
    return [row for row in rows if row is not None]


def _cpu_ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return sum(map(int, text[text.rindex(b")") + 2 :].split()[11:15]))


def _memory(pid: int) -> Memory | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
    return Memory(pid=pid, command=command, resident_bytes=resident, proportional_bytes=_proportional(pid))


def _proportional(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), None)
