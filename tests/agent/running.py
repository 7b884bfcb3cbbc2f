"""A real agent and a real process that looks like a server, for the tests that need both."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "nodewright.py"
PREFORK = ROOT / "tests" / "programs" / "prefork.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(LAUNCHER), *arguments]


class Agent:
    """A running `nodewright run`."""

    def __init__(self, state: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.state, self.port, self.process = state, port, process

    def get(self, path: str, timeout: float = 5) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())["data"]
        finally:
            connection.close()

    def text(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode("utf-8", "replace")
        finally:
            connection.close()

    def wait_for(self, path: str, good: Any, seconds: float = 40) -> Any:
        """Poll until `good(answer)` is true; the last answer in the failure."""
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the agent ended with {self.process.returncode}: {self.errors()}")
            try:
                last = self.get(path)
                if good(last):
                    return last
            except (OSError, KeyError, ValueError):
                pass
            time.sleep(0.25)
        raise AssertionError(f"{path} never became as expected: {str(last)[:3000]} {self.errors()}")

    def errors(self) -> str:
        return (self.state.parent / "err").read_text(errors="replace")[-2000:]


@contextmanager
def agent(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, prefix: Sequence[str] = (),
          wait: bool = True) -> Iterator[Agent]:  # fmt: skip
    """Run an agent on its own database and port; ended by SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    state = folder / "state.db"
    home = {"XDG_STATE_HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "runtime"), "HOME": str(folder)}
    with open(folder / "err", "wb") as errors:
        process = subprocess.Popen(
            [*prefix, *command("run", "--db", str(state), "--listen", f"127.0.0.1:{port}", *arguments)],
            stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env={**os.environ, **home, **(environ or {})},
        )  # fmt: skip
        running = Agent(state, port, process)
        try:
            if wait:
                running.wait_for("/v1/node", lambda node: node["node"])
            yield running
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)


@contextmanager
def prefork_server(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[int]:
    """The prefork program under the name gunicorn; yields its port."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "gunicorn"
    shutil.copy(PREFORK, script)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, str(script), "-b", f"127.0.0.1:{port}", *arguments, "shop:app"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env={**os.environ, **(environ or {})},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield port
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
