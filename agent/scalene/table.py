"""How does a run under scalene read in a terminal?"""

import os
from collections.abc import Iterable, Iterator, Sequence

from advisor.profiling.stored import LineUse
from agent.scalene.run import ScaleneRun

_TEXT_CHARACTERS = 72
_MIB = 1 << 20


def as_text(run: ScaleneRun, most: int = 25) -> str:
    """A table of the `most` expensive lines, a dash where nothing was measured, then what to know of the numbers."""
    gpu = any(line.gpu_ratio is not None for line in run.lines)
    heads = ["PYTHON", "NATIVE", "SYSTEM"]
    heads += ["GROWTH", "PEAK", "COPY"] if run.memory else []
    heads += ["GPU"] if gpu else []
    rows = [heads, *(_row(line, memory=run.memory, gpu=gpu) for line in run.lines[:most])]
    places = ["LINE", *(_place(line, run.folder) for line in run.lines[:most])]
    sources = ["SOURCE", *(_plain(line.text)[:_TEXT_CHARACTERS] for line in run.lines[:most])]
    return "\n".join([*_header(run), "", *_table(rows, places, sources), *_left_out(run, most), "", *_notes(run)])


def _header(run: ScaleneRun) -> Iterator[str]:
    yield f"{run.program} (pid {run.pid}) for {run.seconds:.1f} s under scalene {run.scalene}; files below {run.folder}"
    growth = run.memory_growth_bytes
    if growth is not None and run.memory_end_bytes is not None:
        rate = f" ({growth / _MIB / run.seconds:+.2f} MiB/s)" if run.seconds > 0 else ""
        yield f"allocated at the end {run.memory_end_bytes / _MIB:.1f} MiB, {growth / _MIB:+.1f} MiB while it served{rate}"


def _row(line: LineUse, *, memory: bool, gpu: bool) -> list[str]:
    cells = [_percent(line.python_ratio), _percent(line.native_ratio), _percent(line.system_ratio)]
    if memory:
        cells += [_size(line.memory_growth_bytes), _size(line.memory_peak_bytes)]
        copied = _size(line.copy_bytes_per_second)
        cells.append(copied if copied == "-" else f"{copied}/s")
    return [*cells, _percent(line.gpu_ratio)] if gpu else cells


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio * 100:.1f} %"


def _size(size: float | None) -> str:
    return "-" if size is None else f"{size / _MIB:.1f} MiB"


def _place(line: LineUse, folder: str) -> str:
    return _plain(f"{os.path.relpath(line.file, folder)}:{line.line}")


def _plain(text: str) -> str:
    """Without characters that would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _table(rows: Sequence[Sequence[str]], places: Sequence[str], sources: Sequence[str]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    wide = max(map(len, places))
    for row, place, source in zip(rows, places, sources, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join([*cells, place.ljust(wide), source]).rstrip()


def _left_out(run: ScaleneRun, most: int) -> Iterator[str]:
    if len(run.lines) > most:
        yield f"and {len(run.lines) - most} more"


def _notes(run: ScaleneRun) -> Iterator[str]:
    return (f"- {note}" for note in run.notes)
