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
    return sum(sum(_cpu_times(pid)) for pid in tree_pids(root))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """CPU seconds of an agent itself, its sidecar itself, and all other programs that they started and waited for."""

    agent: float
    sidecar: float
    others: float

    def __sub__(self, before: "Parts") -> "Parts":
        return Parts(
            agent=self.agent - before.agent, sidecar=self.sidecar - before.sidecar, others=self.others - before.others
        )

    def __add__(self, other: "Parts") -> "Parts":
        return Parts(
            agent=self.agent + other.agent, sidecar=self.sidecar + other.sidecar, others=self.others + other.others
        )

    @property
    def total(self) -> float:
        return self.agent + self.sidecar + self.others


def agent_cpu_seconds(root: int) -> Parts:
    """CPU time of the agent that was started as `root`, by who spent it."""
    own = {"agent": 0.0, "sidecar": 0.0, "others": 0.0}
    for row in members([root], process_table()):
        spent = _cpu_times(row.pid)
        name = "agent" if row.pid == root else "sidecar" if " sidecar" in _command(row.pid) else "others"
        own[name] += sum(spent[:2])
        own["others"] += sum(spent[2:])
    return Parts(**own)


def tree_memory(root: int) -> list[Memory]:
    """Memory of each process of the program."""
    rows = [_memory(pid) for pid in tree_pids(root)]
    return [row for row in rows if row is not None]


def _cpu_times(pid: int) -> tuple[float, float, float, float]:
    """User, system, and both of the children that were waited for, in seconds; zeros where the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0.0, 0.0, 0.0, 0.0
    user, system, their_user, their_system = map(int, text[text.rindex(b")") + 2 :].split()[11:15])
    return user * TICK_SECONDS, system * TICK_SECONDS, their_user * TICK_SECONDS, their_system * TICK_SECONDS


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _memory(pid: int) -> Memory | None:
    command = _command(pid)
    try:
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
