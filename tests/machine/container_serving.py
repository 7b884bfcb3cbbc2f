"""How does a test get a model server with a bottleneck in a container of its own, and what does an agent beside it say?"""

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine.commands import commands
from tests.machine.podman import Podman, podman
from tests.machine.waiting import wait_for

ROOT = Path(__file__).parents[2]
BUILD, ONE, TWO, ASK = commands(ROOT / "docs/install.md", "Container")
NAME = "gunicorn/mlp:8000"
SERVER = """
FROM python:3.12-slim-bookworm
RUN python3 -m venv /srv/venv && /srv/venv/bin/pip install --quiet gunicorn numpy \\
 && useradd --uid 1000 --create-home serving && mkdir -m 700 /home/serving/app
COPY mlp.py bench_client.py /home/serving/app/
RUN chown -R serving /home/serving/app
USER 1000
WORKDIR /home/serving/app
CMD ["/srv/venv/bin/gunicorn", "-b", "127.0.0.1:8000", "-w", "2", "mlp:app"]
"""
LIMITS = ("--cpus", "2", "--memory", "1g", "--cpuset-cpus", "0,1")
TWO_BITS = 1 << 2 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
two_cpus = {0, 1} <= os.sched_getaffinity(0)


@contextmanager
def images(folder: Path) -> Iterator[Podman]:
    """Ours, built by the documented command, and that of a server."""
    with podman(folder / "podman") as one:
        one.sh(BUILD, cwd=ROOT)
        (folder / "server").mkdir()
        (folder / "server/Dockerfile").write_text(SERVER)
        for name in ("mlp.py", "bench_client.py"):
            shutil.copy(ROOT / "tests/live" / name, folder / "server")
        one.run("build", "--isolation", "chroot", "--tag", "model-server", str(folder / "server"))
        yield one


@contextmanager
def loaded_server(engine: Podman) -> Iterator[None]:
    """Two workers of two compute threads each on two cores, under load."""
    engine.start("server", "--network", "none", *LIMITS, "model-server")
    load = engine.popen("exec", "--interactive", "server", "python3", "bench_client.py", "8000", "closed", "8")
    try:
        yield
    finally:
        assert load.stdin is not None
        load.stdin.close()
        engine.remove()
        load.wait(60)


def data(engine: Podman, path: str) -> list:
    return json.loads(engine.get("nodewright", path))["data"]


def logs(engine: Podman) -> str:
    return "".join(engine.run("logs", name, check=False)[-2000:] for name in engine.started)


def missing(engine: Podman) -> set[str]:
    """What the agent lacks of the server's processes, once it has asked; {""} where it lacks nothing."""
    workers = wait_for(lambda: [w for w in data(engine, "/v1/workers") if w["service"] == NAME], lambda: logs(engine))
    return {text.partition(":")[0] for worker in workers for text in worker["missing"]} or {""}


def named(engine: Podman) -> str:
    """What is said of the server, once its bottleneck is named."""
    ask = shlex.split(ASK.splitlines()[0])
    rule = "1. [high] cpu-oversubscribed-openmp"
    return str(wait_for(lambda: rule in (text := engine.run(*ask[1:])) and text, lambda: logs(engine), 120))


def status(engine: Podman, container: str) -> dict[str, str]:
    """/proc/PID/status of its first program."""
    pid = engine.inspect(container, "{{.State.Pid}}")
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
