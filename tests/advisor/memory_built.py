"""Built hosts that want for memory, and trends of memory that grows or does not."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from advisor.trend import FIELDS, Trend
from advisor.view import CgroupView, MemoryView, View, WorkerView
from collectors.entities import Model
from collectors.model_file import ModelFile
from tests.advisor.built import quota, thread, view, worker

GIB = 1 << 30
MIB = 1 << 20


def memory_limit(limit: int | None, current: int | None) -> CgroupView:
    return replace(quota(None, periods=0), memory_limit_bytes=limit, memory_current_bytes=current)


def wanting(
    *,
    faults: float = 28.0,
    limit: int | None = 128 * MIB,
    current: int = 126 * MIB,
    used: float = 0.4,
    kernel: float = 0.36,
    swapped: int | None = 0,
    private: int | None = 20 * MIB,
    available: int = 20 * GIB,
    **seen: float | None,
) -> View:
    """One worker that maps a file of 256 MiB under a limit of 128 MiB, as measured: 28 faults a second, a sixth of the time
    stalled for memory and a quarter for the disk, nearly all of its CPU time in the kernel, 37000 limit hits a second."""
    one = replace(
        worker(101, [thread(101, used)], resident=125 * MIB),
        major_faults_per_second=faults,
        system_cores=kernel,
        swapped_bytes=swapped,
        private_dirty_bytes=private,
    )
    numbers: dict[str, float | None] = {
        "some_ratio": 0.16, "full_ratio": 0.14, "io_some_ratio": 0.27, "limit_hits_per_second": 37000.0,
        "node_major_faults_per_second": faults, "swap_in_bytes_per_second": 0.0,
    }  # fmt: skip
    return replace(
        view([one], available=available, cgroup=memory_limit(limit, current)),
        memory=MemoryView(**{**numbers, **seen}),  # type: ignore[arg-type]
        memory_total_bytes=24 * GIB,
    )


def with_model(seen: View, size: int, format_: str = "safetensors") -> View:
    """The same with a model of one file."""
    file = ModelFile(path=f"/m/model.{format_}", format=format_, size_bytes=size)
    return replace(seen, service=replace(seen.service, models=(Model(name="m", files=(file,)),)))


def swapping(**seen: float | None) -> View:
    """The same want where own pages are swapped: 4 MiB a second come back, 90 MiB are out."""
    return wanting(**{"swapped": 90 * MIB, "swap_in_bytes_per_second": 4.0 * MIB, **seen})  # type: ignore[arg-type]


def remembered(
    seen: View, resident: Callable[[float], float], seconds: int, *, loaded: bool = True, **known: float
) -> View:
    """The view with slices of five seconds in which the service's memory went as `resident(seconds since the first)` says."""
    trend = Trend()
    for end in range(5, seconds + 1, 5):
        row: dict[str, float | None] = {
            "seconds": 5.0, "loaded_seconds": 5.0 if loaded else 0.0, "workers": float(len(seen.serving)),
            "generation": 0.0, "resident_bytes": resident(float(end)), **known,
        }  # fmt: skip
        trend.add(1_800_000_000.0 + end, tuple(row.get(name) for name in FIELDS))
    return replace(seen, trend=trend)


def sized(pid: int, **bytes_: int | None) -> WorkerView:
    """A worker at half a core whose memory was looked at."""
    return replace(worker(pid, [thread(pid, 0.5)]), **bytes_)


def sizes(workers: Sequence[WorkerView], *, available: int = 20 * GIB) -> View:
    return replace(view(workers, available=available), memory_total_bytes=24 * GIB)
