"""What is one NVIDIA device?"""

import os
from collections.abc import Callable
from contextlib import suppress

from collectors.cpulist import format_cpulist
from collectors.gpu.asked import Answer
from collectors.gpu.nvml.devices import Device, text
from collectors.gpu.nvml.library import Nvml
from collectors.gpu.nvml.memory import unified
from collectors.gpu.pci import numa_node, pci_address
from collectors.gpu.samples import GpuInfoSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample

ARCHITECTURES = {
    2: "kepler", 3: "maxwell", 4: "pascal", 5: "volta", 6: "turing", 7: "ampere", 8: "ada", 9: "hopper", 10: "blackwell",
}  # fmt: skip
"""nvmlDeviceArchitecture_t."""
COMPUTE_MODES = {0: "default", 2: "prohibited", 3: "exclusive-process"}
"""nvmlComputeMode_t."""
OTHER_READERS = ("nv-hostengine", "dcgm-exporter")
"""Programs by whose name in /proc another reader of the same counters is known."""
MPS_SERVERS = ("nvidia-cuda-mps", "nvidia-cuda-mp")
"""`nvidia-cuda-mps-server` and `-control`, as the kernel cuts names."""
_SM_CLOCK, _MEMORY_CLOCK = 1, 2
_WORD_BITS = 64


class Beside:
    """Other programs of this node that matter to who reads GPUs."""

    def __init__(self, host: Host) -> None:
        names = list(_names(host))
        self.readers = tuple(name for name in OTHER_READERS if name[:15] in names)
        self.mps = any(name.startswith(MPS_SERVERS) for name in names)


def device_info(library: Nvml, device: Device, host: Host, beside: Beside) -> Sample:
    """Its GpuInfoSample. Raises Lost."""
    api, ask = library.api, device.asked.ask
    whole = device.parent or device
    handle = whole.handle
    name = ask("Name", api.nvmlDeviceGetName, device.handle)
    capability = ask("CudaComputeCapability", api.nvmlDeviceGetCudaComputeCapability, handle)
    architecture = ask("Architecture", api.nvmlDeviceGetArchitecture, handle)
    pci = ask("PciInfo", api.nvmlDeviceGetPciInfo, handle)
    address = None if pci is None else pci_address(text(pci.busId))
    cuda = library.system("CudaDriverVersion_v2") or library.system("CudaDriverVersion")
    driver = library.system("DriverVersion")
    mode = ask("ComputeMode", api.nvmlDeviceGetComputeMode, handle)
    minor = ask("MinorNumber", api.nvmlDeviceGetMinorNumber, handle)
    own = ask("Attributes", api.nvmlDeviceGetAttributes_v2, device.handle) if device.parent else None
    return nothing_known(
        GpuInfoSample,
        device.entity,
        vendor="nvidia",
        name=None if name is None else text(name),
        index=device.index,
        architecture=None if architecture is None else ARCHITECTURES.get(architecture),
        compute_capability=None if capability is None else f"{capability[0]}.{capability[1]}",
        driver=None if driver is None else text(driver),
        cuda=None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        pci=address,
        device_file=None if minor is None else f"/dev/nvidia{minor}",
        numa_node=None if address is None else numa_node(host, address),
        cpus=_cpus(library, whole),
        sm_clock_max_mhz=ask("MaxClockInfo.sm", api.nvmlDeviceGetMaxClockInfo, handle, _SM_CLOCK),
        memory_clock_max_mhz=ask("MaxClockInfo.memory", api.nvmlDeviceGetMaxClockInfo, handle, _MEMORY_CLOCK),
        power_limit_default_mw=ask("PowerLimitDefault", api.nvmlDeviceGetPowerManagementDefaultLimit, handle),
        pcie_generation_max=ask("MaxPcieLinkGeneration", api.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        pcie_width_max=ask("MaxPcieLinkWidth", api.nvmlDeviceGetMaxPcieLinkWidth, handle),
        multiprocessors=own.multiprocessorCount if own else None,
        cuda_cores=None if device.parent else _once(whole, "NumGpuCores", api.nvmlDeviceGetNumGpuCores),
        memory_bus_bits=_once(whole, "MemoryBusWidth", api.nvmlDeviceGetMemoryBusWidth),
        unified_memory=int(unified(device)),
        mig=int(device.mig),
        parent=None if device.parent is None else device.parent.entity,
        compute_mode=None if mode is None else COMPUTE_MODES.get(mode),
        persistence=ask("PersistenceMode", api.nvmlDeviceGetPersistenceMode, handle),
        mps=int(beside.mps),
        other_readers=" ".join(beside.readers) or None,
        unsupported=" ".join(sorted(device.asked.unsupported)) or None,
    )


def _once(device: Device, name: str, call: Callable[..., Answer]) -> Answer | None:
    """What does not change while the driver is loaded, asked until it is answered."""
    if name not in device.kept:
        answer = device.asked.ask(name, call, device.handle)
        if answer is None:
            return None
        device.kept[name] = answer
    known: Answer = device.kept[name]
    return known


def _cpus(library: Nvml, device: Device) -> str | None:
    """The CPUs near it, as a list."""
    words = (os.cpu_count() or 1) // _WORD_BITS + 1
    bits = device.asked.ask("CpuAffinity", library.api.nvmlDeviceGetCpuAffinity, device.handle, words)
    if bits is None:
        return None
    cpus = {word * _WORD_BITS + bit for word, value in enumerate(bits) for bit in range(_WORD_BITS) if value >> bit & 1}
    return format_cpulist(cpus) if cpus else None


def _names(host: Host) -> list[str]:
    found = []
    with suppress(OSError):
        for pid in os.listdir(host.proc):
            if pid.isdigit():
                with suppress(OSError):
                    found.append(host.text(f"{host.proc}/{pid}/comm").strip())
    return found
