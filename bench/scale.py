"""How does the agent's cost grow when a node holds ten times as many processes and threads?"""

import time
from dataclasses import dataclass
from pathlib import Path

from agent.demo.processes import Programs
from bench.cost import tree_cpu_seconds, tree_memory
from bench.crowd import CrowdSize, NotHereError, start_crowd
from bench.needs import bench_bin
from bench.peers import get_json, start_agent
from bench.stats import estimate

FACTOR = 10
SIZE = CrowdSize(wait_seconds=1.0, compute_rounds=1)
"""Few requests per thread, so that ten times as many threads still leave the cores room."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the agent and its sidecar took, in percent of one core and in milliseconds for each tick."""

    percent: float
    tick_ms: float


def measure(programs: Programs, folder: Path, rounds: int, seconds: float, warm_up_seconds: float) -> None:
    """Both sizes in turn, each with a fresh agent; the ratios are compared with the factor.

    An agent that would exceed its budget ticks more rarely, so the cost of one tick is told beside the cost of a second.
    """
    bin_folder = bench_bin(programs)
    pairs: list[tuple[Cost, Cost]] = []
    for number in range(rounds):
        small, large = (
            _cost(programs, folder / f"{number}-{factor}", SIZE.times(factor), bin_folder, seconds, warm_up_seconds)
            for factor in (1, FACTOR)
        )
        pairs.append((small, large))
    for name in ("percent", "tick_ms"):
        _report(name, [getattr(large, name) / getattr(small, name) for small, large in pairs])


def _report(name: str, ratios: list[float]) -> None:
    what = {"percent": "CPU per second", "tick_ms": "CPU per tick"}[name]
    text = f"{estimate(ratios)}" if len(ratios) > 1 and min(ratios) > 0 else f"{ratios[0]:.2f} (one pair)"
    print(f"  {what:<15} ratio {text} for {FACTOR} times as much")


def _cost(
    programs: Programs, folder: Path, size: CrowdSize, bin_folder: Path, seconds: float, warm_up_seconds: float
) -> Cost:
    folder.mkdir()
    crowd = start_crowd(programs, size, bin_folder, folder)
    agent, base_url = start_agent(programs, folder / "agent")
    time.sleep(warm_up_seconds)
    began, ticks, before = time.monotonic(), _ticks(base_url), tree_cpu_seconds(agent.program.pid)
    time.sleep(seconds)
    spent = tree_cpu_seconds(agent.program.pid) - before
    took, ticks = time.monotonic() - began, _ticks(base_url) - ticks
    memory_mb = sum(row.resident_bytes for row in tree_memory(agent.program.pid)) / 1e6
    if not ticks or not spent:
        raise NotHereError(f"{ticks} ticks and {spent:g} s of CPU within {seconds:g} s: take more --seconds")
    cost = Cost(100 * spent / took, 1e3 * spent / ticks)
    print(
        f"  {size}: {cost.percent:.2f} % of a core, {cost.tick_ms:.1f} ms for each of {ticks} ticks, "
        f"{memory_mb:.0f} MB resident",
        flush=True,
    )
    programs.end(agent.program, *crowd)
    return cost


def _ticks(base_url: str) -> int:
    return int(str(get_json(f"{base_url}/v1/self")["data"]["ticks"]))
