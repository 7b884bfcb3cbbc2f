"""Processes for a sidecar to look into, full of planted secrets."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collectors.entities import WorkerKey
from collectors.procfs import parse_stat

PROGRAM = [sys.executable, str(Path(__file__).with_name("program.py"))]
_LISTENS = """
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def python_server(folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[tuple[WorkerKey, int]]:
    """A Python process that listens, with its key and its port. `planted` stands in everything secret about it. `prefix` is
    a program that becomes it."""
    (folder / "mlserver").write_text(_LISTENS)
    (folder / "settings.json").write_text(json.dumps({"parallel_workers": 2, "db_password": "planted-settings"}))
    env = {
        "OMP_NUM_THREADS": "2",
        "VLLM_API_KEY": "planted-key",
        "MLSERVER_URL": "redis://u:planted-pw@h",
        "HOME": "/x",
    }
    command = [*prefix, sys.executable, *(arguments or ("-c", _LISTENS)), "--api-key", "planted-argv"]
    with subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield key_of(process.pid), port
        finally:
            process.kill()


def key_of(pid: int) -> WorkerKey:
    return WorkerKey(pid, parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).started)


def until(condition: Callable[[], bool]) -> None:
    """Wait for another process; far longer than it ever takes, then fail."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def is_gone(pid: int) -> bool:
    """Whether no process, and no zombie, has this pid."""
    return not os.path.exists(f"/proc/{pid}")
