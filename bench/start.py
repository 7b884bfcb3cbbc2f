"""How long after the agent was started does it have a first sample, and a first advice on a server under load?

Each start has a state folder of its own and, as root, a page cache without the interpreter and the program. The server runs on
all cores with as many compute threads in each worker, saturated, so that the agent starts on a node with no core to spare.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import nodewright
from agent.demo.processes import Programs
from agent.demo.serving import free_ports
from bench.crowd import NotHereError, Service, start_load, start_service
from bench.needs import bench_bin

SAMPLE_LIMIT_SECONDS = 2.0
ADVICE_LIMIT_SECONDS = 30.0
RULE = "cpu-oversubscribed-openmp"
GIVE_UP_SECONDS = 90.0
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process."""

    answers: float
    sample: float
    advice: float


def measure(programs: Programs, folder: Path, rounds: int) -> None:
    """Median and worst of `rounds` starts beside one server."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        raise NotHereError("one core cannot be oversubscribed by compute threads of two workers")
    server = saturated(programs, folder, cores)
    cold = os.access(DROP_CACHES, os.W_OK)
    print(f"server: gunicorn, {cores} workers of {cores} compute threads on {cores} cores, saturated", flush=True)
    print(f"page cache before each start: {'dropped' if cold else 'warm (dropping it needs root)'}", flush=True)
    one_start(programs, folder / "compiled", server)  # what a package brings compiled, a checkout compiles once
    starts = []
    for number in range(rounds):
        if cold:
            os.sync()
            DROP_CACHES.write_text("1")
        starts.append(one_start(programs, folder / f"start-{number}", server))
        print(
            f"  start {number + 1:2}: {starts[-1].sample:5.2f} s to a sample, {starts[-1].advice:5.2f} s to advice",
            flush=True,
        )
    tell("answers", [start.answers for start in starts], None)
    tell("first sample", [start.sample for start in starts], SAMPLE_LIMIT_SECONDS)
    tell("first advice", [start.advice for start in starts], ADVICE_LIMIT_SECONDS)


def tell(what: str, seconds: list[float], limit: float | None) -> None:
    within = "" if limit is None else f" (limit {limit:g} s: {'kept' if max(seconds) <= limit else 'exceeded'})"
    print(f"  {what:<13} median {median(seconds):6.2f} s, worst {max(seconds):6.2f} s of {len(seconds)}{within}")


def saturated(programs: Programs, folder: Path, cores: int) -> Service:
    threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment = {**threads, "BENCH_COMPUTE_ROUNDS": "100"}
    server = start_service(programs, bench_bin(programs), folder, workers=cores, threads=1, environment=environment)
    start_load(programs, server.port, 4 * cores, 24 * 3600)
    return server


def one_start(programs: Programs, folder: Path, server: Service) -> Start:
    """Started, timed and ended."""
    folder.mkdir()
    [port] = free_ports(1)
    command = [sys.executable, str(nodewright.__file__), "run", "--db", str(folder / "state.db")]
    own = {"STATE_DIRECTORY": str(folder), "RUNTIME_DIRECTORY": str(folder)}
    began = time.monotonic()
    agent = programs.start(
        [*command, "--listen", f"127.0.0.1:{port}"], env={**os.environ, **own}, cwd=folder, log=folder / "agent.log"
    )
    base = f"http://127.0.0.1:{port}"
    try:
        return Start(
            until(agent, began, lambda: answer(f"{base}/healthz") is not None, 0.02),
            until(agent, began, lambda: answer(f"{base}/readyz") is not None, 0.02),
            until(agent, began, lambda: named(answer(f"{base}/v1/advice"), server), 0.25),
        )
    finally:
        programs.end(agent)


def until(agent: "subprocess.Popen[bytes]", began: float, so: Callable[[], bool], every: float) -> float:
    """Seconds after `began` at which it was so."""
    while not so():
        if agent.poll() is not None:
            raise NotHereError(f"the agent ended with {agent.returncode}")
        if time.monotonic() - began > GIVE_UP_SECONDS:
            raise NotHereError(f"nothing after {GIVE_UP_SECONDS:g} s")
        time.sleep(every)
    return time.monotonic() - began


def answer(url: str) -> Any:
    """What is answered with 200; None for anything else."""
    try:
        with urllib.request.urlopen(url, timeout=5) as stream:
            return json.loads(stream.read())["data"]
    except (OSError, ValueError):
        return None


def named(advice: Any, server: Service) -> bool:
    """Whether the bottleneck of the server is what is to be acted on first."""
    findings = advice["findings"] if advice else []
    return any(
        f["rule"] == RULE and f["rank"] == 1 and f["subject"]["name"].endswith(f":{server.port}") for f in findings
    )
