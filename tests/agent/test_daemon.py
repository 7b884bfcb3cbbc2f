"""The daemon as a whole: it starts, finds a server, answers, ends in time, and keeps secrets and neighbours out."""

import os
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.agent.running import agent, command, free_port, prefork_server

SECRET = "hunter2-0f9d8c7b6a5e4d3c2b1a"


@pytest.fixture
def server(tmp_path):
    with prefork_server(tmp_path / "server") as port:
        yield f"gunicorn/shop:{port}"


def children_of(pid: int) -> list[str]:
    """A child hangs on the thread that started it."""
    return [c for file in Path(f"/proc/{pid}/task").glob("*/children") for c in file.read_text().split()]


def names(services) -> list[str]:
    return [s["name"] for s in services]


def test_it_finds_a_server_samples_its_workers_and_names_it(tmp_path, server):
    with agent(tmp_path / "a") as running:
        running.wait_for("/v1/services", lambda found: server in names(found))
        workers = running.wait_for(
            "/v1/workers",
            lambda found: sum((w["cores_used"] or 0) > 0.005 for w in found if w["service"] == server) == 2,
        )
        mine = [w for w in workers if w["service"] == server]
        assert sorted(w["role"] for w in mine) == ["front-end", "worker", "worker"]
        assert all(w["allowed_cpus"] for w in mine)


def test_sigterm_ends_it_in_time_with_nothing_lost_and_no_child_left(tmp_path, server):
    with agent(tmp_path / "a") as running:
        running.wait_for("/v1/self", lambda self: self["ticks"] >= 4 and self["sidecar"] == "running")
        newest = time.time()
        assert children_of(running.process.pid)
        children = children_of(running.process.pid)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(2 if not os.environ.get("CI") else 6)
        assert running.process.returncode == 0
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
        shard = next(running.state.parent.glob("raw-*.db"))
        with sqlite3.connect(shard) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            epoch = float(raw.execute("SELECT value FROM meta WHERE key = 'epoch_unix_seconds'").fetchone()[0])
            stored = raw.execute("SELECT max(time) FROM core").fetchone()[0] / 1000 + epoch
        assert newest - stored < 2


def test_a_second_agent_on_the_same_database_is_refused_in_one_line(tmp_path):
    with agent(tmp_path / "a") as running:
        second = subprocess.run(
            command("run", "--db", str(running.state), "--listen", f"127.0.0.1:{free_port()}"),
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert second.returncode == 3
        assert second.stderr.count("\n") == 1
        assert second.stderr.startswith("nodewright: ")


def test_a_port_in_use_is_one_line_and_status_2(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        listen = f"127.0.0.1:{holder.getsockname()[1]}"
        run = subprocess.run(
            command("run", "--db", str(tmp_path / "state.db"), "--listen", listen),
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert run.returncode == 2
    lines = [line for line in run.stderr.splitlines() if line.startswith("nodewright: ")]
    assert len(lines) == 1
    assert "in use" in lines[0]
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("where", ["/proc/state.db", "/dev/null/state.db"])
def test_a_state_folder_that_cannot_be_written_is_one_line_and_status_2(where):
    run = subprocess.run(
        command("run", "--db", where, "--listen", f"127.0.0.1:{free_port()}"),
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert run.stderr.startswith("nodewright: ")
    assert run.stderr.count("\n") == 1


def test_a_planted_secret_is_nowhere(tmp_path):
    """In the server's arguments, environment and settings; looked for in state, API, metrics and logs."""
    server = tmp_path / "server"
    server.mkdir()
    (server / "settings.json").write_text(f'{{"parallel_workers": 2, "api_key": "{SECRET}"}}')
    with (
        prefork_server(
            server, "--api-key", SECRET, f"--db=postgres://u:{SECRET}@h/x",
            environ={"AWS_SECRET_ACCESS_KEY": SECRET, "MLSERVER_TOKEN": SECRET, "OMP_NUM_THREADS": "1"},
        ) as port,
        agent(tmp_path / "a") as running,
    ):  # fmt: skip
        name = f"gunicorn/shop:{port}"
        running.wait_for("/v1/services", lambda found: name in names(found))
        running.wait_for("/v1/workers", lambda found: any(not w["missing"] for w in found if w["service"] == name))
        pages = [running.text(f"/v1/{p}") for p in ("services", "workers", "models", "advice", "node", "self")]
        pages += [running.text("/metrics"), running.text("/openapi.json")]
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(10)
        assert any("[redacted]" in page for page in pages)
        assert not [page for page in pages if SECRET in page]
        files = [f for f in (tmp_path / "a").rglob("*") if f.is_file()]
        assert {"state.db", "err"} <= {f.name for f in files}
        assert not [f.name for f in files if SECRET.encode() in f.read_bytes()]


def test_a_killed_sidecar_comes_back_and_sampling_goes_on(tmp_path, server):
    with agent(tmp_path / "a") as running:
        running.wait_for("/v1/self", lambda self: self["sidecar"] == "running" and self["ticks"] > 2)
        children = children_of(running.process.pid)
        os.kill(int(children[0]), signal.SIGKILL)
        running.wait_for("/v1/self", lambda self: self["ticks"] > 6)
        running.wait_for("/v1/self", lambda self: self["sidecar"] == "running")
        assert children_of(running.process.pid) not in ([], children)


def test_without_a_sidecar_it_looks_with_its_own_rights(tmp_path, server):
    with agent(tmp_path / "a", "--no-sidecar") as running:
        running.wait_for("/v1/services", lambda found: server in names(found))
        found = running.wait_for(
            "/v1/workers", lambda all_: any(not w["missing"] for w in all_ if w["service"] == server)
        )
        assert [w["role"] for w in found if w["service"] == server]
        assert running.get("/v1/self")["sidecar"] == "off"
