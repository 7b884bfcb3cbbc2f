"""What is said of a GPU or another accelerator, by whichever reader: one set of sample types for all of them.

`gpu:UUID` is a device, a MIG instance, a TPU chip or a group of NeuronCores, by the name that its driver gives it.
"""

from typing import Annotated, ClassVar

from collectors.sample import Sample, metric


class GpuSample(Sample, frozen=True, kw_only=True, gc=False):
    """One device now. Shares of time are of the time since the reading before, `busy_ppm` of the driver's own period."""

    kind: ClassVar[str] = "gpu"
    doc: ClassVar[str] = (
        "One GPU (or MIG instance, TPU chip, Neuron device) each second. `busy` is the share of time in which anything ran "
        "on it, not how much of it was used: that is `sm_active`, `tensor_active` and `dram_active`, where the device "
        "counts them."
    )

    state: Annotated[str | None, metric("", "ok, or lost: it does not answer any more.")]
    memory_total_bytes: Annotated[int | None, metric("bytes", "Device memory (of the node, where they share it).")]
    memory_reserved_bytes: Annotated[int | None, metric("bytes", "Kept by driver and firmware; nobody can have it.")]
    memory_used_bytes: Annotated[
        int | None, metric("bytes", "Allocated by processes (with the reserve on drivers < 510).")
    ]
    memory_free_bytes: Annotated[int | None, metric("bytes", "What can still be allocated.")]
    busy_ppm: Annotated[int | None, metric("ratio", "Share of time in which at least one kernel ran.", scale=1e-6)]
    memory_busy_ppm: Annotated[
        int | None, metric("ratio", "Share of time in which device memory was read or written.", scale=1e-6)
    ]
    sm_active_ppm: Annotated[
        int | None, metric("ratio", "Share of its multiprocessors' time with work on them.", scale=1e-6)
    ]
    sm_occupancy_ppm: Annotated[
        int | None, metric("ratio", "Resident warps / warps that fit on its multiprocessors.", scale=1e-6)
    ]
    tensor_active_ppm: Annotated[int | None, metric("ratio", "Share of its tensor cores' cycles used.", scale=1e-6)]
    dram_active_ppm: Annotated[int | None, metric("ratio", "Share of its memory's bandwidth used.", scale=1e-6)]
    pcie_tx_bytes_per_second: Annotated[int | None, metric("bytes_per_second", "Sent by the device over PCIe.")]
    pcie_rx_bytes_per_second: Annotated[int | None, metric("bytes_per_second", "Received by the device over PCIe.")]
    nvlink_tx_bytes_per_second: Annotated[int | None, metric("bytes_per_second", "Sent by the device over NVLink.")]
    nvlink_rx_bytes_per_second: Annotated[int | None, metric("bytes_per_second", "Received by the device over NVLink.")]
    sm_clock_mhz: Annotated[int | None, metric("hertz", "Clock of its multiprocessors now.", scale=1e6)]
    memory_clock_mhz: Annotated[int | None, metric("hertz", "Clock of its memory now.", scale=1e6)]
    power_mw: Annotated[int | None, metric("watts", "Power drawn (a mean of 1 s on most).", scale=1e-3)]
    temperature_celsius: Annotated[int | None, metric("celsius", "Temperature of the chip.")]
    power_cap_ns: Annotated[
        int | None, metric("seconds", "Clocks held down by the power limit.", counter=True, scale=1e-9)
    ]
    software_thermal_ns: Annotated[
        int | None, metric("seconds", "Clocks held down by the driver for heat.", counter=True, scale=1e-9)
    ]
    hardware_thermal_ns: Annotated[
        int | None, metric("seconds", "Clocks halved by the hardware for heat.", counter=True, scale=1e-9)
    ]
    power_brake_ns: Annotated[
        int | None, metric("seconds", "Clocks halved by the power supply's signal.", counter=True, scale=1e-9)
    ]
    xid_events: Annotated[
        int | None, metric("events", "Errors of the driver (XID) seen since it is read.", counter=True)
    ]
    last_xid: Annotated[int | None, metric("", "Number of the newest XID.")]
    processes: Annotated[int | None, metric("processes", "Processes with memory or work on it that the driver names.")]
    unknown_processes: Annotated[
        int | None, metric("processes", "Of these, such as no process of this PID namespace can be.")
    ]
    unknown_memory_bytes: Annotated[
        int | None, metric("bytes", "Used memory that belongs to no process whose memory is known.")
    ]
    divided: Annotated[
        int | None, metric("flag", "1: it is divided into MIG instances, which are devices of their own.")
    ] = None
    parent: Annotated[str | None, metric("", "gpu:UUID of the device of which it is an instance.")] = None


class GpuProcessSample(Sample, frozen=True, kw_only=True, gc=False):
    """One process on one device: `gpu-process:UUID/PID`. None in `memory_bytes`: the driver does not tell (also where it
    says 0, as drivers do of processes that they hide)."""

    kind: ClassVar[str] = "gpu_process"
    doc: ClassVar[str] = "One process on one GPU each second."

    worker: Annotated[
        str | None, metric("", "The process as worker:PID:START; NULL = none of this PID namespace can be meant.")
    ]
    context: Annotated[str | None, metric("", "What it has there: compute, graphics, mps, joined by +.")]
    memory_bytes: Annotated[int | None, metric("bytes", "Device memory that it holds.")]
    sm_ppm: Annotated[
        int | None,
        metric("ratio", "Share of time in which its kernels ran (AMD: of compute units that it occupies).", scale=1e-6),
    ]
    memory_busy_ppm: Annotated[int | None, metric("ratio", "Share of time in which it used device memory.", scale=1e-6)]
    doubtful: Annotated[
        int | None, metric("flag", "1: the number may be one of another PID namespace than the reader's.")
    ] = None


