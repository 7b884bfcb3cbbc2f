"""Does SIGKILL at any moment cost at most the last two seconds?"""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

LANES = 5
CLAIM_NS = 2_000_000_000

WRITER = """
import itertools, sys, time
from pathlib import Path
from agent.store.retention import Retention
from agent.store.store import Store
from bench.synthetic import SyntheticNode
from collectors.host import SystemClock

clock = SystemClock()
store = Store.open(Path(sys.argv[1]), retention=Retention(), clock=clock)
node = SyntheticNode()
for tick in itertools.count():
    at = clock.now()
    for reading in node.tick(tick, at):
        store.put(reading)
    print(at.wall_ns, store.problem or "", flush=True)
    time.sleep(0.05)
"""


def killed_writer(state: Path, after_seconds: float) -> tuple[list[int], int]:
    """Twenty seconds' worth of samples per second until the kill: when each was put, and when the kill came."""
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(state)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(after_seconds)
    killed_ns = time.time_ns()
    child.send_signal(signal.SIGKILL)
    lines = [first, *child.communicate()[0].splitlines()]
    assert [line for line in lines if line.split()[1:]] == []
    return [int(line) for line in lines], killed_ns


def newest_stored_ns(folder: Path) -> int:
    newest = 0
    for path in sorted(folder.glob("*.db")):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if path.name.startswith("raw-"):
                epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch_unix_seconds'").fetchone()[0]
                milliseconds = connection.execute("SELECT max(time) FROM core").fetchone()[0]
                newest = max(newest, epoch * 10**9 + milliseconds * 10**6)
    return newest


def kill_again_and_again(folder: Path, seed: int, kills: int) -> list[float]:
    """How many seconds each kill cost; the same files go through all of them."""
    chance = random.Random(seed)
    costs = []
    for _ in range(kills):
        put, killed_ns = killed_writer(folder / "state.db", chance.uniform(2.1, 3.3))
        stored_ns = newest_stored_ns(folder)
        safe = [at for at in put if at <= killed_ns - CLAIM_NS]
        assert safe, "the writer did not run long enough to be judged"
        assert stored_ns >= safe[-1] // 10**6 * 10**6
        costs.append((killed_ns - stored_ns) / 1e9)
    return costs


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20, pytest.param(50, marks=pytest.mark.heavy)])
def test_each_of_many_kills_costs_at_most_two_seconds_and_damages_nothing(tmp_path: Path, kills: int) -> None:
    folders = [tmp_path / f"lane-{lane}" for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        each = [kills // LANES] * LANES
        costs = [cost for its in pool.map(kill_again_and_again, folders, range(LANES), each) for cost in its]
    assert len(costs) == kills
    print(f"\nlost: at most {max(costs):.2f} s, on average {sum(costs) / len(costs):.2f} s")
