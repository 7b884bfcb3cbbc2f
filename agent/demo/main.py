"""What does `nodewright demo` do, from the bad setting to the measured gain?"""

import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import get_args

from advisor.finding import Finding, Metric
from agent.demo.apply import Applied, apply_changes
from agent.demo.environment import prepare
from agent.demo.faults import Fault, draw
from agent.demo.launch import SEE_LOG, DemoError, Launch, allowed_cpus
from agent.demo.measure import Pair, comparison, measure_pairs, measure_window, ratio
from agent.demo.processes import Programs, terminated_as_interrupted
from agent.demo.serving import Server, start_load, start_server
from agent.demo.watch import describe, start_daemon, wait_for_advice
from agent.errors import error_line

TOTAL_SECONDS = 165.0
"""No new round of measuring is begun that would end later than this after the set-up."""
ADVICE_SECONDS = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run of the demo uses. `server` None: MLServer, installed when it is not there. `base_url` None: a daemon
    of the demo's own."""

    seed: int | None = None
    server: tuple[str, ...] | None = None
    base_url: str | None = None
    rounds: int = 6
    window_seconds: float = 5.0


def run_demo(
    seed: int | None = None,
    *,
    keep_environment: bool = False,
    base_url: str | None = None,
    rounds: int = 6,
    window_seconds: float = 5.0,
    server: tuple[str, ...] | None = None,
) -> int:
    """Run the demo and tell it in lines on standard output. 0 if a gain was measured, 1 if not, 130 if interrupted.

    `keep_environment` leaves the folder with settings, logs and database. `server` is another program than MLServer
    that takes its command line and settings files.
    """
    plan = Plan(seed=seed, server=server, base_url=base_url, rounds=rounds, window_seconds=window_seconds)
    folder = Path(tempfile.mkdtemp(prefix="nodewright-demo-"))
    try:
        with terminated_as_interrupted(), Programs() as programs:
            return Demo(plan, folder, programs).run()
    except DemoError as problem:
        print(error_line("demo", problem.message, problem.hint), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(error_line("demo", "interrupted; everything that it started has ended"), file=sys.stderr)
        return 130
    finally:
        if keep_environment:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """One run: a bad server, the advice, the changed server, the comparison."""

    def __init__(self, plan: Plan, folder: Path, programs: Programs) -> None:
        self._plan, self._folder, self._programs = plan, folder, programs
        self._cpus = allowed_cpus()

    def run(self) -> int:
        fault = draw(self._plan.seed, self._cpus)
        argv = self._plan.server or (str(prepare(self._programs, say) / "mlserver"),)
        deadline = time.monotonic() + TOTAL_SECONDS
        base_url, daemon = self._agent()
        before, load, connections = self._bad_server(argv, fault)
        finding = self._advice(base_url, before, load)
        self._programs.end(*(program for program in (load, daemon) if program is not None))
        applied = self._applied(finding, fault.launch, before)
        after = start_server(self._programs, argv, applied.launch, self._folder / "after")
        pairs = self._pairs(before, after, connections, deadline)
        return conclude(finding, pairs)

    def _agent(self) -> "tuple[str, Popen[bytes] | None]":
        if self._plan.base_url is not None:
            return self._plan.base_url, None
        say("starting the agent")
        return start_daemon(self._programs, self._folder)

    def _bad_server(self, argv: tuple[str, ...], fault: Fault) -> "tuple[Server, Popen[bytes], int]":
        say(f"starting a model server with a bad setting: {fault.says}")
        server = start_server(self._programs, argv, fault.launch, self._folder / "before")
        workers = fault.launch.files["settings.json"]["parallel_workers"]
        connections = 2 * max(4, len(self._cpus), workers if isinstance(workers, int) else 0)
        say(f"loading http://127.0.0.1:{server.port} over {connections} connections")
        load = start_load(self._programs, server.port, connections, ADVICE_SECONDS * 2, 0)
        return server, load, connections

    def _advice(self, base_url: str, server: Server, load: "Popen[bytes]") -> Finding:
        def check() -> None:
            if server.program.poll() is not None or load.poll() is not None:
                raise DemoError("the server or its load ended", SEE_LOG)

        finding, seconds = wait_for_advice(base_url, server, ADVICE_SECONDS, check)
        say(f"advice after {seconds:.0f} s of load, from {base_url}/v1/advice:")
        for line in describe(finding):
            say(line)
        return finding

    def _applied(self, finding: Finding, launch: Launch, before: Server) -> Applied:
        applied = apply_changes(finding.changes, launch, before.folder, frozenset(self._cpus))
        for reason in applied.refused:
            say(f"not set here: {reason}")
        for place in applied.places:
            say(f"applying as read: {place.kind} {place.target}: {place.key} = {place.value}")
        return applied

    def _pairs(self, before: Server, after: Server, connections: int, deadline: float) -> list[Pair]:
        seconds = self._plan.window_seconds
        say(f"measuring both servers in turn, {seconds:g} s each")
        return measure_pairs(
            lambda server: measure_window(self._programs, server, connections, seconds),
            before,
            after,
            rounds=self._plan.rounds,
            deadline=deadline,
            say=say,
        )


def conclude(finding: Finding, pairs: list[Pair]) -> int:
    """Print predicted against measured; 0 if one of the predicted gains shows, 1 if none does."""
    say(f"after / before, median of {len(pairs)} rounds (least to most):")
    predicted = {gain.metric: gain for gain in finding.gains}
    improved = False
    metrics: tuple[Metric, ...] = get_args(Metric)
    for metric in metrics:
        measured = ratio(metric, pairs)
        if measured is None or (metric == "memory_ratio" and metric not in predicted):
            continue
        say(comparison(metric, predicted.get(metric), measured))
        improved |= measured.improved(metric) and (metric in predicted or not predicted)
    if not improved:
        raise DemoError("the change was applied and gained nothing", "was the machine busy with something else?")
    say("the gain was measured")
    return 0


def say(line: str) -> None:
    print(line, flush=True)
