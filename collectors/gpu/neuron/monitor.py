"""Runs `neuron-monitor` and keeps its newest report. Known from documentation only, never run on the hardware.

It writes one JSON object per line and period. It is a child of the reader process: started when somebody asks, started again
when it ends, and ended with us.
"""

import fcntl
import os
import signal
import subprocess
import threading
import time
from functools import cache
from typing import Any

import msgspec

from collectors.dies_with_us import dies_with_us
from collectors.gpu.neuron.lines import NewestLine
from collectors.gpu.states import GpuState, in_state
from collectors.host import Clock
from collectors.reading import Unreadable

LINE_LIMIT_BYTES = 16 << 20
"""No report is as long: 64 cores with a hundred models each are some megabytes."""
_SAID_LIMIT_BYTES = 4096
_PIPE_BYTES = 1 << 20
"""A report that fits the pipe needs nobody to read it while it is written."""
PERIOD = "1s"
FRESH_NS = 5_000_000_000
"""A report counts for so long: a few periods, for a node that is busy."""
SILENT_NS = 20_000_000_000
"""Without a report for so long it is ended and started again."""
FIRST_DELAY_NS, LAST_DELAY_NS = 1_000_000_000, 60_000_000_000
PATIENCE_SECONDS = 2.0
_LOOK_SECONDS = 0.05
_ENDS_WITHIN_SECONDS = 0.5
_ENVIRONMENT = {"PATH": "/opt/aws/neuron/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
"""Nothing of ours."""
CONFIG: dict[str, Any] = {
    "period": PERIOD,
    "neuron_runtimes": [
        {"tag_filter": ".*", "metrics": [{"type": "neuroncore_counters"}, {"type": "memory_used"}]},
    ],
    "system_metrics": [{"type": "neuron_hw_counters"}],
}


class Monitor:
    """One neuron-monitor, for all threads of the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: NewestLine
        self._errors: NewestLine
        self._said = b""
        """The newest line that it wrote of itself."""
        self._report: dict[str, Any] | None = None
        self._reported_ns = self._sign_ns = 0
        """When the newest report came; the later one of this and when it was started."""
        self._start_ns = 0
        """Not before."""
        self._delay_ns = FIRST_DELAY_NS
        self._why: tuple[GpuState, str] = ("starting", "neuron-monitor is being started")

    def report(self, mono_ns: int) -> dict[str, Any]:
        """The newest report. Raises Unreadable where there is none of now."""
        with self._lock:
            if self._process is None and mono_ns >= self._start_ns:
                self._start(mono_ns)
            if self._process is not None:
                self._read(self._process, mono_ns)
            if self._report is None or mono_ns - self._reported_ns > FRESH_NS:
                raise in_state(*self._why)
            return self._report

    def awaited(self, clock: Clock) -> dict[str, Any]:
        """As `report`, but waits a little for the first one: for who asks seldom."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.report(clock.now().mono_ns)
            except Unreadable as why:
                if why.reason != "starting" or time.monotonic() >= until:
                    raise
            time.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """End it; who asks again starts another one."""
        with self._lock:
            if self._process is not None:
                self._end(self._process)
            self._report, self._start_ns, self._delay_ns = None, 0, FIRST_DELAY_NS

    def _start(self, mono_ns: int) -> None:
        config = os.memfd_create("neuron-monitor.json")
        try:
            os.write(config, msgspec.json.encode(CONFIG))
            command = [*dies_with_us(), self._path, "-c", f"/proc/self/fd/{config}"]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_ENVIRONMENT,
                pass_fds=(config,), start_new_session=True,
            )  # fmt: skip
        except PermissionError as error:
            self._retry(mono_ns, "permission", f"neuron-monitor cannot be run: {error.strerror}")
        except OSError as error:
            self._retry(mono_ns, "failed", f"neuron-monitor cannot be started: {error.strerror}")
        else:
            self._began(process, mono_ns)
        finally:
            os.close(config)

    def _began(self, process: subprocess.Popen[bytes], mono_ns: int) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:  # above the limit of this host
            pass
        self._lines = NewestLine(process.stdout.fileno(), LINE_LIMIT_BYTES, begins=b"{")
        self._errors = NewestLine(process.stderr.fileno(), _SAID_LIMIT_BYTES)
        self._process, self._sign_ns, self._said = process, mono_ns, b""
        self._why = ("starting", "neuron-monitor was started; its first report comes within seconds")

    def _read(self, process: subprocess.Popen[bytes], mono_ns: int) -> None:
        """Take what came, and notice that it ended or hangs."""
        ended = _has_ended(process)  # before reading: what it wrote last is there then
        self._said = self._errors.read() or self._said
        line = self._lines.read()
        report = None if line is None else _decoded(line)
        if report is not None:
            self._report, self._delay_ns = report, FIRST_DELAY_NS
            self._reported_ns = self._sign_ns = mono_ns
            self._why = ("unresponsive", "neuron-monitor has not reported for some seconds")
        elif line is not None:
            self._why = ("failed", "neuron-monitor writes what is no report")
        if ended:
            self._end(process)
            words = " ".join(self._said.decode("utf-8", "replace").split())[:200]
            self._retry(
                mono_ns, "failed", f"neuron-monitor ended with status {process.returncode}: {words or 'no reason'}"
            )
        elif mono_ns - self._sign_ns >= SILENT_NS:
            self._end(process)
            self._retry(mono_ns, "unresponsive", "neuron-monitor did not report; it is started again")

    def _retry(self, mono_ns: int, state: GpuState, hint: str) -> None:
        self._why = (state, hint)
        self._start_ns = mono_ns + self._delay_ns
        self._delay_ns = min(2 * self._delay_ns, LAST_DELAY_NS)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """It, and what it started in its turn. One that hangs in the kernel is left to itself."""
        self._process = None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        try:
            process.wait(_ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without reaping it, so that its number stays its own until what it started is ended too."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@cache
def monitor_of(path: str) -> Monitor:
    """The process's only one of this program: the collectors of it share what it says."""
    return Monitor(path)


def _decoded(line: bytes) -> dict[str, Any] | None:
    """A report; None for what is none."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and ("neuron_runtime_data" in found or "system_data" in found) else None
