"""Real gunicorn servers with a chosen fault, loaded, for the tests of the rules."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.agent.running import free_port

HERE = Path(__file__).parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CPU_CGROUPS = Path("/sys/fs/cgroup/cpu")
MEMORY_CGROUPS = Path("/sys/fs/cgroup/memory")


@contextmanager
def program(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None,
            before: Callable[[], None] | None = None) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """A child that is terminated, then killed, by pid."""
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    process = subprocess.Popen(
        argv, env={**clean, **(env or {})}, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=before,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def gunicorn(folder: Path, *, workers: int, env: Mapping[str, str] | None = None, arguments: Sequence[str] = (),
             before: Callable[[], None] | None = None, prefix: Sequence[str] = (),
             app: str = "mlp:app", port: int | None = None) -> Iterator[int]:  # fmt: skip
    """A ready server; yields its port."""
    port = port or free_port()
    argv = [*prefix, sys.executable, str(Path(sys.executable).with_name("gunicorn")), "--chdir", str(HERE),
            "-b", f"127.0.0.1:{port}", "-w", str(workers), *arguments, app]  # fmt: skip
    with program(argv, env=env, cwd=folder, before=before) as process:
        end = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            try:
                connection.request("GET", "/health")
                connection.getresponse().read()
                break
            except OSError:
                assert process.poll() is None, "gunicorn ended"
                assert time.monotonic() < end, "gunicorn did not get ready"
                time.sleep(0.2)
            finally:
                connection.close()
        yield port


@contextmanager
def load(port: int, *how: str) -> Iterator[None]:
    with program([sys.executable, str(HERE / "bench_client.py"), str(port), *how]):
        yield


@contextmanager
def hogs(count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(program([sys.executable, "-c", "while True: pass"]))
        yield


@contextmanager
def cpu_quota(cores: float) -> Iterator[Callable[[], None]]:
    """A cgroup v1 with a CPU quota; yields what a child calls to enter it."""
    with _cgroup(CPU_CGROUPS, "cpu.cfs_quota_us", int(cores * 100_000)) as enter:
        yield enter


@contextmanager
def memory_limit(limit_bytes: int) -> Iterator[Callable[[], None]]:
    """A cgroup v1 with a memory limit; yields what a child calls to enter it."""
    with _cgroup(MEMORY_CGROUPS, "memory.limit_in_bytes", limit_bytes) as enter:
        yield enter


@contextmanager
def _cgroup(root: Path, key: str, value: int) -> Iterator[Callable[[], None]]:
    group = root / f"nodewright-test-{os.getpid()}"
    group.mkdir()
    (group / key).write_text(str(value))
    try:
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))  # type: ignore[func-returns-value]
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


class Neighbours:
    """How much CPU this machine's hypervisor gave to others since it was made: such a machine proves nothing."""

    def __init__(self) -> None:
        self._before = self._read()

    @staticmethod
    def _read() -> tuple[int, int]:
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return fields[7], sum(fields)

    @property
    def stolen_ratio(self) -> float:
        (stolen, total), (now, whole) = self._before, self._read()
        return (now - stolen) / max(1, whole - total)


def narrow() -> None:
    """Called in a child: allow only one CPU."""
    os.sched_setaffinity(0, {0})
