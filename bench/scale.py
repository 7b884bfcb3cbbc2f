"""How does the agent's cost grow when a node holds ten times as many processes and threads?"""

import time
from pathlib import Path

from agent.demo.processes import Programs
from bench.cost import tree_cpu_seconds, tree_memory
from bench.crowd import CrowdSize, start_crowd
from bench.needs import bench_bin
from bench.peers import start_agent
from bench.stats import estimate

FACTOR = 10
SIZE = CrowdSize(wait_seconds=1.0, compute_rounds=1)
"""Few requests per thread, so that ten times as many threads still leave the cores room."""


def measure(programs: Programs, folder: Path, rounds: int, seconds: float, warm_up_seconds: float) -> None:
    """Both sizes in turn, each with a fresh agent; the ratio is compared with the factor."""
    bin_folder = bench_bin(programs)
    ratios = []
    for number in range(rounds):
        small, large = (
            _cost(programs, folder / f"{number}-{factor}", SIZE.times(factor), bin_folder, seconds, warm_up_seconds)
            for factor in (1, FACTOR)
        )
        ratios.append(large / small)
        print(f"  round {number + 1}: cost ratio {ratios[-1]:.2f} for {FACTOR} times as much", flush=True)
    if len(ratios) > 1:
        print(f"  cost ratio {estimate(ratios)} for a factor of {FACTOR}")


def _cost(
    programs: Programs, folder: Path, size: CrowdSize, bin_folder: Path, seconds: float, warm_up_seconds: float
) -> float:
    """CPU of agent and sidecar, in percent of one core."""
    folder.mkdir()
    crowd = start_crowd(programs, size, bin_folder, folder)
    agent, _ = start_agent(programs, folder / "agent")
    time.sleep(warm_up_seconds)
    began, before = time.monotonic(), tree_cpu_seconds(agent.program.pid)
    time.sleep(seconds)
    percent = 100 * (tree_cpu_seconds(agent.program.pid) - before) / (time.monotonic() - began)
    memory_mb = sum(row.resident_bytes for row in tree_memory(agent.program.pid)) / 1e6
    print(f"  {size}: {percent:.2f} % of a core, {memory_mb:.0f} MB; {agent.proof()}", flush=True)
    programs.end(agent.program, *crowd)
    return percent
