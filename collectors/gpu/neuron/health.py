"""Which errors did the memory of each Neuron device have? Known from documentation only, never run on the hardware."""

from typing import Any

from collectors.gpu.neuron.devices import node_of
from collectors.gpu.neuron.report import ecc
from collectors.gpu.samples import GpuHealthSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample


def devices_health(report: dict[str, Any], host: Host) -> list[Sample]:
    """A GpuHealthSample of each device whose errors are counted. Raises Unreadable."""
    counted = ecc(report)
    return [
        nothing_known(
            GpuHealthSample,
            device.entity,
            ecc_corrected=counted[device.index][0],
            ecc_uncorrected=counted[device.index][1],
        )
        for device in node_of(report, host).devices
        if device.index in counted
    ]
