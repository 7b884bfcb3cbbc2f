"""Which figure is to be measured?

    python bench/run.py FIGURE [--seconds N] ...     (python bench/run.py --help lists them)

Everything runs on loopback, takes a fixed time, and ends what it started.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.demo.launch import DemoError
from agent.demo.processes import Programs, terminated_as_interrupted
from bench import (
    advice,
    beside_peers,
    discovery,
    fleet,
    gpu_reader,
    judging,
    memory,
    metrics,
    past,
    profiling,
    replay_day,
    scale,
    screens,
    start,
    throughput,
)
from bench.crowd import NotHereError
from bench.machine import machine_line
from bench.migration import measure as migration
from bench.needs import install_peers

ROOT = Path(__file__).resolve().parent.parent
Figure = Callable[[Programs, Path, argparse.Namespace], None]


def _crowd(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    beside_peers.measure(programs, folder, wanted.seconds, wanted.warm_up)


def _memory(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    memory.measure(programs, folder, wanted.seconds)


def _throughput(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    throughput.measure(programs, folder, wanted.pairs, wanted.seconds)


def _profiling(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    profiling.measure(programs, folder, wanted.pairs, wanted.seconds)


def _advice(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    advice.measure(programs, folder, wanted.seconds, wanted.rate, wanted.warm_up)


def _scale(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    scale.measure(programs, folder, wanted.rounds, wanted.seconds, wanted.warm_up)


def _discovery(_programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    discovery.measure(folder, wanted.rounds)


def _gpu_reader(_programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    gpu_reader.measure(folder, wanted.seconds)


def _judging(_programs: Programs, _folder: Path, wanted: argparse.Namespace) -> None:
    judging.measure(wanted.seconds, wanted.rounds)


def _metrics(_programs: Programs, _folder: Path, wanted: argparse.Namespace) -> None:
    metrics.measure(wanted.rounds)


def _fleet(_programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    fleet.measure(folder, wanted.nodes, wanted.rounds)


def _replay_day(_programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    replay_day.measure(folder, wanted.hours, wanted.rounds)


def _past(_programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    past.measure(folder, wanted.rounds)


def _migration(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    migration.measure(programs, folder, wanted.pairs, wanted.seconds)


def _migration_gpu(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    keep = ROOT / ".bench" / "migration-gpu.json"
    keep.parent.mkdir(exist_ok=True)
    python = migration.python_of(programs)
    migration.measure_device(python, folder, migration.this_host(), wanted.pairs, wanted.seconds, keep)
    print(f"what was measured: {keep}")


def _screens(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    screens.measure(programs, folder, wanted.rounds, wanted.seconds, wanted.pictures)


def _start(programs: Programs, folder: Path, wanted: argparse.Namespace) -> None:
    start.measure(programs, folder, wanted.rounds)


def _store(_programs: Programs, _folder: Path, wanted: argparse.Namespace) -> None:
    subprocess.run([sys.executable, str(ROOT / "bench" / "store_bytes.py"), str(int(wanted.seconds))], check=True)


FIGURES: dict[str, tuple[Figure, str, dict[str, float]]] = {
    "crowd": (_crowd, "CPU of the agent beside Netdata, Glances, node_exporter", {"seconds": 60, "warm_up": 60}),
    "memory": (_memory, "memory of agent and sidecar after --seconds", {"seconds": 600}),
    "throughput": (_throughput, "throughput of a watched server / alone", {"seconds": 10, "pairs": 12}),
    "profiling": (_profiling, "a server with continuous profiling / without", {"seconds": 20, "pairs": 12}),
    "store": (_store, "bytes per stored value, CPU of the writer, without and with moments", {"seconds": 3600}),
    "advice": (_advice, "latency of /v1/advice while sampling", {"seconds": 60, "rate": 50, "warm_up": 30}),
    "discovery": (_discovery, "CPU of one search for services among 500 processes", {"rounds": 40}),
    "gpu-reader": (_gpu_reader, "CPU and memory of the reader of 8 GPUs with 64 processes", {"seconds": 60}),
    "judging": (
        _judging,
        "CPU of one pass of the advisor over 16 services, 128 workers",
        {"seconds": 120, "rounds": 5},
    ),
    "metrics": (_metrics, "series on /metrics of a large node, CPU of a scrape", {"rounds": 20}),
    "fleet": (_fleet, "time and memory of `nodewright fleet` before many nodes", {"nodes": 1000, "rounds": 3}),
    "replay-day": (_replay_day, "CPU time to judge a recorded day again", {"hours": 24, "rounds": 3}),
    "past": (_past, "time and memory to show a stored moment of 128 workers, 2,048 threads", {"rounds": 3}),
    "migration": (
        _migration,
        "what is said of other forms of models on these CPUs / what they bring",
        {"pairs": 4, "seconds": 1},
    ),
    "migration-gpu": (_migration_gpu, "what is said of a GPU that is here / what it does", {"pairs": 4, "seconds": 1}),
    "screens": (
        _screens,
        "start, keys, CPU and memory of `nodewright top` before 128 workers, 2,000 threads",
        {"rounds": 4, "seconds": 30, "pictures": 3600},
    ),
    "start": (_start, "time from the start to the first sample and to the first advice under load", {"rounds": 10}),
    "scale": (_scale, "cost at 1 and 10 times the processes", {"seconds": 60, "rounds": 3, "warm_up": 30}),
}


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="bench/run.py", description="Measure what watching costs.")
    commands = top.add_subparsers(dest="figure", required=True)
    commands.add_parser("setup", help="install Netdata and node_exporter (as root), once")
    commands.add_parser("all", help="every figure, with its default length")
    for name, (_, says, options) in FIGURES.items():
        command = commands.add_parser(name, help=says)
        for option, default in options.items():
            kind = int if option in ("pairs", "rounds", "pictures", "nodes") else float
            flag = f"--{option.replace('_', '-')}"
            command.add_argument(flag, type=kind, default=kind(default), help=f"default {default:g}")
    return top


def measure(name: str, wanted: argparse.Namespace) -> bool:
    """Run one figure in a folder of its own; False if this machine cannot show it."""
    figure, says, _ = FIGURES[name]
    print(f"{name}: {says}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="nodewright-bench-"))
    try:
        with terminated_as_interrupted(), Programs() as programs:
            figure(programs, folder, wanted)
    except NotHereError as problem:
        print(f"  not available here: {problem}")
        return False
    except DemoError as problem:
        print(f"  failed: {problem.message}", file=sys.stderr)
        return False
    except (OSError, subprocess.SubprocessError) as problem:
        print(f"  failed: {problem}", file=sys.stderr)
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return True


def main() -> int:
    wanted = parser().parse_args()
    print(machine_line(), flush=True)
    if wanted.figure == "setup":
        install_peers()
        return 0
    try:
        if wanted.figure == "all":
            shown = [measure(name, parser().parse_args([name])) for name in FIGURES]
            return 0 if all(shown) else 1
        return 0 if measure(wanted.figure, wanted) else 1
    except KeyboardInterrupt:
        print("bench: interrupted; everything that it started has ended", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
