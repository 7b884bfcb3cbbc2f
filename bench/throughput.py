"""Does a real server serve less while it is watched?"""

import json
import os
import sys
import time
from pathlib import Path

from agent.demo.processes import Programs
from agent.demo.serving import LOAD
from bench.crowd import NotHereError, Service, start_service
from bench.needs import bench_bin
from bench.peers import start_agent
from bench.stats import estimate

SETTLE_SECONDS = 5.0
LIMIT = 0.99


def measure(programs: Programs, folder: Path, pairs: int, window_seconds: float) -> None:
    """A saturated gunicorn with and without the agent, a window each, the order swapped from pair to pair."""
    cores = len(os.sched_getaffinity(0))
    bin_folder = bench_bin(programs)
    service = start_service(
        programs, bin_folder, folder, workers=cores, threads=1, environment={"BENCH_COMPUTE_ROUNDS": "8"}
    )
    print(f"server: gunicorn, {cores} workers, saturated over {2 * cores} connections", flush=True)
    _served(programs, service, 2 * cores, window_seconds)
    ratios = []
    for number in range(pairs):
        rates: dict[bool, float] = {}
        for watched in (False, True) if number % 2 else (True, False):
            rates[watched] = _rate(programs, service, folder / f"agent-{number}", watched, 2 * cores, window_seconds)
        ratios.append(rates[True] / rates[False])
        print(
            f"  pair {number + 1:2}: watched {rates[True]:8.2f} req/s, alone {rates[False]:8.2f} req/s, "
            f"ratio {ratios[-1]:.4f}",
            flush=True,
        )
    value = estimate(ratios)
    print(f"  throughput with the agent / without: {value}")
    print(f"  the interval lies wholly below {LIMIT}: {'yes' if value.high < LIMIT else 'no'}")


def _rate(programs: Programs, service: Service, folder: Path, watched: bool, connections: int, seconds: float) -> float:
    if not watched:
        time.sleep(min(SETTLE_SECONDS, seconds))
        return _served(programs, service, connections, seconds)
    agent, _ = start_agent(programs, folder)
    try:
        time.sleep(min(SETTLE_SECONDS, seconds))
        return _served(programs, service, connections, seconds)
    finally:
        programs.end(agent.program)


def _served(programs: Programs, service: Service, connections: int, seconds: float) -> float:
    """Requests per second over one window."""
    wanted = {"port": service.port, "path": "/", "connections": connections, "seconds": seconds, "skip_seconds": 0.5}
    load = programs.start([sys.executable, str(LOAD), json.dumps(wanted)])
    output, _ = load.communicate(timeout=seconds + 30)
    programs.end(load)
    answer = json.loads(output)
    if not answer["n"]:
        raise NotHereError(f"the server answered nothing ({answer['errors']} errors)")
    return float(answer["rps"])
