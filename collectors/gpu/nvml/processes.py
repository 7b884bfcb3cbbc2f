"""Which processes hold memory or run on a device, and which processes of this node are they?

The driver names processes by number and knows little of PID namespaces. From an agent in the node's own namespace every
number is right. From within another one, drivers differ: 580 lists what is in the asker's namespace by its number there and
hides the rest, but reports the utilisation of the rest by numbers of the outermost namespace, which may be those of quite
other processes here; older ones list everything by outer numbers. So there a number counts only if it is in the list with
memory, and utilisation only of what is in the list.
"""

from dataclasses import dataclass, field
from typing import Any

from collectors.gpu.namespace import Namespace
from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml
from collectors.gpu.samples import GpuProcessSample

LISTS = {"compute": "Compute", "graphics": "Graphics", "mps": "MPSCompute"}
_PERCENT = 10_000
_WHOLE = 0xFFFFFFFF
"""Of a process on a device that is not divided: no GPU instance."""
_PERIOD_US = 700_000
"""Between two looks that are closer the driver may have made no sample, and nothing is no zero then."""
_AHEAD_US = 2_000_000
"""Stamps further ahead of the clock are from before it was set back."""


@dataclass(slots=True)
class Found:
    """One process in the driver's lists. `memory` None: it does not tell."""

    memory: int | None = None
    kinds: list[str] = field(default_factory=list)
    sm: int | None = None
    memory_busy: int | None = None


def processes(library: Nvml, device: Device, namespace: Namespace, wall_ns: int) -> list[GpuProcessSample] | None:
    """The processes on `device`; None where it lists none for want of support."""
    listed = _listed(library, device)
    if listed is None:
        return None
    _add_utilisation(library, device, listed, namespace, wall_ns)
    return [
        GpuProcessSample(
            entity=f"gpu-process:{device.uuid}/{pid}",
            worker=namespace.worker(pid, ours=known.memory is not None),
            context="+".join(known.kinds),
            memory_bytes=known.memory,
            sm_ppm=known.sm,
            memory_busy_ppm=known.memory_busy,
            doubtful=None if namespace.outermost else 1,
        )
        for pid, known in listed.items()
    ]


def _listed(library: Nvml, device: Device) -> dict[int, Found] | None:
    """All lists in one. An instance's processes are asked of the whole device, which names the instance of each."""
    found: dict[int, Found] = {}
    answered = False
    whole = device.parent or device
    for kind, name in LISTS.items():
        entries = _list(library, whole, name)
        if entries is None:
            continue
        answered = True
        for entry in entries:
            if device.parent is not None and _instance(entry) != (device.instance, device.compute):
                continue
            known = found.setdefault(entry.pid, Found())
            if kind not in known.kinds:
                known.kinds.append(kind)
            if entry.usedGpuMemory:  # 0 is what drivers say of a process whose memory they do not tell
                known.memory = max(entry.usedGpuMemory, known.memory or 0)
    return found if answered else None


def _instance(entry: Any) -> tuple[int, int]:
    """The GPU instance and the compute instance in which a listed process is."""
    return getattr(entry, "gpuInstanceId", _WHOLE), getattr(entry, "computeInstanceId", _WHOLE)


def _list(library: Nvml, device: Device, name: str) -> list[Any] | None:
    """One list, by the newest call that driver and binding both have."""
    for version in ("_v3", "_v2"):
        call = getattr(library.api, f"nvmlDeviceGet{name}RunningProcesses{version}", None)
        if call is None:
            continue
        entries: list[Any] | None = device.asked.ask(f"{name}RunningProcesses{version}", call, device.handle)
        if entries is not None:
            return entries
    return None


def _add_utilisation(
    library: Nvml, device: Device, listed: dict[int, Found], namespace: Namespace, wall_ns: int
) -> None:
    """What each listed process used since the last time. The driver names only those that used anything."""
    if device.parent is not None or device.mig:  # not kept under MIG
        return
    samples = utilisation(library, device, wall_ns // 1000)
    if samples is None:
        return
    for pid, known in listed.items():
        if not namespace.outermost and known.memory is None:
            continue
        known.sm, known.memory_busy = samples.get(pid, (0, 0))


def utilisation(library: Nvml, device: Device, now_us: int) -> dict[int, tuple[int, int]] | None:
    """Shares of time in ppm by process, since the newest sample that was seen before; None where the device keeps none, and
    at the first look: without a time to begin at, the driver answers with the mean of all that it still has.

    None too where the last look was just now. A sample that is older than asked for, or above 100 %, is none. `now_us`: Unix
    time, which the driver's stamps are.
    """
    since: int | None = device.kept.get("utilised_us")
    looked: int | None = device.kept.get("looked_us")
    device.kept["looked_us"] = now_us
    if since is None or since > now_us + _AHEAD_US:
        device.kept["utilised_us"] = now_us
        return None
    if looked is not None and now_us - looked < _PERIOD_US:
        device.kept["looked_us"] = looked
        return None
    newest = since
    found: dict[int, tuple[int, int]] = {}
    samples = device.asked.ask("ProcessUtilization", _samples, library, device.handle, since)
    if samples is None:
        return None
    for sample in samples:
        if since < sample.timeStamp and sample.smUtil <= 100 and sample.memUtil <= 100 and sample.pid:
            newest = max(newest, sample.timeStamp)
            found[sample.pid] = (sample.smUtil * _PERCENT, sample.memUtil * _PERCENT)
    device.kept["utilised_us"] = newest
    return found


def _samples(library: Nvml, handle: Any, since: int) -> list[Any]:
    """NOT_FOUND (6) says that nobody used anything; nvidia-ml-py raises its success for an empty answer."""
    try:
        answer: list[Any] = library.api.nvmlDeviceGetProcessUtilization(handle, since)
    except library.api.NVMLError as error:
        if error.value in (0, 6):
            return []
        raise
    return answer
