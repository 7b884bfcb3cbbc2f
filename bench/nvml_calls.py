"""Which calls of NVML would a monitor make: which once, and which at every tick?

Each table maps the name under which the answer is recorded to the call. Nothing here changes a setting of the card.
"""

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

Table: TypeAlias = Mapping[str, Callable[[], Any]]

CLOCKS = {"graphics": 0, "sm": 1, "memory": 2, "video": 3}
ERRORS = {"corrected": 0, "uncorrected": 1}
COUNTERS = {"volatile": 0, "aggregate": 1}
SAMPLINGS = {
    "power": 0,
    "gpu_util": 1,
    "memory_util": 2,
    "processor_clock": 5,
    "memory_clock": 6,
    "module_power": 7,
}
PLAIN_ONCE = (
    "Name Brand Architecture CudaComputeCapability NumGpuCores MemoryBusWidth BusType Index MinorNumber ModuleId "
    "VbiosVersion GspFirmwareVersion GspFirmwareMode InforomImageVersion BoardId BoardPartNumber MultiGpuBoard IrqNum "
    "PersistenceMode ComputeMode DisplayMode DisplayActive DriverModel VirtualizationMode AddressingMode NumaNodeId "
    "MigMode MaxMigDeviceCount EccMode DefaultEccMode RemappedRows RowRemapperHistogram RetiredPagesPendingStatus "
    "RepairStatus MaxPcieLinkGeneration GpuMaxPcieLinkGeneration MaxPcieLinkWidth PcieLinkMaxSpeed PcieSpeed "
    "PowerManagementMode PowerManagementLimit PowerManagementLimitConstraints PowerManagementDefaultLimit "
    "EnforcedPowerLimit PowerSource SupportedClocksEventReasons SupportedEventTypes SupportedPerformanceStates "
    "SupportedMemoryClocks AccountingMode AccountingBufferSize AccountingPids AutoBoostedClocksEnabled "
    "AdaptiveClockInfoStatus DynamicPstatesInfo NumFans FanSpeed Attributes GpuOperationMode "
    "ConfComputeMemSizeInfo ConfComputeProtectedMemoryUsage LastBBXFlushTime EncoderStats FBCStats"
)
PLAIN_EACH = (
    "UtilizationRates BAR1MemoryInfo PowerUsage TotalEnergyConsumption MarginTemperature PerformanceState "
    "CurrentClocksEventReasons CurrPcieLinkGeneration CurrPcieLinkWidth PcieReplayCounter EncoderUtilization "
    "DecoderUtilization JpgUtilization OfaUtilization"
)
FIELDS_EACH = (
    "TOTAL_ENERGY_CONSUMPTION POWER_AVERAGE POWER_INSTANT POWER_CURRENT_LIMIT MEMORY_TEMP PERF_POLICY_POWER "
    "PERF_POLICY_THERMAL PERF_POLICY_RELIABILITY PERF_POLICY_LOW_UTILIZATION CLOCKS_EVENT_REASON_SW_POWER_CAP "
    "CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN "
    "CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN CLOCKS_EVENT_REASON_SYNC_BOOST PCIE_COUNT_TX_BYTES "
    "PCIE_COUNT_RX_BYTES PCIE_REPLAY_COUNTER NVLINK_THROUGHPUT_DATA_TX NVLINK_THROUGHPUT_DATA_RX"
)


def _structure(nvml: Any, function: str, structure: str, handle: Any) -> Any:
    """For the functions of nvidia-ml-py that fill a structure of the caller."""
    filled = getattr(nvml, structure)()
    getattr(nvml, function)(handle, ctypes.byref(filled))
    return filled


def _waited(nvml: Any, handle: Any) -> Any:
    """An XID that is waiting to be told, without waiting: the error TIMEOUT where there is none."""
    events = nvml.nvmlEventSetCreate()
    try:
        nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, events)
        return nvml.nvmlEventSetWait_v2(events, 0).eventData
    finally:
        nvml.nvmlEventSetFree(events)


def _plain(nvml: Any, names: str, handle: Any) -> dict[str, Callable[[], Any]]:
    """Those that the library has; the others are recorded as errors."""
    return {name: lambda name=name: getattr(nvml, f"nvmlDeviceGet{name}")(handle) for name in names.split()}


