"""What does each Neuron device do at this moment, and for which processes?

Its use is the mean over its cores, of which those that no process has are idle; that of a process is the mean over the cores
that it has there. Known from documentation only, never run on the hardware.
"""

from typing import Any

from collectors.gpu.listed import of_processes
from collectors.gpu.namespace import Namespace
from collectors.gpu.neuron.devices import Device, Node, Use, add_uses, node_of
from collectors.gpu.neuron.report import runtimes
from collectors.gpu.samples import GpuProcessSample, GpuSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample

_WHOLE_PPM = 1_000_000


def devices_now(report: dict[str, Any], host: Host, namespace: Namespace) -> list[Sample]:
    """A GpuSample of each device, followed by a GpuProcessSample of each of its processes. Raises Unreadable."""
    node = node_of(report, host)
    add_uses(node, runtimes(report))
    return [sample for device in node.devices for sample in _now(node, device, namespace)]


def _now(node: Node, device: Device, namespace: Namespace) -> list[Sample]:
    listed = [_process(device, use, namespace) for use in device.uses]
    total, used = node.hardware.memory, _used(node, device)
    sample = nothing_known(
        GpuSample,
        device.entity,
        state="ok",
        memory_total_bytes=total,
        memory_used_bytes=used,
        memory_free_bytes=None if total is None or used is None else max(0, total - used),
        busy_ppm=_busy(node, device),
        **of_processes(used, listed if node.complete else None),
    )
    return [sample, *listed]


def _process(device: Device, use: Use, namespace: Namespace) -> GpuProcessSample:
    return GpuProcessSample(
        entity=f"gpu-process:{device.name}/{use.pid}",
        worker=namespace.worker(use.pid, ours=False),  # nothing tells of which namespace its number is
        context="compute",
        memory_bytes=use.memory,
        sm_ppm=None if use.busy is None else round(sum(use.busy) / max(1, len(use.busy))),
        memory_busy_ppm=None,
    )


def _used(node: Node, device: Device) -> int | None:
    """Bytes of all processes; None where that of one is not known."""
    sizes = [use.memory for use in device.uses if use.memory is not None]
    return sum(sizes) if node.complete and len(sizes) == len(device.uses) else None


def _busy(node: Node, device: Device) -> int | None:
    """The mean over all cores of the device."""
    shares = [use.busy for use in device.uses if use.busy is not None]
    if not node.complete or not node.hardware.cores or len(shares) < len(device.uses):
        return None
    return min(_WHOLE_PPM, round(sum(map(sum, shares)) / node.hardware.cores))
