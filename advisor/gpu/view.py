"""What a rule sees of one GPU: the seconds of the window, and what is known of the device.

Base units (bytes, seconds, watts, hertz, ratios 0..1). None = not readable on this device.
"""

import msgspec

from collectors.entities import WorkerKey


class GpuProcessView(msgspec.Struct, frozen=True, kw_only=True):
    """One process on a device. `worker` None: none of this PID namespace can be meant, or it is none that can have a context
    (its mapped libraries are known and no driver is among them)."""

    pid: int
    worker: WorkerKey | None
    contexts: tuple[str, ...]
    memory_bytes: int | None
    sm_ratio: float | None
    """Mean share of time in which its kernels ran."""
    memory_seen: tuple[tuple[float, int], ...] = ()
    """(seconds before now, bytes that it held), oldest first, a point each ten seconds over the last five minutes."""


class GpuView(msgspec.Struct, frozen=True, kw_only=True):
    """One device over the window. `samples` counts the seconds of the window in which it was read.

    Ratios are means over the window unless they end in `_p95`. `busy_ratio` is the share of time in which anything ran: only
    the activities say how much of the device was used.
    """

    uuid: str
    name: str
    index: int | None
    vendor: str
    architecture: str | None
    compute_capability: float | None = None
    """Of CUDA: 8.9."""
    cuda_cores: int | None = None
    """Of a whole device."""
    multiprocessors: int | None = None
    """Of an instance, or of a device of another vendor."""
    memory_bus_bits: int | None = None
    """Of the whole device, also where this is an instance."""
    memory_clock_max_hertz: float | None = None
    state: str
    samples: int
    window_seconds: float
    busy_ratio: float | None = None
    busy_p95: float | None = None
    memory_busy_ratio: float | None = None
    sm_active_ratio: float | None = None
    sm_active_p95: float | None = None
    sm_occupancy_ratio: float | None = None
    tensor_active_ratio: float | None = None
    dram_active_ratio: float | None = None
    dram_active_p95: float | None = None
    pcie_tx_bytes_per_second: float | None = None
    pcie_rx_bytes_per_second: float | None = None
    pcie_sampled: bool = False
    """The two above are of a few stretches of 20 ms, not of the whole window."""
    memory_total_bytes: int | None = None
    memory_reserved_bytes: int | None = None
    memory_used_bytes: int | None = None
    memory_free_bytes: int | None = None
    memory_used_max_bytes: int | None = None
    memory_seen: tuple[tuple[float, int], ...] = ()
    """(seconds before now, used bytes), oldest first, a point each ten seconds over the last five minutes."""
    unknown_memory_bytes: int | None = None
    """Used, and of no process whose memory is known."""
    processes: tuple[GpuProcessView, ...] = ()
    processes_known: bool = False
    """Whether the device lists its processes at all."""
    sm_clock_hertz: float | None = None
    sm_clock_max_hertz: float | None = None
    memory_clock_hertz: float | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    power_limit_default_watts: float | None = None
    temperature_celsius: float | None = None
    power_cap_ratio: float | None = None
    """Share of the window's time in which the power limit held the clocks down; the next three likewise."""
    software_thermal_ratio: float | None = None
    hardware_thermal_ratio: float | None = None
    power_brake_ratio: float | None = None
    xid_events: int | None = None
    """Driver errors in the last five minutes."""
    last_xid: int | None = None
    pcie_generation: int | None = None
    """The highest of the last minutes: an idle link falls back."""
    pcie_width: int | None = None
    pcie_generation_max: int | None = None
    pcie_width_max: int | None = None
    ecc_uncorrected: int | None = None
    remap_pending: bool | None = None
    remap_failed: bool | None = None
    numa_node: int | None = None
    cpus: frozenset[int] | None = None
    compute_mode: str | None = None
    mps: bool | None = None
    mig: bool = False
    """It is divided: its instances are devices of their own."""
    parent: str | None = None
    unified_memory: bool = False
    other_readers: tuple[str, ...] = ()
    hours: float = 0.0
    """For how long it has been watched, at most 24 h."""
    day_busy_p95: float | None = None
    """95 % point of its busy minutes' means over those hours; the next likewise of memory used / total."""
    day_memory_p95: float | None = None
    day_busy_mean: float | None = None
    day_busiest_ratio: float | None = None
    """Busy time of its busiest minute of those hours."""
    week_hours: float = 0.0
    """For how long it has been watched, at most a week; the next two are of those hours."""
    week_busy_p95: float | None = None
    """95 % point of its busy minutes' means."""
    week_busiest_ratio: float | None = None

    @property
    def subject_name(self) -> str:
        return device_name(self.uuid, self.index, self.name, self.parent)

    @property
    def pcie_link_bytes_per_second(self) -> float | None:
        """What the link can carry each way, about: lanes × rate of its generation after encoding, less 10 % for packets."""
        return link_bytes_per_second(self.pcie_generation, self.pcie_width)

    @property
    def memory_usable_bytes(self) -> int | None:
        """Total less what driver and firmware keep."""
        if self.memory_total_bytes is None:
            return None
        return self.memory_total_bytes - (self.memory_reserved_bytes or 0)


class ServiceGpu(msgspec.Struct, frozen=True, kw_only=True):
    """What one service has on one device."""

    gpu: GpuView
    own: tuple[GpuProcessView, ...]

    @property
    def memory_bytes(self) -> int | None:
        """Memory of its processes; None if it is not known of one."""
        known = [p.memory_bytes for p in self.own]
        return None if None in known else sum(m for m in known if m is not None)

    @property
    def sm_ratio(self) -> float | None:
        """Its processes' shares of time, added up; None if it is not known of one."""
        known = [p.sm_ratio for p in self.own]
        return None if None in known else sum(r for r in known if r is not None)

    @property
    def alone(self) -> bool:
        """Whether every process on the device is known and is one of the service."""
        return self.gpu.processes_known and len(self.own) == len(self.gpu.processes)

    @property
    def others_bytes(self) -> int | None:
        """Memory of the others' processes on it, as far as it is known."""
        mine = {p.pid for p in self.own}
        return sum(p.memory_bytes or 0 for p in self.gpu.processes if p.pid not in mine)


_LANE_BYTES = {1: 0.25e9, 2: 0.5e9, 3: 0.985e9, 4: 1.969e9, 5: 3.938e9, 6: 7.563e9}
"""Bytes per second of one lane each way after line encoding (PCI-SIG, by generation)."""
_PACKETS = 0.9
"""What headers and flow control leave of it, about."""


def link_bytes_per_second(generation: int | None, width: int | None) -> float | None:
    if generation is None or width is None or generation not in _LANE_BYTES:
        return None
    return _LANE_BYTES[generation] * width * _PACKETS


def device_name(uuid: str, index: int | None, name: str, parent: str | None) -> str:
    """How people call a device: `GPU 0 (NVIDIA H100 80GB HBM3)`. `parent`: of what it is an instance."""
    number = "" if index is None else f" {index}"
    return f"GPU{number} ({name})" if parent is None else f"GPU{number} instance {uuid} ({name})"
