"""A real Prometheus on loopback, for tests and measurements: it scrapes what it is told, or serves what was made before."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.agent.running import free_port
from tests.live.debian import debian_program

END_SECONDS = 20.0


class RunningPrometheus:
    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: Any) -> Any:
        """The `data` of an answer that succeeded."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"{path}?{urlencode(query, doseq=True)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, promql: str) -> list[Any]:
        return list(self.get("/api/v1/query", query=promql)["result"])

    def wait_for(self, promql: str, good: Callable[[list[Any]], bool], seconds: float = 40) -> list[Any]:
        """Ask until `good(result)`."""
        end, last = time.monotonic() + seconds, []
        while time.monotonic() < end:
            last = self.query(promql)
            if good(last):
                return last
            time.sleep(0.2)
        raise AssertionError(f"{promql} never became as expected: {str(last)[:2000]}")


def scraping(targets: Sequence[str], rules: Path | None = None, every: str = "500ms") -> str:
    """A configuration; JSON is YAML."""
    job = {"job_name": "nodewright", "static_configs": [{"targets": list(targets)}]}
    times = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
    return json.dumps({"global": times, "rule_files": [str(rules)] if rules else [], "scrape_configs": [job]})


@contextmanager
def prometheus(folder: Path, configuration: str, *more: str) -> Iterator[RunningPrometheus]:
    """Its data lies in `folder`/data. Raises NoDebianError where there is none."""
    program = debian_program("prometheus", "prometheus")
    port = free_port()
    (folder / "prometheus.yaml").write_text(configuration)
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [program, f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", *more],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "2"},
        )  # fmt: skip
    try:
        running = RunningPrometheus(port, process.pid)
        _wait_ready(running, process, folder / "prometheus.log")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_SECONDS)


def _wait_ready(running: RunningPrometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
        try:
            connection.request("GET", "/-/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError(f"prometheus is not ready: {log.read_text(errors='replace')[-2000:]}")
