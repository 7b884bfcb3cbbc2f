"""Is a change noticed, measured, and as it was promised? Real servers in a bad and in a better setting, one after the other.

    python bench/ledger.py --lab FOLDER [SCENARIO ...] [--seconds 50] [--rounds 1]

FOLDER holds `run.py`, which starts a scenario (`hold ID --config bad|fixed --seconds N`) under load and prints a line of JSON,
and `truth/ID.json` with what was measured of it. One agent watches all of them, and is told nothing of what is changed: the
lines say which lever it saw, old and new, and what it measured beside what it had promised. A change that no lever shows (the
payload) is told by `verify`. The promises of all runs are then scored together, beside constants of a table.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import msgspec

from advisor.documents import AdviceDocument, OutcomesDocument
from advisor.ledger.outcome import Outcome
from agent.demo.processes import terminated_as_interrupted
from agent.demo.serving import free_ports
from agent.verifying import outcomes_text
from bench.machine import machine_line

ROOT = Path(__file__).resolve().parent.parent
WHOLE_SECONDS = 100
"""In so long an outcome is measured to its end: it settles, warms up, and takes a minute of load."""
INVISIBLE = frozenset(("payload_format", "input_size", "preprocessing", "loop_offload"))
"""Levers that are turned in code or by the clients."""


class NotStartedError(Exception):
    """A scenario of the lab came to nothing."""


class Agent:
    """`nodewright run` on a port and a database of its own."""

    def __init__(self, folder: Path) -> None:
        [port] = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        command = [sys.executable, str(ROOT / "nodewright.py"), "run", "--db", str(folder / "state.db")]
        env = {**os.environ, "XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        with open(folder / "agent.log", "wb") as log:
            self._process = subprocess.Popen(
                [*command, "--listen", self.url.removeprefix("http://")], stdout=log, stderr=log, env=env
            )
        self._wait()

    def get(self, path: str, kind: Any) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return msgspec.json.decode(msgspec.json.encode(json.load(answer)["data"]), type=kind)

    def verify(self, finding: str) -> None:
        token = next(self._folder.rglob("token")).read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/v1/advice/{finding}/verify", b"{}", headers)
        with urllib.request.urlopen(request, timeout=10):
            pass

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)

    def _wait(self) -> None:
        for _ in range(100):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=1):
                return
            time.sleep(0.1)
        raise SystemExit("ledger: the agent did not start")


@contextlib.contextmanager
def held(lab: Path, scenario: str, config: str, seconds: int) -> Iterator[set[int]]:
    """A scenario under load; the pids of its service. It ends by itself, or at the end of the block."""
    command = [
        sys.executable,
        str(lab / "run.py"),
        "hold",
        scenario,
        "--config",
        config,
        "--seconds",
        str(seconds + 30),
    ]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert runner.stdout is not None
    try:
        line = next((line for line in runner.stdout if line.startswith("{")), "")
        if not line:
            raise NotStartedError(f"{scenario}: not measured, {config} did not start")
        yield set(json.loads(line)["tree"])
    finally:
        runner.send_signal(signal.SIGTERM)
        runner.wait(30)
        runner.stdout.close()


def one(agent: Agent, lab: Path, scenario: str, seconds: int) -> None:
    """Bad, then better; prints what was seen of it."""
    known = {outcome.id for outcome in agent.get("/v1/outcomes", OutcomesDocument).outcomes}
    with held(lab, scenario, "bad", seconds) as pids:
        time.sleep(seconds)
        advice: AdviceDocument = agent.get("/v1/advice", AdviceDocument)
    own = sorted((f for f in advice.findings if pids & set(f.subject.pids)), key=lambda f: f.rank)
    if own and own[0].changes and {c.lever.value for c in own[0].changes} <= INVISIBLE:
        agent.verify(own[0].id)
    with held(lab, scenario, "fixed", WHOLE_SECONDS):
        fresh: list[Outcome] = []
        until = time.monotonic() + WHOLE_SECONDS
        while time.monotonic() < until and not (fresh and all(outcome.final for outcome in fresh)):
            time.sleep(2)
            found: OutcomesDocument = agent.get("/v1/outcomes", OutcomesDocument)
            fresh = [outcome for outcome in found.outcomes if outcome.id not in known]
    print(f"{scenario}: said {[f.rule for f in own][:3]}", flush=True)
    truth = json.loads((lab / "truth" / f"{scenario}.json").read_text()).get("ratios_vs_bad", {}).get("fixed", {})
    print("  truth: " + ", ".join(f"{name} {value['median']}" for name, value in truth.items() if "median" in value))
    print(outcomes_text(OutcomesDocument(outcomes=tuple(fresh), scores=())), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Changes of real servers, noticed and measured beside the promise.")
    parser.add_argument("scenarios", nargs="*", help="those of which a better setting was measured, if none is named")
    parser.add_argument("--lab", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    wanted = parser.parse_args()
    known = {path.stem: json.loads(path.read_text()) for path in sorted((wanted.lab / "truth").glob("*.json"))}
    with_fix = [name for name, truth in known.items() if "fixed" in truth.get("ratios_vs_bad", {})]
    chosen = [next(name for name in with_fix if name.startswith(part)) for part in wanted.scenarios] or with_fix
    print(machine_line(), flush=True)
    with terminated_as_interrupted(), tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder))
        try:
            for _ in range(wanted.rounds):
                for scenario in chosen:
                    try:
                        one(agent, wanted.lab, scenario, wanted.seconds)
                    except NotStartedError as error:
                        print(error, flush=True)
            scores = agent.get("/v1/outcomes", OutcomesDocument)
        finally:
            agent.end()
    print(outcomes_text(scores).partition("promises so far")[2] or "no promise was measured")
    return 0


if __name__ == "__main__":
    sys.exit(main())
