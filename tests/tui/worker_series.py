"""What the agent of the example answers beside its picture: threads of its workers, and how these developed."""

from collections.abc import Mapping
from datetime import datetime

from advisor.series import Series
from tests.snapshots import NOW, example_threads

END = (int(datetime.fromisoformat(NOW).timestamp()) // 20 + 1) * 20
"""The end of the step in which the example's moment lies."""
MIB = 1 << 20


def series(field: str) -> Series:
    """Of a worker: busy in waves, its memory growing, a gap in the middle."""
    units = {"user_ticks": "seconds/s", "system_ticks": "seconds/s", "delay_ns": "seconds/s", "resident_bytes": "bytes"}
    values = {
        "user_ticks": lambda step: abs(step % 20 - 10) / 10,
        "system_ticks": lambda step: 0.05,
        "delay_ns": lambda step: step / 100,
        "resident_bytes": lambda step: (150 + step) * MIB,
    }
    points = tuple((float(END - 900 + 20 * step), values[field](step)) for step in range(45) if not 12 <= step < 16)
    return Series(unit=units[field], points=points, resolution="raw")


def worker_answers(pids: tuple[int, ...] = (101, 102)) -> Mapping[str, object]:
    """By the name that is asked for."""
    span = f"start={END - 900}&end={END}&step=20"
    known: dict[str, object] = {}
    for pid in pids:
        known[f"workers/{pid}/threads"] = example_threads(pid)
        entity = f"worker:{pid}:{40000 + pid}"
        for field in ("user_ticks", "system_ticks", "resident_bytes"):
            known[f"series?kind=worker&entity={entity}&field={field}&{span}"] = series(field)
        for one in ("main", "compute", "io", "python"):
            known[f"series?kind=thread_class&entity={entity}:{one}&field=delay_ns&{span}"] = series("delay_ns")
    return known
