"""How is a busy node made? Sleeping processes, and gunicorn workers under light load."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.demo.launch import clean_environment
from agent.demo.processes import Programs
from agent.demo.serving import LOAD, free_ports, wait_until_ready
from bench.machine import unbearable

HERE = Path(__file__).parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SLEEPER_BYTES = 2_500_000
WORKER_BYTES = 45_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdSize:
    """How many processes and threads in all, and how many of the threads in how many loaded workers."""

    processes: int = 300
    threads: int = 2000
    workers: int = 4
    worker_threads: int = 40
    wait_seconds: float = 0.25
    """How long a request waits after its work."""
    compute_rounds: int = 8

    def times(self, factor: int) -> "CrowdSize":
        return CrowdSize(
            processes=self.processes * factor,
            threads=self.threads * factor,
            workers=self.workers * factor,
            worker_threads=self.worker_threads * factor,
            wait_seconds=self.wait_seconds,
            compute_rounds=self.compute_rounds,
        )

    @property
    def pool_threads(self) -> int:
        """Threads of one worker's pool; its main thread accepts."""
        return self.worker_threads // self.workers - 1

    def __str__(self) -> str:
        return (
            f"{self.processes} processes, {self.threads} threads, "
            f"{self.worker_threads} of them in {self.workers} workers under light load"
        )


class NotHereError(Exception):
    """This machine cannot show it; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running gunicorn: its first process and its port."""

    program: "subprocess.Popen[bytes]"
    port: int


def start_service(
    programs: Programs, bin_folder: Path, folder: Path, *, workers: int, threads: int, environment: dict[str, str]
) -> Service:
    """gunicorn with the worker application on a free loopback port, ready."""
    [port] = free_ports(1)
    log = folder / f"gunicorn-{port}.log"
    options = [
        "--workers",
        str(workers),
        "--threads",
        str(threads),
        "--worker-class",
        "gthread" if threads > 1 else "sync",
    ]
    program = programs.start(
        [
            *(str(bin_folder / "gunicorn"), "--chdir", str(HERE), "--config", str(HERE / "worker_app.py")),
            *("--bind", f"127.0.0.1:{port}", "--backlog", "4096", "--timeout", "120", "--keep-alive", "75"),
            *("--no-control-socket", "--log-level", "warning", *options, "worker_app:application"),
        ],
        env={**clean_environment(os.environ), **ONE_THREAD, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        log=log,
    )
    wait_until_ready(program, f"http://127.0.0.1:{port}/", 120, log)
    return Service(program=program, port=port)


def start_crowd(programs: Programs, size: CrowdSize, bin_folder: Path, folder: Path) -> "list[subprocess.Popen[bytes]]":
    """The whole crowd, ready and loaded. NotHereError if the machine cannot hold it."""
    sleepers = size.processes - size.workers - 1
    memory_bytes = sleepers * SLEEPER_BYTES + size.workers * WORKER_BYTES
    reason = unbearable(size.processes, size.threads, memory_bytes)
    if reason is not None:
        raise NotHereError(reason)
    environment = {"BENCH_COMPUTE_ROUNDS": str(size.compute_rounds), "BENCH_WAIT_SECONDS": str(size.wait_seconds)}
    sleeping_threads = size.threads - size.worker_threads - 1
    sleeping = programs.start([sys.executable, str(HERE / "sleepers.py"), str(sleepers), str(sleeping_threads)])
    assert sleeping.stdout is not None
    if sleeping.stdout.readline().strip() != b"ready":
        raise NotHereError("the sleeping processes did not start")
    service = start_service(
        programs, bin_folder, folder, workers=size.workers, threads=size.pool_threads, environment=environment
    )
    connections = size.workers * size.pool_threads
    return [sleeping, service.program, start_load(programs, service.port, connections, 24 * 3600)]


def start_load(programs: Programs, port: int, connections: int, seconds: float) -> "subprocess.Popen[bytes]":
    """A closed loop against the worker application."""
    wanted = {"port": port, "path": "/", "connections": connections, "seconds": seconds, "skip_seconds": 0}
    return programs.start([sys.executable, str(LOAD), json.dumps(wanted)])
