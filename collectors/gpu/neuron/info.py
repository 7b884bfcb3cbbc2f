"""What is each Neuron device? Known from documentation only, never run on the hardware."""

from typing import Any

from collectors.gpu.neuron.devices import node_of
from collectors.gpu.neuron.report import errors
from collectors.gpu.samples import GpuInfoSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample


def devices_info(report: dict[str, Any], host: Host) -> list[Sample]:
    """A GpuInfoSample of each device. Raises Unreadable."""
    node = node_of(report, host)
    return [
        nothing_known(
            GpuInfoSample,
            device.entity,
            vendor="aws",
            name=node.hardware.kind,
            index=device.index,
            architecture=node.hardware.version,
            driver=_driver(host),
            device_file=f"/dev/{device.name}",
            multiprocessors=node.hardware.cores,
            unsupported=" ".join(errors(report)) or None,
        )
        for device in node.devices
    ]


def _driver(host: Host) -> str | None:
    """The version of the kernel module."""
    try:
        return host.text(f"{host.sys}/module/neuron/version").strip() or None
    except OSError:
        return None
