"""What does each TPU chip do at this moment? Known from documentation only, never run on the hardware.

libtpu numbers devices over all nodes of a slice, so that those of this one need not begin at 0; by their order they are the
chips of this node, one or several devices on each. Where their number does not fit the chips, nobody knows which is which.
"""

from collections.abc import Sequence

from collectors.gpu.samples import GpuSample, nothing_known
from collectors.gpu.tpu.chips import Chip
from collectors.gpu.tpu.service import BANDWIDTH, DUTY_CYCLE, MEMORY_TOTAL, MEMORY_USED, METRICS, Told
from collectors.sample import Sample

_PERCENT = 10_000
"""ppm in one percent."""
_MOST_BYTES = 1 << 50


def chips_now(chips: Sequence[Chip], told: Told) -> list[Sample]:
    """A GpuSample for each chip."""
    by_metric = {metric: of_chips(told.values.get(metric, {}), chips) for metric in METRICS}
    return [_now(chip, {metric: values[chip.index] for metric, values in by_metric.items()}) for chip in chips]


def unassigned(chips: Sequence[Chip], told: Told) -> list[str]:
    """The metrics that were told of another number of devices than these chips have, a word each."""
    return [
        f"{metric}:{len(values)}-devices"
        for metric, values in told.values.items()
        if values and not any(of_chips(values, chips))
    ]


def of_chips(values: dict[int, float], chips: Sequence[Chip]) -> list[list[float]]:
    """The values of each chip's devices; none where they cannot be told apart."""
    ordered = [values[device] for device in sorted(values)]
    each, rest = divmod(len(ordered), len(chips))
    if rest or each not in (1, max(chip.cores for chip in chips)):
        return [[] for _ in chips]
    return [ordered[chip.index * each : (chip.index + 1) * each] for chip in chips]


def _now(chip: Chip, values: dict[str, list[float]]) -> Sample:
    total, used = _bytes(values[MEMORY_TOTAL]) or None, _bytes(values[MEMORY_USED])
    return nothing_known(
        GpuSample,
        chip.entity,
        state="ok",
        memory_total_bytes=total,
        memory_used_bytes=used,
        memory_free_bytes=None if total is None or used is None else max(0, total - used),
        busy_ppm=_share(values[DUTY_CYCLE]),
        dram_active_ppm=_share(values[BANDWIDTH]),
    )


def _bytes(values: list[float]) -> int | None:
    """Of all devices of a chip."""
    total = round(sum(values))
    return total if values and total <= _MOST_BYTES else None


def _share(values: list[float]) -> int | None:
    """The mean over the devices of a chip, of percent, in ppm."""
    if not values or max(values) > 100:
        return None
    return round(sum(values) / len(values) * _PERCENT)