def once(nvml: Any, handle: Any) -> Table:
    """What does not change while a card runs. UUID, serial number and the like are left out."""
    table = _plain(nvml, PLAIN_ONCE, handle)
    table["PciInfo"] = partial(nvml.nvmlDeviceGetPciInfo, handle)
    table["CpuAffinity"] = partial(nvml.nvmlDeviceGetCpuAffinity, handle, 4)
    table["CpuAffinityOfSocket"] = partial(nvml.nvmlDeviceGetCpuAffinityWithinScope, handle, 4, 1)
    table["MemoryAffinity"] = partial(nvml.nvmlDeviceGetMemoryAffinity, handle, 4, 0)
    for name, clock in CLOCKS.items():
        table[f"MaxClockInfo.{name}"] = partial(nvml.nvmlDeviceGetMaxClockInfo, handle, clock)
        table[f"MaxCustomerBoostClock.{name}"] = partial(nvml.nvmlDeviceGetMaxCustomerBoostClock, handle, clock)
        table[f"ApplicationsClock.{name}"] = partial(nvml.nvmlDeviceGetApplicationsClock, handle, clock)
    for threshold in range(nvml.NVML_TEMPERATURE_THRESHOLD_COUNT):
        table[f"TemperatureThreshold.{threshold}"] = partial(nvml.nvmlDeviceGetTemperatureThreshold, handle, threshold)
    for kind, error in ERRORS.items():
        for since, counter in COUNTERS.items():
            table[f"TotalEccErrors.{kind}.{since}"] = partial(nvml.nvmlDeviceGetTotalEccErrors, handle, error, counter)
            for place in range(6):
                name = f"MemoryErrorCounter.{kind}.{since}.{place}"
                table[name] = partial(nvml.nvmlDeviceGetMemoryErrorCounter, handle, error, counter, place)
    table["RetiredPages.2"] = partial(nvml.nvmlDeviceGetRetiredPages, handle, 1)
    for link in (0, 17):
        for what in ("State", "Version", "RemoteDeviceType"):
            table[f"NvLink{what}.{link}"] = partial(getattr(nvml, f"nvmlDeviceGetNvLink{what}"), handle, link)
    for policy in (*range(6), 10, 11):
        table[f"ViolationStatus.{policy}"] = partial(nvml.nvmlDeviceGetViolationStatus, handle, policy)
    table["SramEccErrorStatus"] = partial(
        _structure, nvml, "nvmlDeviceGetSramEccErrorStatus", "c_nvmlEccSramErrorStatus_v1_t", handle
    )
    table["GpuFabricInfo"] = partial(
        _structure, nvml, "nvmlDeviceGetGpuFabricInfoV", "c_nvmlGpuFabricInfo_v2_t", handle
    )
    table["MemoryInfo.version_2_alone"] = partial(nvml.nvmlDeviceGetMemoryInfo, handle, 2)
    table["MigDeviceHandle.0"] = lambda: nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 0) and True
    table["EventSetWait.0ms"] = partial(_waited, nvml, handle)
    table["GpmSupport"] = partial(nvml.nvmlGpmQueryDeviceSupport, handle)
    table["GpmStreaming"] = partial(nvml.nvmlGpmQueryIfStreamingEnabled, handle)
    return table


def each(nvml: Any, handle: Any) -> Table:
    """What a monitor asks at every tick, except what needs a state between ticks (`bench.record_gpu`)."""
    table = _plain(nvml, PLAIN_EACH, handle)
    table["MemoryInfo"] = partial(nvml.nvmlDeviceGetMemoryInfo, handle)
    table["MemoryInfo_v2"] = partial(nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    table["Temperature"] = partial(nvml.nvmlDeviceGetTemperatureV, handle, 0)
    for name, clock in CLOCKS.items():
        table[f"ClockInfo.{name}"] = partial(nvml.nvmlDeviceGetClockInfo, handle, clock)
    table["PcieThroughput.tx"] = partial(nvml.nvmlDeviceGetPcieThroughput, handle, 0)
    table["PcieThroughput.rx"] = partial(nvml.nvmlDeviceGetPcieThroughput, handle, 1)
    for kind in ("Compute", "Graphics", "MPSCompute"):
        call = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses_v3")
        table[f"{kind}RunningProcesses"] = partial(call, handle)
    table["TotalEccErrors.uncorrected.volatile"] = partial(nvml.nvmlDeviceGetTotalEccErrors, handle, 1, 0)
    return table