class GpuHealthSample(Sample, frozen=True, kw_only=True, gc=False):
    """What changes seldom, or is costly to read."""

    kind: ClassVar[str] = "gpu_health"
    doc: ClassVar[str] = "Links, energy and errors of one GPU, every ten seconds."

    energy_mj: Annotated[int | None, metric("joules", "Energy since the driver was loaded.", counter=True, scale=1e-3)]
    power_limit_mw: Annotated[int | None, metric("watts", "The power limit in force.", scale=1e-3)]
    memory_temperature_celsius: Annotated[int | None, metric("celsius", "Temperature of its memory.")]
    performance_state: Annotated[int | None, metric("", "0 = the fastest.")]
    pcie_generation: Annotated[int | None, metric("", "PCIe generation of the link now; it falls when idle.")]
    pcie_width: Annotated[int | None, metric("lanes", "PCIe lanes of the link now.")]
    pcie_sampled_tx_bytes_per_second: Annotated[
        int | None, metric("bytes_per_second", "Sent over PCIe in 20 ms, on devices that do not count activity.")
    ]
    pcie_sampled_rx_bytes_per_second: Annotated[
        int | None, metric("bytes_per_second", "Received over PCIe in 20 ms, on devices that do not count activity.")
    ]
    pcie_replays: Annotated[int | None, metric("packets", "PCIe packets sent again.", counter=True)]
    nvlinks_active: Annotated[int | None, metric("links", "NVLinks that are up.")]
    bar1_used_bytes: Annotated[int | None, metric("bytes", "Device memory that is mapped for others on the bus.")]
    bar1_total_bytes: Annotated[int | None, metric("bytes", "Device memory that can be mapped.")]
    ecc_corrected: Annotated[
        int | None, metric("errors", "Memory errors corrected since the driver was loaded.", counter=True)
    ]
    ecc_uncorrected: Annotated[
        int | None, metric("errors", "Memory errors that could not be corrected since then.", counter=True)
    ]
    remapped_rows: Annotated[int | None, metric("rows", "Memory rows replaced by spare ones, for good.")]
    remap_pending: Annotated[int | None, metric("flag", "1: rows are replaced at the next reset.")]
    remap_failed: Annotated[int | None, metric("flag", "1: no spare row was left.")]


class GpuInfoSample(Sample, frozen=True, kw_only=True, gc=False):
    """What a device is."""

    kind: ClassVar[str] = "gpu_info"
    doc: ClassVar[str] = "What a GPU is: its model, its limits and what of it cannot be read, once a minute."

    vendor: Annotated[str | None, metric("", "nvidia, amd, google, aws.")]
    name: Annotated[str | None, metric("", "Model.")]
    index: Annotated[int | None, metric("", "Its number on this node; nvidia-smi's.")]
    architecture: Annotated[str | None, metric("", "ampere, hopper, cdna3, v5e, …")]
    compute_capability: Annotated[str | None, metric("", "CUDA compute capability, as 9.0.")]
    driver: Annotated[str | None, metric("", "Version of the kernel driver.")]
    cuda: Annotated[str | None, metric("", "Newest CUDA that the driver can run, as 13.0.")]
    pci: Annotated[str | None, metric("", "PCI address, as 0000:00:06.0.")]
    device_file: Annotated[str | None, metric("", "The file that its users have open, as /dev/nvidia0.")]
    numa_node: Annotated[int | None, metric("", "NUMA node of its PCI slot.")]
    cpus: Annotated[str | None, metric("", "CPUs near to it, as a list.")]
    sm_clock_max_mhz: Annotated[int | None, metric("hertz", "Highest clock of its multiprocessors.", scale=1e6)]
    memory_clock_max_mhz: Annotated[int | None, metric("hertz", "Highest clock of its memory.", scale=1e6)]
    power_limit_default_mw: Annotated[int | None, metric("watts", "Power limit as shipped.", scale=1e-3)]
    pcie_generation_max: Annotated[int | None, metric("", "PCIe generation that device and slot can do.")]
    pcie_width_max: Annotated[int | None, metric("lanes", "PCIe lanes that device and slot can do.")]
    multiprocessors: Annotated[int | None, metric("multiprocessors", "Its multiprocessors (compute units, cores).")]
    cuda_cores: Annotated[int | None, metric("cores", "CUDA cores of the whole device.")] = None
    memory_bus_bits: Annotated[
        int | None, metric("bits", "Width of the bus to its memory (of the whole device, where this is an instance).")
    ] = None
    unified_memory: Annotated[int | None, metric("flag", "1: it shares the node's memory.")]
    mig: Annotated[int | None, metric("flag", "1: it is divided into MIG instances, which are devices of their own.")]
    parent: Annotated[str | None, metric("", "gpu:UUID of the device of which it is an instance.")]
    compute_mode: Annotated[str | None, metric("", "default, exclusive-process or prohibited.")]
    persistence: Annotated[int | None, metric("flag", "1: the driver stays loaded while nobody uses it.")]
    mps: Annotated[int | None, metric("flag", "1: a CUDA MPS server runs on this node.")]
    other_readers: Annotated[str | None, metric("", "Other programs that read its counters, such as nv-hostengine.")]
    unsupported: Annotated[str | None, metric("", "Readings that this device does not give.")]


KINDS = (GpuSample, GpuProcessSample, GpuHealthSample, GpuInfoSample)


def nothing_known(kind: type[Sample], entity: str, **known: object) -> Sample:
    """A sample of which nothing is readable but what is `known`."""
    fields = {name: None for name in kind.__struct_fields__ if name != "entity"}
    return kind(entity=entity, **{**fields, **known})
