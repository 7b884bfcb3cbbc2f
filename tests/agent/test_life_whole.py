"""A whole agent: a finding is acknowledged from the command line, stays so over a restart, runs out, ends, and all is told."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import PREFORK, Agent, agent, command, free_port

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def orphans(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], list[int]]]:
    """A server whose front-end a test kills: its name, the front-end, the workers that stay."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(PREFORK, folder / "gunicorn")
    port = free_port()
    front_end = subprocess.Popen(
        [sys.executable, str(folder / "gunicorn"), "-b", f"127.0.0.1:{port}", "shop:app"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder,
    )  # fmt: skip
    assert front_end.stdout is not None
    assert front_end.stdout.readline() == b"ready\n"
    workers = [int(pid) for pid in Path(f"/proc/{front_end.pid}/task/{front_end.pid}/children").read_text().split()]
    with front_end:
        yield f"gunicorn/shop:{port}", front_end, workers
        front_end.kill()
        for pid in workers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def cli_of(running: Agent, folder: Path) -> Cli:
    environ = os.environ | {"XDG_STATE_HOME": str(folder / "home"), "HOME": str(folder), "LOGNAME": "grace"}
    environ.pop("SUDO_USER", None)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = command(*arguments, "--url", f"http://127.0.0.1:{running.port}")
        return subprocess.run(line, capture_output=True, text=True, env=environ, timeout=60, check=False)

    return run


def states(advice: Any, name: str) -> list[str]:
    return [
        one["state"]
        for one in advice["findings"]
        if one["subject"]["name"] == name and one["rule"] == "orphaned-workers"
    ]


@pytest.mark.heavy
def test_from_the_command_line_over_a_restart_to_the_end(tmp_path, orphans) -> None:
    name, front_end, workers = orphans
    folder = tmp_path / "a"
    with agent(folder, "--no-sidecar") as running:
        running.wait_for("/v1/services", lambda found: name in [one["name"] for one in found])
        running.wait_for("/v1/workers", lambda found: sum(one["service"] == name for one in found) == 3)
        front_end.kill()
        front_end.wait()
        advice = running.wait_for("/v1/advice", lambda found: states(found, name) == ["open"], 60)
        identity = next(one["id"] for one in advice["findings"] if one["subject"]["name"] == name)
        cli = cli_of(running, folder)
        done = cli("ack", identity[:10], "--reason", "restart tonight", "--owner", "ada")
        assert (done.returncode, done.stderr) == (0, "")
        running.wait_for("/v1/advice", lambda found: states(found, name) == ["acknowledged"])
        assert cli("advise", "--service", name, "--fail-on", "low").returncode == 0
    with agent(folder, "--no-sidecar") as running:
        running.wait_for("/v1/advice", lambda found: states(found, name) == ["acknowledged"])
        one = running.get(f"/v1/advice/{identity}")
        assert (one["acknowledgement"]["owner"], one["acknowledgement"]["reason"]) == ("ada", "restart tonight")
        cli = cli_of(running, folder)
        assert cli("snooze", identity, "--for", "2s", "--reason", "in a moment").returncode == 0
        running.wait_for("/v1/advice", lambda found: states(found, name) == ["open"])
        assert cli("advise", "--service", name, "--fail-on", "low").returncode == 1
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        running.wait_for("/v1/advice", lambda found: states(found, name) == [])
        running.wait_for(f"/v1/advice/{identity}", lambda found: found["state"] == "resolved")
        events = running.wait_for(f"/v1/advice/{identity}/history", lambda found: found[0]["event"] == "resolved")
        own = [(each["event"], each["owner"]) for each in reversed(events)]
        assert own == [
            ("opened", None), ("acknowledged", "ada"), ("snoozed", "grace"), ("expired", "grace"), ("resolved", None),
        ]  # fmt: skip
        told = cli("history", name)
        assert told.stdout.count("\n") == 5
        late = cli("ack", identity, "--reason", "too late")
        assert late.returncode == 2
        assert late.stderr.startswith("nodewright: finding.ended: ")
