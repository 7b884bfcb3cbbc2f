"""What do the numbers in scalene's JSON say of each line?

Written for scalene 2.4 (`scalene_json.py: FunctionDetail`); sizes there are in MiB. A line's growth in that file is a copy
of its peak, so growth is taken from the leak detector instead.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from advisor.profiling.stored import LineUse
from agent.scalene.source_text import source_text

MIB = 1 << 20
LINES_LIMIT = 2000
BYTES_LIMIT = 64 << 20


class Line(msgspec.Struct, frozen=True):
    """One line of a file, as scalene has it."""

    lineno: int
    line: str = ""
    n_cpu_percent_python: float = 0.0
    n_cpu_percent_c: float = 0.0
    n_sys_percent: float = 0.0
    n_gpu_percent: float = 0.0
    n_peak_mb: float = 0.0
    n_malloc_mb: float = 0.0
    n_copy_mb_s: float = 0.0
    cpu_samples_list: tuple[float, ...] = ()


class File(msgspec.Struct, frozen=True):
    lines: tuple[Line, ...] = ()
    leaks: Mapping[str, Any] = {}
    """By line number: lines whose allocations set new peaks of the whole program and were not freed."""


class Report(msgspec.Struct, frozen=True):
    """The file, in so far as we read it. `samples`: (nanoseconds since the start, allocated MiB)."""

    files: Mapping[str, File] = {}
    elapsed_time_sec: float = 0.0
    start_time_absolute: float = 0.0
    memory: bool = False
    gpu: bool = False
    samples: tuple[tuple[float, float], ...] = ()


def read_report(path: str) -> Report | None:
    """The report at `path`; None if it is missing, empty (`{}`), cut short or no report of scalene's."""
    try:
        with open(path, "rb") as stream:
            # not msgspec's reader: scalene writes a mean of nothing as NaN
            report = msgspec.convert(json.loads(stream.read(BYTES_LIMIT)), Report)
    except (OSError, ValueError, RecursionError):
        return None
    return report if report.files else None


def lines_of(report: Report, folder: str) -> tuple[LineUse, ...]:
    """The lines below `folder` that cost something, the most expensive first; at most LINES_LIMIT."""
    found = sorted(_lines(report, folder), key=_cost, reverse=True)
    return tuple(found[:LINES_LIMIT])


def main_thread_samples(report: Report, folder: str) -> int:
    return sum(len(line.cpu_samples_list) for _, file in _files(report, folder) for line in file.lines)


def leaking_lines(report: Report, folder: str) -> tuple[str, ...]:
    """`FILE:LINE` of the lines that scalene takes for a leak."""
    return tuple(f"{name}:{number}" for name, file in _files(report, folder) for number in sorted(file.leaks))


def allocated_bytes(report: Report, at_seconds: float) -> tuple[int, int] | None:
    """What the program had allocated `at_seconds` after its start, and at the end; None if it was not measured."""
    samples = sorted(report.samples)
    if not report.memory or not samples:
        return None
    before = [size for at, size in samples if at <= at_seconds * 1e9] or [samples[0][1]]
    return round(before[-1] * MIB), round(samples[-1][1] * MIB)


def _files(report: Report, folder: str) -> Iterator[tuple[str, File]]:
    below = folder.rstrip("/") + "/"
    starter = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start_target.py")
    for name, file in report.files.items():
        if os.path.realpath(name).startswith(below) and name != starter:
            yield name, file


def _lines(report: Report, folder: str) -> Iterator[LineUse]:
    for name, file in _files(report, folder):
        for line in file.lines:
            use = _use(name, line, str(line.lineno) in file.leaks, report)
            if _cost(use) > (0.0, 0, 0.0):
                yield use


def _use(name: str, line: Line, leaks: bool, report: Report) -> LineUse:
    return LineUse(
        file=name,
        line=line.lineno,
        text=source_text(_unescaped(line.line)),
        python_ratio=line.n_cpu_percent_python / 100,
        native_ratio=line.n_cpu_percent_c / 100,
        system_ratio=line.n_sys_percent / 100,
        memory_growth_bytes=round(line.n_malloc_mb * MIB) if report.memory and leaks else None,
        memory_peak_bytes=round(line.n_peak_mb * MIB) if report.memory else None,
        copy_bytes_per_second=line.n_copy_mb_s * MIB if report.memory else None,
        gpu_ratio=line.n_gpu_percent / 100 if report.gpu and math.isfinite(line.n_gpu_percent) else None,
    )


def _unescaped(text: str) -> str:
    """Scalene writes lines as they may stand in a page of HTML."""
    for escaped, letter in (("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&")):
        text = text.replace(escaped, letter)
    return text


def _cost(use: LineUse) -> tuple[float, int, float]:
    """CPU first, then memory, then copies."""
    cpu = use.python_ratio + use.native_ratio + use.system_ratio
    return cpu, max(use.memory_growth_bytes or 0, use.memory_peak_bytes or 0), use.copy_bytes_per_second or 0.0
