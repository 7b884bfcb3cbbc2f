"""From what is a day composed? A few minutes of two real servers on this node, recorded once.

    python bench/record_pieces.py OUT.db      (root, cgroup v1; nothing else should run on the node)

Two gunicorn servers with two workers each, in a PID and a network namespace of their own, so that of the rest of the node
nothing but its load is in the recording: one whose workers have a compute thread for each core, and one under a CPU quota
that is too small. Both are idle, then under load, then repaired (restarted with one thread; without a quota) and lightly
loaded. `phases` in the table `meta` of the recording names the first and the last tick of each phase.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.live.servers import CPU_CGROUPS, ONE_THREAD, cpu_quota, gunicorn, load

ROOT = Path(__file__).resolve().parent.parent
SETTLE_SECONDS = 4.0
NAMESPACES = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net")


class Marks:
    """When each phase was, on the wall clock."""

    def __init__(self) -> None:
        self.found: dict[str, tuple[float, float]] = {}

    def phase(self, name: str, seconds: float) -> None:
        time.sleep(SETTLE_SECONDS)
        began = time.time()
        time.sleep(seconds)
        self.found[name] = (began, time.time())

    def write(self, recording: Path) -> None:
        query = "SELECT min(number), max(number) FROM tick WHERE wall_ns BETWEEN ? AND ?"
        with closing(sqlite3.connect(recording)) as connection:
            spans = {name: [int(at * 1e9) for at in span] for name, span in self.found.items()}
            ticks = {name: connection.execute(query, span).fetchone() for name, span in spans.items()}
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('phases', ?)", (json.dumps(ticks),))
            connection.commit()


def record(out: Path, folder: Path) -> None:
    """In the namespaces: the servers, their load, and the recorder beside them."""
    marks = Marks()
    with ExitStack() as stack:
        enter = stack.enter_context(cpu_quota(0.3))
        throttled = stack.enter_context(gunicorn(folder, workers=2, env=ONE_THREAD, before=enter))
        with gunicorn(folder, workers=2) as crowded:
            recorder = subprocess.Popen([sys.executable, str(ROOT / "nodewright.py"), "record", "--output", str(out)])
            time.sleep(10)
            marks.phase("idle", 20)
            with load(crowded, "closed", "8"), load(throttled, "closed", "2"):
                marks.phase("bad", 45)
        (CPU_CGROUPS / f"nodewright-test-{os.getpid()}" / "cpu.cfs_quota_us").write_text("-1")
        repaired = stack.enter_context(gunicorn(folder, workers=2, env=ONE_THREAD, port=crowded))
        with load(repaired, "open", "12", "1"), load(throttled, "open", "8", "1"):
            time.sleep(8)
            marks.phase("healthy", 45)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(60)
    marks.write(out)


def main() -> int:
    out = Path(sys.argv[-1]).resolve()
    if sys.argv[1] == "--inside":
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            record(out, Path(folder))
        return 0
    command = [*NAMESPACES, sys.executable, str(Path(__file__).resolve()), "--inside", str(out)]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
