"""How much memory do the agent and its sidecar hold after a while on a busy node?"""

import time
from pathlib import Path

from agent.demo.processes import Programs
from bench.cost import tree_memory
from bench.crowd import CrowdSize, start_crowd
from bench.needs import bench_bin
from bench.peers import start_agent

STEPS = 5


def measure(programs: Programs, folder: Path, seconds: float) -> None:
    """Print resident and proportional set size of each of our processes in equal steps up to `seconds`."""
    size = CrowdSize()
    print(f"crowd: {size}", flush=True)
    start_crowd(programs, size, bench_bin(programs), folder)
    agent, _ = start_agent(programs, folder / "agent")
    began = time.monotonic()
    for step in range(1, STEPS + 1):
        time.sleep(max(0.0, began + seconds * step / STEPS - time.monotonic()))
        rows = [
            f"{_role(row.command)} {row.resident_bytes / 1e6:.1f} MB resident"
            + ("" if row.proportional_bytes is None else f" ({row.proportional_bytes / 1e6:.1f} proportional)")
            for row in tree_memory(agent.program.pid)
        ]
        print(f"  after {time.monotonic() - began:5.0f} s: " + ", ".join(rows), flush=True)
    print(f"  agent: {agent.proof()}")


def _role(command: str) -> str:
    return "sidecar" if " sidecar" in command else "agent"
