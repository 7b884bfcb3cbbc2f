"""How does an answer of NVML become JSON, and what did the call cost?"""

import ctypes
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""What `json` can write."""

IDENTIFYING = frozenset({"serial", "pdi", "ibGuid", "chassisSerialNumber", "clusterUuid"})
"""Fields that name one card or machine: never written out."""


def plain(value: Any) -> Json:
    """A ctypes structure as a dict, an array as a list, floats with four digits after the point; "nan" where one is none."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else str(value)
    if isinstance(value, ctypes.Structure):
        names = [field[0] for field in value._fields_]
        return {name: plain(getattr(value, name)) for name in names if name not in IDENTIFYING}
    if isinstance(value, (ctypes.Array, list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, ctypes._SimpleCData):
        return plain(value.value)
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    named = vars(value)  # what nvidia-ml-py calls a friendly object
    return {name: plain(item) for name, item in named.items() if name not in IDENTIFYING}


class Calls:
    """Makes calls and keeps, by name, how long each took (microseconds of wall time and of this thread's CPU)."""

    def __init__(self, nvml: Any) -> None:
        self.nvml = nvml
        self.spent: dict[str, list[tuple[int, int]]] = defaultdict(list)
        codes = {name: code for name, code in vars(nvml).items() if name.startswith("NVML_ERROR_")}
        self._names = {code: name.removeprefix("NVML_ERROR_") for name, code in codes.items() if isinstance(code, int)}

    def error_name(self, code: int) -> str:
        """`NOT_SUPPORTED` for 3."""
        return self._names.get(code, str(code))

    def make(self, name: str, call: Callable[[], Any]) -> tuple[Json, str | None]:
        """The answer, or None and the name of the error. A function that library or driver lacks is an error too."""
        answer: Json = None
        error = None
        with self.timed(name):
            try:
                answer = plain(call())
            except self.nvml.NVMLError as raised:
                error = self.error_name(raised.value)
            except (AttributeError, TypeError, ValueError) as raised:
                error = f"{type(raised).__name__}: {raised}"
        return answer, error

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Keeps what the block cost."""
        wall, cpu = time.monotonic_ns(), time.thread_time_ns()
        try:
            yield
        finally:
            took = (time.monotonic_ns() - wall) // 1000, (time.thread_time_ns() - cpu) // 1000
            self.spent[name].append(took)

    def costs(self) -> dict[str, Json]:
        """By call: how often, then median, 90th percentile and maximum of its wall time, and median CPU time, all in µs."""
        table: dict[str, Json] = {}
        for name, spent in self.spent.items():
            wall = sorted(took for took, _ in spent)
            cpu = sorted(took for _, took in spent)
            table[name] = [
                len(wall),
                wall[len(wall) // 2],
                wall[len(wall) * 9 // 10],
                wall[-1],
                cpu[len(cpu) // 2],
            ]
        return table
