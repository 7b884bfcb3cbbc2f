"""A real gunicorn is loaded, the agent keeps the result across a restart, and drops it when its mask is changed."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import Agent, agent, command
from tests.live.servers import ONE_THREAD, gunicorn

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.heavy]


def loadtest(running: Agent, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = (running.state.parent / "home" / "nodewright" / "token").read_text().strip()
    return subprocess.run(
        command("loadtest", f"http://127.0.0.1:{port}/predict", "--agent", f"http://127.0.0.1:{running.port}", *arguments),
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "NODEWRIGHT_TOKEN": token},
    )  # fmt: skip


def service_of(found: list[dict[str, Any]], port: int) -> dict[str, Any]:
    return next((one for one in found if one["port"] == port), {})


def idle(port: int) -> Any:
    return lambda found: service_of(found, port).get("state") == "idle"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_what_was_measured_holds_across_a_restart_and_until_its_mask_is_changed(tmp_path: Path) -> None:
    with gunicorn(tmp_path, workers=1, app="sleeping:app") as port:
        with agent(tmp_path / "a") as running:
            before = service_of(running.wait_for("/v1/services", idle(port)), port)
            assert before["measured"] is None
            done = loadtest(running, port, "--format", "json")
            assert done.returncode == 0, done.stderr
            report = json.loads(done.stdout)["data"]
            print(json.dumps({key: value for key, value in report.items() if key != "steps"}, indent=1))
            assert (report["service"], report["workers"]) == (before["name"], 1)
            assert report["told"] == f"the agent knows it now as the capacity of {before['name']}"
            assert 0.5 < report["kept_up_per_second"] * report["unloaded_p50_seconds"] < 1.5
            known = running.wait_for("/v1/services", lambda found: service_of(found, port)["measured"] is not None)
            measured = service_of(known, port)["measured"]
            assert measured["knee_per_second"] == report["kept_up_per_second"]
            assert measured["upper_per_second"] == report["fell_behind_per_second"]
            assert (measured["bound"], measured["workers"], measured["generation"]) == (
                "measured",
                1,
                before["generation"],
            )
        with agent(tmp_path / "a") as again:
            known = again.wait_for("/v1/services", lambda found: service_of(found, port).get("measured") is not None)
            assert service_of(known, port)["measured"] == {**measured, "generation": 0}
            workers = [
                w["pid"] for w in again.get("/v1/workers") if w["service"] == before["name"] and w["role"] == "worker"
            ]
            for pid in workers:
                os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})
            again.wait_for("/v1/services", lambda found: service_of(found, port)["measured"] is None)


def test_a_service_in_use_is_not_loaded_by_accident(tmp_path: Path) -> None:
    with gunicorn(tmp_path, workers=1, env=ONE_THREAD) as port, agent(tmp_path / "a") as running:
        running.wait_for("/v1/services", idle(port))
        short = ("--max-rate", "3", "--seconds", "6", "--step-seconds", "2", "--slo", "2")
        with subprocess.Popen(
            command("loadtest", f"http://127.0.0.1:{port}/predict", "--no-agent", "--max-rate", "20", "--seconds", "60",
                    "--step-seconds", "30"),
            stdout=subprocess.DEVNULL,
        ) as users:  # fmt: skip
            running.wait_for("/v1/services", lambda found: service_of(found, port)["state"] == "loaded")
            refused = loadtest(running, port, *short)
            users.send_signal(signal.SIGINT)
            users.wait(10)
        assert refused.returncode == 2
        assert refused.stderr.startswith("nodewright: loadtest.in-use: ")
        assert "--yes" in refused.stderr
        meant = loadtest(running, port, *short, "--yes")
        assert meant.returncode == 0, meant.stderr
        assert "a lower bound, as --max-rate was reached" in meant.stdout
        bound = running.wait_for("/v1/services", lambda found: service_of(found, port)["measured"] is not None)
        assert service_of(bound, port)["measured"]["bound"] == "lower bound"
