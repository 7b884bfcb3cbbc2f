"""What do the answers of libtpu's metrics service say? Decodes messages of package `tpu.monitoring.runtime`.

Known from documentation (tpu_metric_service.proto of tpu-info) only, never run on the hardware.
"""

import math
import struct

from collectors.containers.protobuf_wire import fields, messages, text

_INT64, _UINT64 = 1 << 63, 1 << 64


def request(metric: str) -> bytes:
    """A MetricRequest: field 1 is the name."""
    name = metric.encode()
    return bytes((0x0A, len(name))) + name


def decode_gauges(message: bytes) -> dict[int, float]:
    """Device -> value of each gauge in a MetricResponse; the last one counts. Raises ValueError for what is none."""
    found: dict[int, float] = {}
    for metric in messages(message, 1):
        for point in messages(metric, 3):
            value = _gauge(_last(point, 3))
            if value is not None:
                found[_device(_last(point, 1))] = value
    return found


def decode_names(message: bytes) -> frozenset[str]:
    """The metrics in a ListSupportedMetricsResponse. Raises ValueError for what is none."""
    return frozenset(text(metric, 1) for metric in messages(message, 1))


def _last(message: bytes, number: int) -> bytes:
    found = list(messages(message, number))
    return found[-1] if found else b""


def _gauge(message: bytes) -> float | None:
    """A Gauge's number: as_double = 1 or as_int = 2, of which one is set; None for text, and for what is no number."""
    value: float | None = None
    for number, raw in fields(message):
        if isinstance(raw, int) and number == 1:
            (value,) = struct.unpack("<d", (raw % _UINT64).to_bytes(8, "little"))
        elif isinstance(raw, int) and number == 2:
            value = raw if raw < _INT64 else None
    return value if value is not None and math.isfinite(value) and value >= 0 else None


def _device(attribute: bytes) -> int:
    """The number in an Attribute's value: int_attr = 3, or digits in string_attr = 1; 0, as protobuf has it, where none is."""
    device = 0
    for number, raw in fields(_last(attribute, 2)):
        if number == 3 and isinstance(raw, int):
            device = raw
        elif number == 1 and isinstance(raw, bytes) and raw.isdigit() and len(raw) < 10:
            device = int(raw)
    return device
