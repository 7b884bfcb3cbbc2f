"""What does continuous profiling cost a loaded server, and does the published cost agree with the measured one?

Two agents run all the time, one that profiles and one that does not. In each window one of them is frozen (SIGSTOP, with its
sidecar and what that runs), so that the two differ in nothing but profiling.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.demo.processes import Programs
from agent.demo.serving import LOAD
from bench.cost import Parts, agent_cpu_seconds, tree_memory, tree_pids
from bench.crowd import NotHereError, Service, start_service
from bench.needs import bench_bin
from bench.peers import Peer, get_json, start_agent
from bench.stats import estimate

LEAST_THROUGHPUT = 0.985
MOST_P99 = 1.05
SETTLE_SECONDS = 45.0
"""The first looks at the service are over then."""


def measure(programs: Programs, folder: Path, pairs: int, window_seconds: float) -> None:
    """A saturated gunicorn beside an agent that profiles and beside one that does not, a window each, in turn."""
    cores = len(os.sched_getaffinity(0))
    environment = {"BENCH_COMPUTE_ROUNDS": "8"}
    service = start_service(programs, bench_bin(programs), folder, workers=cores, threads=1, environment=environment)
    print(f"server: gunicorn, {cores} workers, saturated over {2 * cores} connections", flush=True)
    profiling, address = _started(programs, folder / "on", "true")
    plain, _ = _started(programs, folder / "off", "false")
    with frozen(plain):
        _served(programs, service, 2 * cores, SETTLE_SECONDS)
    with frozen(profiling):
        _served(programs, service, 2 * cores, window_seconds)
    sidecars, published = _sidecars(profiling), dict.fromkeys(_published(address), 0.0)
    rates: list[float] = []
    tails: list[float] = []
    nothing = Parts(agent=0.0, sidecar=0.0, others=0.0)
    spent = {"on": nothing, "off": nothing}
    for number in range(pairs):
        seen: dict[str, tuple[float, float]] = {}
        for name in ("off", "on") if number % 2 else ("on", "off"):
            runs, rests = (profiling, plain) if name == "on" else (plain, profiling)
            _wait_for_bursts(address)
            with frozen(rests):
                cpu = agent_cpu_seconds(runs.program.pid)
                before = _published(address) if name == "on" else {}
                seen[name] = _served(programs, service, 2 * cores, window_seconds)
                spent[name] += agent_cpu_seconds(runs.program.pid) - cpu
                after = _published(address) if name == "on" else {}
                published.update({key: published[key] + after[key] - before[key] for key in before})
        rates.append(seen["on"][0] / seen["off"][0])
        tails.append(seen["on"][1] / seen["off"][1])
        print(
            f"  pair {number + 1:2}: {seen['on'][0]:8.2f} req/s, p99 {seen['on'][1]:7.2f} ms profiled; "
            f"{seen['off'][0]:8.2f} req/s, p99 {seen['off'][1]:7.2f} ms not; ratios {rates[-1]:.4f}, {tails[-1]:.4f}",
            flush=True,
        )
    published["steady_ratio"] = _published(address)["steady_ratio"]
    _report(rates, tails, spent, pairs * window_seconds, published, profiling)
    if _sidecars(profiling).keys() != sidecars.keys():
        print("  the sidecar was replaced meanwhile: its CPU time is not comparable")


def _report(
    rates: list[float], tails: list[float], spent: dict[str, Parts], seconds: float, told: dict[str, float],
    profiling: Peer,
) -> None:  # fmt: skip
    throughput, tail = estimate(rates), estimate(tails)
    print(f"  throughput profiled / not: {throughput}")
    print(
        f"  its interval lies wholly below {LEAST_THROUGHPUT}: {'yes' if throughput.high < LEAST_THROUGHPUT else 'no'}"
    )
    print(f"  p99 profiled / not: {tail}")
    print(f"  its interval lies wholly above {MOST_P99}: {'yes' if tail.low > MOST_P99 else 'no'}")
    more = spent["on"] - spent["off"]
    measured, published = more.total, told["cpu_seconds"]
    print(
        f"  cost of profiling: measured {measured:.2f} s CPU in {seconds:.0f} s ({measured / seconds:.2%} of a core; "
        f"{spent['on'].total:.2f} s with, {spent['off'].total:.2f} s without: agent {more.agent:+.2f} s, "
        f"sidecar {more.sidecar:+.2f} s, profilers {more.others:+.2f} s), published {published:.2f} s, "
        f"published / measured {published / measured:.2f}"
        if measured > 0
        else f"  cost of profiling: not above the noise; published {published:.2f} s in {seconds:.0f} s"
    )
    print(
        f"  in these windows: {told['probes']:.0f} probes, {told['bursts']:.0f} bursts, twice as often as without rests, as "
        f"they come by the clock; steady state {told['steady_ratio']:.3%} of a core"
    )
    resident = max(_sidecars(profiling).values(), default=0)
    print(f"  sidecar between bursts: {resident / 1e6:.1f} MB resident")


def _sidecars(peer: Peer) -> dict[int, int]:
    """Resident bytes by pid."""
    return {row.pid: row.resident_bytes for row in tree_memory(peer.program.pid) if " sidecar" in row.command}


def _started(programs: Programs, folder: Path, enabled: str) -> tuple[Peer, str]:
    os.environ["NODEWRIGHT_PROFILING_ENABLED"] = enabled
    try:
        return start_agent(programs, folder)
    finally:
        del os.environ["NODEWRIGHT_PROFILING_ENABLED"]


def _published(address: str) -> dict[str, float]:
    status = get_json(f"{address}/v1/self")["data"]["profiling"]
    return {name: float(value) for name, value in status.items() if isinstance(value, int | float)}


def _wait_for_bursts(address: str) -> None:
    """A profiler that is frozen in a burst makes up for it afterwards, as fast as it can."""
    for _ in range(100):
        if get_json(f"{address}/v1/self")["data"]["profiling"]["state"] != "profiling":
            return
        time.sleep(0.1)


@contextmanager
def frozen(peer: Peer) -> Iterator[None]:
    """The agent, its sidecar and what that runs do nothing until the block ends. The agent goes first, so that its sidecar
    can answer what was asked; one that seems to hang would be replaced."""
    root = peer.program.pid
    _signal(root, signal.SIGSTOP)
    time.sleep(0.3)
    others = [pid for pid in tree_pids(root) if pid != root]
    for pid in others:
        _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (*others, root):
            _signal(pid, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _served(programs: Programs, service: Service, connections: int, seconds: float) -> tuple[float, float]:
    """(Requests per second, 99 % point of latency in ms) over one window."""
    wanted = {"port": service.port, "path": "/", "connections": connections, "seconds": seconds, "skip_seconds": 0.5}
    load = programs.start([sys.executable, str(LOAD), json.dumps(wanted)])
    output, _ = load.communicate(timeout=seconds + 30)
    programs.end(load)
    answer = json.loads(output)
    if not answer["n"]:
        raise NotHereError(f"the server answered nothing ({answer['errors']} errors)")
    return float(answer["rps"]), float(answer["p99_ms"])
