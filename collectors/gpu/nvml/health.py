"""How are one NVIDIA device's links, its memory's errors and its energy? What costs milliseconds to ask is asked here."""

from typing import Any

from collectors.gpu.nvml.devices import Device
from collectors.gpu.nvml.library import Nvml
from collectors.gpu.samples import GpuHealthSample, nothing_known
from collectors.sample import Sample

CORRECTED, UNCORRECTED = 0, 1
"""nvmlMemoryErrorType_t."""
VOLATILE = 0
"""nvmlEccCounterType_t: since the driver was loaded."""
_SENT, _RECEIVED = 0, 1
"""nvmlPcieUtilCounter_t."""
_KIB = 1024
_LINKS = 18
"""NVLINK_MAX_LINKS."""


def device_health(library: Nvml, device: Device) -> Sample:
    """Its GpuHealthSample; of a MIG instance only what is its own. Raises Lost."""
    api, ask, handle = library.api, device.asked.ask, device.handle
    bar1 = ask("BAR1MemoryInfo", api.nvmlDeviceGetBAR1MemoryInfo, handle)
    own = {
        "bar1_used_bytes": None if bar1 is None else bar1.bar1Used,
        "bar1_total_bytes": None if bar1 is None else bar1.bar1Total,
    }
    if device.parent is not None:
        return nothing_known(GpuHealthSample, device.entity, **own)
    rows = ask("RemappedRows", api.nvmlDeviceGetRemappedRows, handle)
    ecc = api.nvmlDeviceGetTotalEccErrors
    return nothing_known(
        GpuHealthSample,
        device.entity,
        **own,
        energy_mj=ask("TotalEnergyConsumption", api.nvmlDeviceGetTotalEnergyConsumption, handle),
        power_limit_mw=ask("EnforcedPowerLimit", api.nvmlDeviceGetEnforcedPowerLimit, handle),
        memory_temperature_celsius=_field(library, device, "MEMORY_TEMP"),
        performance_state=ask("PerformanceState", api.nvmlDeviceGetPerformanceState, handle),
        pcie_generation=ask("CurrPcieLinkGeneration", api.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        pcie_width=ask("CurrPcieLinkWidth", api.nvmlDeviceGetCurrPcieLinkWidth, handle),
        **_sampled_traffic(library, device),
        pcie_replays=ask("PcieReplayCounter", api.nvmlDeviceGetPcieReplayCounter, handle),
        nvlinks_active=_links(library, device),
        ecc_corrected=ask("Ecc.corrected", ecc, handle, CORRECTED, VOLATILE),
        ecc_uncorrected=ask("Ecc.uncorrected", ecc, handle, UNCORRECTED, VOLATILE),
        remapped_rows=None if rows is None else rows[0] + rows[1],
        remap_pending=None if rows is None else rows[2],
        remap_failed=None if rows is None else rows[3],
    )


def _sampled_traffic(library: Nvml, device: Device) -> dict[str, int | None]:
    """Traffic in 20 ms each way, for which the call waits: only of devices without counters of activity."""
    api, ask = library.api, device.asked.ask
    support = ask("GpmSupport", api.nvmlGpmQueryDeviceSupport, device.handle)
    if support is not None and support.isSupportedDevice:
        return {}
    sent = ask("PcieThroughput.tx", api.nvmlDeviceGetPcieThroughput, device.handle, _SENT)
    received = ask("PcieThroughput.rx", api.nvmlDeviceGetPcieThroughput, device.handle, _RECEIVED)
    return {
        "pcie_sampled_tx_bytes_per_second": None if sent is None else sent * _KIB,
        "pcie_sampled_rx_bytes_per_second": None if received is None else received * _KIB,
    }


def _links(library: Nvml, device: Device) -> int | None:
    """Number of NVLinks that are up; None on a device that has none."""
    unsupported = device.asked.unsupported
    if "NvLinkState" in unsupported:
        return None
    names = [f"NvLinkState.{link}" for link in range(_LINKS)]
    call = library.api.nvmlDeviceGetNvLinkState
    states = [device.asked.ask(name, call, device.handle, link) for link, name in enumerate(names)]
    if unsupported.issuperset(names):  # one word says it
        unsupported.difference_update(names)
        unsupported.add("NvLinkState")
    return None if all(state is None for state in states) else sum(state == 1 for state in states)


def _field(library: Nvml, device: Device, name: str) -> int | None:
    """A numbered field, asked for alone: one that fails can leave the others of its call unfilled."""
    number = getattr(library.api, f"NVML_FI_DEV_{name}", None)
    if number is None:
        return None
    values = device.asked.ask(f"FieldValues.{name}", library.api.nvmlDeviceGetFieldValues, device.handle, [number])
    return None if values is None else field_value(values[0])


def field_value(value: Any) -> int | None:
    """None also where the driver answers success and writes neither a value nor a time. nvmlValueType_t: 0 is a double, the
    others are integers, of which the small ones leave the rest of the 64 bits zero."""
    if value.nvmlReturn or not (value.timestamp or value.value.ullVal):
        return None
    return round(value.value.dVal) if value.valueType == 0 else int(value.value.ullVal)
