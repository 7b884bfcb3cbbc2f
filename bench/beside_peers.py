"""How much CPU does the agent take beside other watchers, on the same busy node at the same time?"""

import time
from collections.abc import Sequence
from pathlib import Path

from agent.demo.processes import Programs
from bench.cost import tree_cpu_seconds, tree_memory
from bench.crowd import CrowdSize, start_crowd
from bench.needs import bench_bin
from bench.peers import Missing, Peer, start_agent, start_glances, start_netdata, start_node_exporter
from bench.stats import estimate_of_sums

WINDOWS = 12


def measure(programs: Programs, folder: Path, seconds: float, warm_up_seconds: float) -> None:
    """All watchers run at once; `seconds` are divided into windows, and a ratio is taken in each."""
    bin_folder = bench_bin(programs)
    size = CrowdSize()
    print(f"crowd: {size}", flush=True)
    start_crowd(programs, size, bin_folder, folder)
    agent, _ = start_agent(programs, folder / "agent")
    others = [
        start_netdata(programs, folder / "netdata"),
        start_glances(programs, folder / "glances", bin_folder),
        start_node_exporter(programs, folder / "node_exporter"),
    ]
    peers = [agent, *(peer for peer in others if isinstance(peer, Peer))]
    for peer in peers:
        print(f"  {peer.name}: {peer.how}")
    for missing in (peer for peer in others if isinstance(peer, Missing)):
        print(f"  {missing.name}: not available here: {missing.reason}")
    print(f"warming up for {warm_up_seconds:g} s, then {WINDOWS} windows of {seconds / WINDOWS:g} s", flush=True)
    scraped = [peer for peer in peers if peer.name == "node_exporter"]
    _pass(warm_up_seconds, scraped)
    report(peers, [_window(peers, seconds / WINDOWS, scraped) for _ in range(WINDOWS)])


def _window(peers: Sequence[Peer], seconds: float, scraped: Sequence[Peer]) -> list[float]:
    """CPU of each watcher over the window, in percent of one core."""
    began, before = time.monotonic(), [tree_cpu_seconds(peer.program.pid) for peer in peers]
    _pass(seconds, scraped)
    after, took = [tree_cpu_seconds(peer.program.pid) for peer in peers], time.monotonic() - began
    return [100 * (last - first) / took for first, last in zip(before, after, strict=True)]


def _pass(seconds: float, scraped: Sequence[Peer]) -> None:
    """Let `seconds` pass, and ask those that read only when asked once in each."""
    deadline = time.monotonic() + seconds
    due = time.monotonic()
    while (now := time.monotonic()) < deadline:
        for peer in scraped:
            peer.proof()
        due = max(now, due + 1)
        time.sleep(max(0.0, min(due, deadline) - time.monotonic()))


def report(peers: Sequence[Peer], windows: Sequence[Sequence[float]]) -> None:
    print(f"  {'watcher':<14} {'CPU, % of a core':>17} {'resident':>10}  {'agent / watcher':<44} sees")
    own = [window[0] for window in windows]
    for number, peer in enumerate(peers):
        cpu = [window[number] for window in windows]
        memory_mb = sum(row.resident_bytes for row in tree_memory(peer.program.pid)) / 1e6
        mean = sum(cpu) / len(cpu)
        print(
            f"  {peer.name:<14} {mean:>17.2f} {memory_mb:>7.0f} MB  {_ratio(own, cpu):<44} {_proof(peer)}", flush=True
        )


def _ratio(own: Sequence[float], other: Sequence[float]) -> str:
    if own == other or not sum(other):
        return "-"
    value = estimate_of_sums(list(zip(own, other, strict=True)))
    return f"{value.ratio:.3f} (95 % {value.low:.3f} to {value.high:.3f})"


def _proof(peer: Peer) -> str:
    if peer.program.poll() is not None:
        return f"ENDED with {peer.program.returncode}"
    try:
        return peer.proof()
    except (OSError, LookupError, ValueError) as problem:
        return f"nothing: {problem}"
