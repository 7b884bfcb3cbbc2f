"""Is what GPUs did before a restart found in the store?"""

from pathlib import Path

import pytest

from agent.gpu_history import last_week
from agent.store.reader import StoreReader
from agent.store.writer import Writer
from collectors.gpu.samples import GpuSample, nothing_known
from tests.agent.store.builders import DAY_SECONDS, NOON, reading

GIB = 1 << 30


def written(writer: Writer, start: float, minutes: int, **known: int | None) -> None:
    for second in range(0, minutes * 60 + 1, 5):
        writer.write([reading(start + second, [nothing_known(GpuSample, "gpu:GPU-1", **known)], "nvidia")], {})


def test_minutes_of_the_last_week_come_back_in_order(writer: Writer, state: Path) -> None:
    written(writer, NOON, 2, busy_ppm=250_000, memory_total_bytes=80 * GIB, memory_used_bytes=20 * GIB)
    written(writer, NOON + 180, 2, busy_ppm=None, sm_active_ppm=500_000, memory_total_bytes=80 * GIB)
    minutes = last_week(StoreReader(state), "gpu:GPU-1", NOON + 400)
    assert [one.busy for one in minutes] == [pytest.approx(share) for share in (0.25, 0.25, 0.25, 0.5, 0.5)]
    assert minutes[0].memory == pytest.approx(0.25)
    assert minutes[-1].memory is None, "it was not told"
    assert last_week(StoreReader(state), "gpu:GPU-1", NOON + 7 * DAY_SECONDS + 1000) == ()
    assert len(last_week(StoreReader(state), "gpu:GPU-1", NOON + 6 * DAY_SECONDS)) == 5
    assert last_week(StoreReader(state), "gpu:GPU-2", NOON + 400) == ()


def test_a_store_without_gpus_or_none_at_all_gives_nothing(state: Path, tmp_path: Path) -> None:
    assert last_week(StoreReader(tmp_path / "none.db"), "gpu:GPU-1", NOON) == ()
