"""A real gRPC server on loopback that answers as libtpu's metrics service does, with messages built byte by byte."""

import struct
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from collectors.containers.protobuf_wire import text

NAME = "tpu.monitoring.runtime.RuntimeMetricService"


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out, value = out + bytes((value & 0x7F | 0x80,)), value >> 7
    return out + bytes((value,))


def field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def point(device: int, value: int | float | str) -> bytes:
    """A Metric: attribute (key, value.int_attr), timestamp, gauge."""
    attribute = field(1, "device-id") + field(2, field(3, device))
    numbers = {float: 1, int: 2, str: 3}
    return field(1, attribute) + field(2, field(1, 1_700_000_000)) + field(3, field(numbers[type(value)], value))


def response(metric: str, values: dict[int, Any]) -> bytes:
    """A MetricResponse."""
    points = b"".join(field(3, point(device, value)) for device, value in values.items())
    return field(1, field(1, metric) + field(2, "what it is") + points)


class TpuService:
    """Serves `metrics` (name -> device -> value, or the bytes to answer, or a status code) on a port of its own choice.
    `listed`: what it says that it has; None: it has no such method."""

    def __init__(self, metrics: dict[str, Any], *, listed: Iterable[str] | None = None, port: int = 0) -> None:
        self.metrics = metrics
        self.asked: list[str] = []
        self.delay = 0.0
        methods = {"GetRuntimeMetric": self._get}
        if listed is not None:
            names = b"".join(field(1, field(1, name)) for name in listed)
            methods["ListSupportedMetrics"] = lambda request, context: names
        handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in methods.items()}
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _get(self, request: bytes, context: Any) -> bytes:
        metric = text(request, 1)
        self.asked.append(metric)
        time.sleep(self.delay)
        found = self.metrics.get(metric, grpc.StatusCode.NOT_FOUND)
        if isinstance(found, grpc.StatusCode):
            context.abort(found, "as the test says")
        return found if isinstance(found, bytes) else response(metric, found)
