"""What is one AMD device? Known from documentation only, never run on the hardware."""

from typing import Any

from collectors.gpu.amd.device_now import clock
from collectors.gpu.amd.devices import Device
from collectors.gpu.amd.health import power_limit
from collectors.gpu.amd.processes import compute_units
from collectors.gpu.amd.values import part, whole, word
from collectors.gpu.pci import numa_node
from collectors.gpu.samples import GpuInfoSample, nothing_known
from collectors.host import Host
from collectors.sample import Sample

ARCHITECTURES = {
    "gfx906": "vega", "gfx908": "cdna1", "gfx90a": "cdna2", "gfx94": "cdna3", "gfx95": "cdna4",
    "gfx101": "rdna1", "gfx103": "rdna2", "gfx11": "rdna3", "gfx12": "rdna4",
}  # fmt: skip
"""By how the name of its instruction set begins."""
_MOST_MINOR = 1 << 20


def device_info(device: Device, host: Host) -> Sample:
    """Its GpuInfoSample. Raises Lost."""
    entry, handle = device.asked.entry, device.handle
    asic = entry("get_gpu_asic_info", handle)
    driver = entry("get_gpu_driver_info", handle)
    address = word(device.asked.get("get_gpu_device_bdf", handle))
    static = part(entry("get_pcie_info", handle), "pcie_static")
    return nothing_known(
        GpuInfoSample,
        device.entity,
        vendor="amd",
        name=word(asic.get("market_name")),
        index=device.index,
        architecture=architecture(asic.get("target_graphics_version")),
        driver=word(driver.get("driver_version")),
        pci=None if address is None else address.lower(),
        device_file=_file(entry("get_gpu_enumeration_info", handle).get("drm_render")),
        numa_node=None if address is None else numa_node(host, address.lower()),
        sm_clock_max_mhz=clock(device, "GFX", "max_clk"),
        memory_clock_max_mhz=clock(device, "MEM", "max_clk"),
        power_limit_default_mw=power_limit(entry("get_power_cap_info", handle).get("default_power_cap")),
        pcie_generation_max=whole(static.get("pcie_interface_version"), 16) or None,
        pcie_width_max=whole(static.get("max_pcie_width"), 64) or None,
        multiprocessors=compute_units(device),
        unsupported=" ".join(sorted(device.asked.unsupported)) or None,
    )


def architecture(instructions: Any) -> str | None:
    """`cdna3` of `gfx942`; what is not in the list stays as it is."""
    said = word(instructions)
    if said is None or said == "gfx":
        return None
    return next((name for begin, name in ARCHITECTURES.items() if said.startswith(begin)), said)


def _file(render: Any) -> str | None:
    """The file of a DRM render node, which users of the device have open besides /dev/kfd."""
    minor = whole(render, _MOST_MINOR)
    return f"/dev/dri/renderD{minor}" if minor else None
