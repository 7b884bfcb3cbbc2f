"""How many bytes does a stored value take, how much CPU does the writer need, and what does it add to keep the moments?

    python bench/store_bytes.py [SECONDS]

A value is one field of a stored row, keys not counted; a field that was not readable (NULL) is no value.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.config import Config
from agent.recorded import settings_of
from agent.store.columns import known_kinds
from agent.store.retention import Retention
from agent.store.ticks import Present, Tick
from agent.store.writer import Writer
from agent.tick_log import run_of
from bench.synthetic import NOON_NS, SyntheticNode
from collectors.host import Host
from collectors.reading import Instant
from collectors.sample import Sample, fields_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCost:
    """What storing `seconds` of a node took."""

    seconds: int
    values_given: int
    values_stored: int
    raw_bytes: int
    state_bytes: int
    minute_rows: int
    cpu_seconds: float

    @property
    def bytes_per_value(self) -> float:
        return self.raw_bytes / self.values_stored

    def __str__(self) -> str:
        per_day = 86400 / self.seconds
        return (
            f"{self.seconds} s of a node: {self.values_given} values given, {self.values_stored} stored\n"
            f"raw shard    {self.bytes_per_value:.2f} bytes per stored value,"
            f" {self.raw_bytes * per_day / 1e6:.0f} MB a day\n"
            f"minute rows  {self.state_bytes / max(1, self.minute_rows):.0f} bytes per row,"
            f" {self.state_bytes * per_day / 1e6:.1f} MB a day\n"
            f"writer       {self.cpu_seconds / self.seconds * 1e3:.2f} ms CPU per second of samples"
        )


class _TickClock:
    """Stands where the last reading does."""

    def __init__(self) -> None:
        self.instant = Instant(0, NOON_NS)

    def now(self) -> Instant:
        return self.instant


def measure(folder: Path, seconds: int, *, moments: bool = True) -> StoreCost:
    """Store a synthetic node second by second, one commit each, and fold the logs into the files. `moments`: its ticks too."""
    clock = _TickClock()
    state = folder / "state.db"
    writer = Writer(state, Retention(), clock, {}, 1200)
    writer.run = run_of(Config(), Host.real()) if moments else None
    present = Present((), {}, settings_of(Config()))
    given = 0
    cpu = 0.0
    for readings in SyntheticNode().readings(seconds):
        clock.instant = readings[0].at
        given += sum(_values(reading.samples) for reading in readings)
        tick = Tick(at=clock.instant, readings=tuple(readings), judged=given % 2 == 0, present=present)
        cpu += _cpu_of(writer, tick)
    writer.close()
    if writer.problem:
        raise OSError(writer.problem)
    shard = next(folder.glob("raw-*.db"))
    rows = _one(state, "SELECT count(*) FROM minute")
    return StoreCost(
        seconds=seconds, values_given=given, values_stored=_stored(shard), raw_bytes=os.path.getsize(shard),
        state_bytes=os.path.getsize(state), minute_rows=rows, cpu_seconds=cpu,
    )  # fmt: skip


def _cpu_of(writer: Writer, tick: Tick) -> float:
    before = time.thread_time()
    writer.write(tick.readings, {}, (), [tick] if writer.run is not None else ())
    return time.thread_time() - before


def _values(samples: Sequence[Sample]) -> int:
    return sum(getattr(sample, name) is not None for sample in samples for name in sample.__struct_fields__[1:])


def _stored(shard: Path) -> int:
    total = 0
    for name, kind in known_kinds().items():
        if _one(shard, f"SELECT count(*) FROM sqlite_master WHERE name = '{name}'"):
            counts = " + ".join(f'count("{spec.name}")' for spec in fields_of(kind))
            total += _one(shard, f'SELECT {counts} FROM "{name}"')
    return total


def _one(path: Path, query: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


if __name__ == "__main__":
    for moments in (False, True):
        print("with its moments:" if moments else "without its moments:")
        with tempfile.TemporaryDirectory() as temporary:
            print(measure(Path(temporary), int(sys.argv[1]) if len(sys.argv) > 1 else 3600, moments=moments))
