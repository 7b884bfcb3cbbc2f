"""Real servers of every kind, bounded and on loopback; whatever they started is ended by pid, and nothing may be left."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.demo.launch import clean_environment
from agent.demo.processes import Programs, members, process_table
from agent.demo.serving import free_ports, wait_until_ready

APPS = Path(__file__).parent / "apps"
START_SECONDS = 120.0
END_SECONDS = 20.0
FOREIGN = ("GUNICORN_", "UVICORN_", "HYPERCORN_", "BENTOML_", "RAY_", "LLAMA_", "GGML_", "WEB_CONCURRENCY", "PORT")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers. `pid`: what was started; `folder`: its working folder."""

    pid: int
    port: int
    folder: Path


def environment_for(more: Mapping[str, str]) -> dict[str, str]:
    """What a server inherits: nothing that decides its settings, and the folder of the applications."""
    kept = {key: text for key, text in clean_environment(os.environ).items() if not key.startswith(FOREIGN)}
    return {**kept, "PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def server(
    argv: Sequence[str | Path], folder: Path, port: int, ready: str, env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run `argv` in `folder` until it answers at `ready`, and end it and all that came of it afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with Programs() as programs:
        program = programs.start([str(part) for part in argv], env=environment_for(env or {}), cwd=folder, log=log)
        try:
            wait_until_ready(program, f"http://127.0.0.1:{port}{ready}", START_SECONDS, log)
            yield Running(pid=program.pid, port=port, folder=folder)
        finally:
            started = {(row.pid, row.started) for row in members([program.pid], process_table())}
            programs.end(program)
            program.wait(END_SECONDS)
    left = started & {(row.pid, row.started) for row in process_table()}
    assert not left, f"processes were left: {left}"


@contextmanager
def gunicorn(programs: Path, folder: Path, app: str, *arguments: str) -> Iterator[Running]:
    (port,) = free_ports(1)
    argv = [programs / "gunicorn", "-b", f"127.0.0.1:{port}", "--no-control-socket", *arguments, app]
    with server(argv, folder, port, "/who") as running:
        yield running


@contextmanager
def uvicorn(programs: Path, folder: Path, *arguments: str) -> Iterator[Running]:
    (port,) = free_ports(1)
    argv = [programs / "uvicorn", "--port", str(port), "--no-access-log", *arguments, "asgi_app:app"]
    with server(argv, folder, port, "/who") as running:
        yield running


@contextmanager
def hypercorn(programs: Path, folder: Path, *arguments: str) -> Iterator[Running]:
    (port,) = free_ports(1)
    argv = [programs / "hypercorn", "-b", f"127.0.0.1:{port}", *arguments, "asgi_app:app"]
    with server(argv, folder, port, "/who") as running:
        yield running


@contextmanager
def mlserver(
    programs: Path, folder: Path, workers: int, env: Mapping[str, str] | None = None, **more: object
) -> Iterator[Running]:
    """An MLServer with the model `waiting`, of which `more` are further settings; its settings file names the ports."""
    http, grpc, metrics = free_ports(3)
    settings = {
        "debug": False, "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
        "parallel_workers": workers,
    }  # fmt: skip
    model = {"name": "waiting", "implementation": "mlserver_model.WaitingModel", "platform": "none", **more}
    (folder / "waiting").mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "waiting" / "model-settings.json").write_text(json.dumps(model))
    with server([programs / "mlserver", "start", "."], folder, http, "/v2/models/waiting/ready", env) as running:
        yield running
