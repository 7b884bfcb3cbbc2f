"""How much CPU does it take to find the services among 500 processes?"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from statistics import median

from bench.stats import percentile
from collectors.discovery import Discovery
from collectors.host import Host
from collectors.reading import Instant
from tests.crowd import Row, crowd, servers

PROCESSES = 500
NEW = 5
APART = 200_000
"""Between the pids of one round of the crowd and of the next."""
SECOND_NS = 1_000_000_000


class PassClock:
    """A clock that the passes move on by a second each."""

    def __init__(self) -> None:
        self.seconds = 10_000

    def now(self) -> Instant:
        return Instant(self.seconds * SECOND_NS, 1_800_000_000 * SECOND_NS + self.seconds * SECOND_NS)


def measure(folder: Path, rounds: int) -> None:
    """Thread CPU of single passes: over processes that are all new, over unchanged ones, and with a few new ones. The
    processes are files of a crowd with model servers among it; then those of this machine, for the kernel's part."""
    rows = node(PROCESSES)
    clock = PassClock()
    host = Host.at(folder, clock)
    write(folder, rows)
    _report(f"first pass over {PROCESSES} processes", list(_first(host, clock, rounds)))
    discovery = _settled(host, clock, rows)
    print(f"  {sum(len(s.workers) for s in discovery.services)} of them in {len(discovery.services)} services")
    _report("unchanged pass", [_pass(discovery, host, clock) for _ in range(10 * rounds)])
    _report(f"pass with {NEW} new processes", list(_with_new(folder, host, clock, discovery, rows, rounds)))
    discovery.close()
    real = Host.real()
    _report("first pass over this machine's processes", [_cpu_ms(Discovery(), real) for _ in range(rounds)])
    same = Discovery()
    same.scan(real)
    _report("unchanged pass over this machine's", [_cpu_ms(same, real) for _ in range(10 * rounds)])


def node(count: int) -> list[Row]:
    """A server of each framework and as many processes of the crowd as make `count`, again and again with other pids."""
    found = [row for rows in servers().values() for row in rows]
    others = crowd()
    for place, row in enumerate(cycle(others)):
        if len(found) == count:
            return found
        turn = place // len(others) * APART
        init = row.ppid <= 1
        if turn and row.pid == 1:
            continue
        found.append(replace(row, pid=row.pid + turn, ppid=row.ppid if init else row.ppid + turn))
    return found


def write(root: Path, rows: Sequence[Row]) -> None:
    """What discovery reads of each process below `root`/proc."""
    for row in rows:
        folder = root / "proc" / str(row.pid)
        folder.mkdir(parents=True)
        fields = ["0"] * 50
        fields[0], fields[1], fields[17], fields[19] = "S", str(row.ppid), "1", str(row.started)
        (folder / "stat").write_text(f"{row.pid} ({row.comm}) {' '.join(fields)}\n")
        (folder / "cmdline").write_bytes("".join(f"{item}\0" for item in row.argv).encode())
        (folder / "status").write_text(f"Name:\t{row.comm}\nUid:\t0\t0\t0\t0\n")
        (folder / "cgroup").write_text("0::/\n")
    last = max(row.pid for row in rows)
    (root / "proc" / "loadavg").write_text(f"0.00 0.00 0.00 1/{len(rows)} {last}\n")


def _first(host: Host, clock: PassClock, rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        discovery = Discovery()
        yield _pass(discovery, host, clock)
        discovery.close()


def _settled(host: Host, clock: PassClock, rows: Sequence[Row]) -> Discovery:
    """A discovery that has learnt what a look inside each process would show."""
    discovery = Discovery()
    discovery.scan(host)
    for row in rows:
        discovery.learn(row.facts)
    for _ in range(30):
        _pass(discovery, host, clock)
    return discovery


def _with_new(
    root: Path, host: Host, clock: PassClock, discovery: Discovery, rows: Sequence[Row], rounds: int
) -> Iterator[float]:
    """Each round starts five shells' children, takes the pass that finds them, and ends them."""
    shell = next(row.pid for row in rows if row.comm == "bash")
    for turn in range(rounds):
        pids = range(10 * APART + turn * NEW, 10 * APART + (turn + 1) * NEW)
        new = [replace(rows[pid % len(rows)], pid=pid, ppid=shell) for pid in pids]
        write(root, new)
        yield _pass(discovery, host, clock)
        for row in new:
            shutil.rmtree(root / "proc" / str(row.pid))
        for _ in range(6):  # the next listing of everything, at which they are missed
            _pass(discovery, host, clock)


def _pass(discovery: Discovery, host: Host, clock: PassClock) -> float:
    clock.seconds += 1
    return _cpu_ms(discovery, host)


def _cpu_ms(discovery: Discovery, host: Host) -> float:
    before = time.thread_time_ns()
    discovery.scan(host)
    return (time.thread_time_ns() - before) / 1e6


def _report(what: str, values: Sequence[float]) -> None:
    low, high = percentile(values, 0.025), percentile(values, 0.975)
    print(f"  {what}: {median(values):.2f} ms CPU (95 % of {len(values)} within {low:.2f} to {high:.2f})", flush=True)
