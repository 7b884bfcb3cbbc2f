"""A device as a rule judges it: a view that holds this one alone, whoever uses it."""

from collections.abc import Sequence

from advisor.gpu.view import GpuView, ServiceGpu
from advisor.view import View
from collectors.entities import Service

DEVICE = "device"
"""In place of the framework, of the stand-in for a service that a device's findings hang on."""
WORKING = 0.05
"""Share of time from which on a device counts as loaded."""


def service_of_device(gpu: GpuView) -> Service:
    """What the findings of a device hang on: stable over restarts, as its UUID is."""
    return Service(
        id=f"gpu:{gpu.uuid}",
        name=gpu.subject_name,
        framework=DEVICE,
        application=gpu.uuid,
        port=None,
        owner=None,
        manager="bare",
        workers=(),
        started=0,
    )


def device_views(gpus: Sequence[GpuView], horizon_seconds: float) -> list[View]:
    """A view of every device that is not divided. Its `gpus` hold the device with all its processes."""
    return [
        View(
            service=service_of_device(gpu),
            horizon_seconds=horizon_seconds,
            window_seconds=gpu.window_seconds,
            samples=gpu.samples,
            loaded_now=(gpu.busy_ratio if gpu.busy_ratio is not None else gpu.sm_active_ratio or 0.0) >= WORKING,
            workers=(),
            cores=(),
            cgroup=None,
            demand=(),
            accept_queue=(),
            established=None,
            requests_per_second=None,
            latency_seconds=None,
            server_queue=None,
            memory_available_bytes=None,
            delay_readable=True,
            gpus=(ServiceGpu(gpu=gpu, own=gpu.processes),),
            node_gpus=tuple(gpus),
        )
        for gpu in gpus
        if not gpu.mig
    ]
