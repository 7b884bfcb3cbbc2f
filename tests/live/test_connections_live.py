"""Real servers, a known number of requests, and what their connections tell of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.running import ROOT
from tests.live.environments import environment
from tests.live.in_own_network import CLIENTS, LOADS

OWN = Path(sys.executable).parent
UNSHARE = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


def counted(folder: Path, server: str, client: str, programs: Path = OWN) -> list[list[dict[str, int | None]]]:
    """For each load, of each server: `requests`, and the growth of each counter."""
    if (
        shutil.which("unshare") is None
        or subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("may not make a network namespace")
    argv = [*UNSHARE, sys.executable, "-m", "tests.live.in_own_network", server, client, str(programs), str(folder)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_gunicorn_sync_opens_a_connection_for_each_request(tmp_path: Path) -> None:
    found = [load[0] for load in counted(tmp_path, "sync", "anew")]
    assert [one["opened"] for one in found] == [one["requests"] for one in found] == list(LOADS)


def test_of_two_such_servers_each_has_its_own(tmp_path: Path) -> None:
    for load in counted(tmp_path, "two-sync", "anew"):
        for one in load:
            assert one["opened"] == pytest.approx(one["requests"], rel=0.05)


def test_a_client_that_leaves_first_is_counted_too(tmp_path: Path) -> None:
    found = [load[0] for load in counted(tmp_path, "uvicorn", "anew", environment("web"))]
    assert [one["opened"] for one in found] == list(LOADS)


@pytest.mark.parametrize(("server", "name"), [("gthread", None), ("uvicorn", "web")])
def test_over_kept_connections_each_request_is_a_segment(tmp_path: Path, server: str, name: str | None) -> None:
    found = [load[0] for load in counted(tmp_path, server, "keeping", environment(name) if name else OWN)]
    assert [one["received_segments"] for one in found] == list(LOADS)
    assert [one["opened"] for one in found] == [0, 0], f"{CLIENTS} were there before"
    few, many = found
    for counter in ("received_bytes", "sent_bytes"):
        assert many[counter] / few[counter] == pytest.approx(LOADS[1] / LOADS[0], rel=0.05)
