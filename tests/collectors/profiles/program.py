"""A Python process whose threads each do one known thing, for a profiler to look at."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collectors.entities import WorkerKey
from collectors.procfs import parse_stat

PROGRAMS = Path(__file__).parents[2] / "programs"


@contextmanager
def waiting_threads(
    *names: str, prefix: Sequence[str] = (), python: str = sys.executable
) -> Iterator[tuple[WorkerKey, dict[str, int]]]:
    """The process and the kernel's numbers of its threads by name (`main` too), as it says them itself."""
    with socket.create_server(("127.0.0.1", 0)) as remote:
        argv = [*prefix, python, str(PROGRAMS / "waiting_threads.py"), str(remote.getsockname()[1]), *names]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                tids = json.loads(process.stdout.readline())
                yield key_of(process.pid), tids
            finally:
                process.kill()


def key_of(pid: int) -> WorkerKey:
    return WorkerKey(pid, parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).started)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
