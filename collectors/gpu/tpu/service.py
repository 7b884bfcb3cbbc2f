"""What does libtpu tell of the chips that a workload uses? Asks the metrics service of each process, where one runs.

Known from documentation (tpu-info) only, never run on the hardware. libtpu serves gRPC on port 8431 of localhost, or, where
several processes share the chips, each on one of the ports that TPU_RUNTIME_METRICS_PORTS names. Nobody answers while nothing
runs. By default each process answers for all chips of its node.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from collectors.gpu.asked import Doing
from collectors.gpu.states import in_state
from collectors.gpu.tpu.wire import decode_gauges, decode_names, request

MEMORY_TOTAL = "tpu.runtime.hbm.memory.total.bytes"
MEMORY_USED = "tpu.runtime.hbm.memory.usage.bytes"
DUTY_CYCLE = "tpu.runtime.tensorcore.dutycycle.percent"
BANDWIDTH = "tpu.runtime.hbm.utilization.percent"
METRICS = (MEMORY_TOTAL, MEMORY_USED, DUTY_CYCLE, BANDWIDTH)
DEFAULT_PORT = 8431
_MOST_PORTS = 16
_ANSWER_LIMIT_BYTES = 1 << 20
DEADLINE_SECONDS = 0.5
PATIENCE_SECONDS = 1.5
"""For all ports together: a service that hangs does not keep the chips from being listed."""
_SERVICE = "/tpu.monitoring.runtime.RuntimeMetricService/"
_HINT = "grpcio is not installed: pip install 'nodewright[kubernetes]', which brings it"


@dataclass(slots=True)
class Told:
    """What the services said. `values`: metric -> device -> value; `missing`: why something is not there, a word each."""

    values: dict[str, dict[int, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def ports() -> tuple[int, ...]:
    """Those of TPU_RUNTIME_METRICS_PORTS, else the one that libtpu uses."""
    named = [word.strip() for word in os.environ.get("TPU_RUNTIME_METRICS_PORTS", "").split(",")]
    numbers = [int(word) for word in named if word.isascii() and word.isdigit() and 0 < int(word) < 1 << 16]
    return tuple(dict.fromkeys(numbers))[:_MOST_PORTS] or (DEFAULT_PORT,)


class Services:
    """The services of all ports. Not for several threads."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        """Raises Unreadable where grpcio is not installed."""
        self.doing = Doing()
        self._ports = [_Port(number, self.doing) for number in numbers]

    def read(self) -> Told:
        """What they say now. A device that several answer for counts as the first one says."""
        told = Told()
        until = time.monotonic() + PATIENCE_SECONDS
        for port in self._ports:
            if time.monotonic() >= until:
                told.missing.append(f"port-{port.number}:not-asked")
                continue
            values, why = port.read()
            if why:
                told.missing.append(f"port-{port.number}:{why}")
            for metric, by_device in values.items():
                known = told.values.setdefault(metric, {})
                for device, value in by_device.items():
                    known.setdefault(device, value)
        return told

    def close(self) -> None:
        for port in self._ports:
            port.close()


class _Port:
    """The service of one process."""

    def __init__(self, number: int, doing: Doing) -> None:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # else it writes of each workload that ends
        try:
            import grpc
        except ImportError as error:
            raise in_state("no driver", _HINT) from error
        self.number = number
        self._doing = doing
        self._grpc: Any = grpc
        options = (
            ("grpc.max_receive_message_length", _ANSWER_LIMIT_BYTES),
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_reconnect_backoff_ms", 5000),
        )
        credentials = grpc.local_channel_credentials()  # refuses an address that is not this machine's
        self._channel: Any = grpc.secure_channel(f"localhost:{number}", credentials, options=options)
        self._wanted: tuple[str, ...] | None = None
        """What it has of METRICS; None: ask, because another process may serve there now."""

    def read(self) -> tuple[dict[str, dict[int, float]], str]:
        """Values by metric and device, and why some or all are not there."""
        found: dict[str, dict[int, float]] = {}
        try:
            if self._wanted is None:
                self._wanted = self._supported()
            for metric in self._wanted:
                answer = self._call("GetRuntimeMetric", request(metric), decode_gauges)
                if answer:
                    found[metric] = answer
        except self._grpc.RpcError as error:
            self._wanted = None
            return found, self._why(error.code())
        except ValueError:
            self._wanted = None
            return found, "not-understood"
        return found, "" if found else "tells-nothing"

    def close(self) -> None:
        self._channel.close()

    def _supported(self) -> tuple[str, ...]:
        """Those of METRICS that it lists; all of them where it cannot list."""
        names = self._call("ListSupportedMetrics", b"", decode_names)
        return tuple(metric for metric in METRICS if metric in names) if names else METRICS

    def _call(self, method: str, body: bytes, decode: Callable[[bytes], Any]) -> Any:
        """None where it does not know the method or the metric. Raises RpcError and ValueError."""
        codes = self._grpc.StatusCode
        self._doing.call = f"{method} on port {self.number}"
        try:
            return decode(self._channel.unary_unary(_SERVICE + method)(body, timeout=DEADLINE_SECONDS))
        except self._grpc.RpcError as error:
            if error.code() in (codes.NOT_FOUND, codes.UNIMPLEMENTED, codes.INVALID_ARGUMENT):
                return None
            raise
        finally:
            self._doing.call = ""

    def _why(self, code: Any) -> str:
        codes = self._grpc.StatusCode
        known = {codes.UNAVAILABLE: "no-workload", codes.DEADLINE_EXCEEDED: "no-answer"}
        return known.get(code, str(code.name).lower().replace("_", "-"))
