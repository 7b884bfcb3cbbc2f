"""How is the demo's model server run with a given launch, and how is it loaded?"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.demo.launch import SEE_LOG, DemoError, Launch, clean_environment
from agent.demo.processes import Programs, members, process_table

MODEL = "demo"
INFER = f"/v2/models/{MODEL}/infer"
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}]})
LOAD = Path(__file__).with_name("load.py")
MODEL_FILE = Path(__file__).with_name("demo_model.py")
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A started model server: its first process, its HTTP port and its folder."""

    program: subprocess.Popen[bytes]
    port: int
    folder: Path

    def pids(self) -> list[int]:
        """The server's processes, workers included."""
        return [row.pid for row in members([self.program.pid], process_table())]

    def memory_bytes(self) -> int | None:
        """Proportional set size of all its processes, resident size where that may not be read; None if it is gone."""
        sizes = [size for pid in self.pids() if (size := _memory_bytes(pid)) is not None]
        return sum(sizes) if sizes else None


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on at this moment."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start_server(programs: Programs, argv: tuple[str, ...], launch: Launch, folder: Path) -> Server:
    """Write model and settings into `folder`, start `argv` there and wait until the model is ready."""
    http, grpc, metrics = free_ports(3)
    place = {"debug": False, "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    model = folder / MODEL
    model.mkdir(parents=True)
    shutil.copy(MODEL_FILE, model)
    (model / "model-settings.json").write_text(json.dumps({"name": MODEL, "implementation": "demo_model.DemoModel"}))
    for name, settings in launch.files.items():
        (folder / name).write_text(json.dumps({**place, **settings}))
    log = folder / "server.log"
    program = programs.start(
        (*argv, *launch.arguments),
        env={**clean_environment(os.environ), **launch.environment},
        cwd=folder,
        log=log,
        cpus=launch.cpus,
    )
    wait_until_ready(program, f"http://127.0.0.1:{http}/v2/models/{MODEL}/ready", START_SECONDS, log)
    return Server(program=program, port=http, folder=folder)


def wait_until_ready(program: subprocess.Popen[bytes], url: str, seconds: float, log: Path) -> None:
    """Wait until `url` answers 200. DemoError with the end of `log` if the program ends or takes longer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and program.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback address of our own
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    words = log.read_text(errors="replace").strip().splitlines()[-2:]
    state = "is not ready" if program.poll() is None else f"ended with {program.returncode}"
    raise DemoError(f"{url.split('/')[2]} {state}: {' '.join(words)}", SEE_LOG)


def start_load(programs: Programs, port: int, connections: int, seconds: float, skip: float) -> subprocess.Popen[bytes]:
    """A closed loop against the server at `port`, which counts for `seconds` after `skip` seconds."""
    wanted = {
        "port": port,
        "path": INFER,
        "body": BODY,
        "connections": connections,
        "seconds": seconds,
        "skip_seconds": skip,
    }
    return programs.start([sys.executable, str(LOAD), json.dumps(wanted)])


def _memory_bytes(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as stream:
            for line in stream:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        return None
    except PermissionError:
        with open(f"/proc/{pid}/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None
