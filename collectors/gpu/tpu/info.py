"""What is each TPU chip? Known from documentation only, never run on the hardware."""

from collections.abc import Sequence

from collectors.gpu.pci import numa_node
from collectors.gpu.samples import GpuInfoSample, nothing_known
from collectors.gpu.tpu.chip_now import unassigned
from collectors.gpu.tpu.chips import Chip
from collectors.gpu.tpu.service import METRICS, Told
from collectors.host import Host
from collectors.sample import Sample


def chips_info(host: Host, chips: Sequence[Chip], told: Told) -> list[Sample]:
    """A GpuInfoSample for each chip. `unsupported` names the metrics that nobody serves now, and why."""
    silent = [metric for metric in METRICS if metric not in told.values]
    missing = " ".join((*silent, *unassigned(chips, told), *told.missing))
    return [
        nothing_known(
            GpuInfoSample,
            chip.entity,
            vendor="google",
            name=_name(chip),
            index=chip.index,
            architecture=chip.generation or None,
            pci=chip.address,
            device_file=chip.device_file,
            numa_node=numa_node(host, chip.address),
            unsupported=missing or None,
        )
        for chip in chips
    ]


def _name(chip: Chip) -> str:
    """As Google writes it."""
    return f"TPU {chip.generation}" if chip.generation.startswith("v") else f"TPU{chip.generation}"
