"""What is known of a service beside its samples: settings with their origin, libraries, objectives."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from advisor.measured import MeasuredCapacity
from advisor.migration.devices import Device
from advisor.migration.money import DevicePrice
from advisor.migration.result import MigrationEstimate
from advisor.orphaned import Orphaned
from advisor.prices import NodePrice
from advisor.profiling.view import ProfileView
from collectors.compute_threads import ThreadsSetting
from collectors.cpu_features import CpuFeatures
from collectors.entities import Service, WorkerKey
from collectors.facts import Environ, Limits, ProcessFacts
from collectors.levers import Lever, Setting

Objective = Literal["latency", "throughput", "cost"]


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one service. `processes` lacks a process into which nobody could look yet."""

    service: Service
    processes: Mapping[WorkerKey, ProcessFacts] = {}
    settings: tuple[Setting, ...] = ()
    threads: ThreadsSetting | None = None
    """Compute threads of one serving worker as configured; None = the environment could not be read."""
    objective: Objective | None = None
    slo_p99_seconds: float | None = None
    price: NodePrice | None = None
    """What an hour of the node costs; None = the owner has not said."""
    price_without_device: NodePrice | None = None
    """What an hour of it would cost without its device; None = the owner has not said."""
    device_prices: Mapping[str, DevicePrice] = {}
    """What an hour of a node with a device costs, by name of the device in the catalogue, as far as the owner has said."""
    stated_devices: tuple[Device, ...] = ()
    """Devices of which the owner says what they can do."""
    measured: MeasuredCapacity | None = None
    """What a load test found in its present configuration."""
    cpu: CpuFeatures = CpuFeatures()
    """Of the node; its `flags` None = the kernel does not tell."""
    memory_bandwidth_bytes_per_second: int | None = None
    """What the memory of the whole node can give at once; None = the owner has not said."""
    thread_elasticity: float | None = None
    """Growth of throughput / growth of compute threads, both as logarithms, the last time that nothing else was changed:
    1 = in proportion, 0 = nothing, 0.14 = a tenth more of twice the threads. None = nobody tried."""
    orphaned: Orphaned | None = None
    """What runs beside workers whose front-end is gone; None for a service that has one."""
    migration: MigrationEstimate | None = None
    """What moving its work to a device would bring; None where nobody worked it out."""
    profile: ProfileView | None = None
    """The newest profiles of its workers; None = none was taken in its present configuration."""

    def setting(self, lever: Lever) -> Setting | None:
        return next((s for s in self.settings if s.lever is lever), None)

    @property
    def compute_libraries(self) -> frozenset[str] | None:
        """Kinds of thread-pool libraries mapped in any serving worker; None where no worker's maps could be read."""
        kinds = [w.compute_libraries for w in self.service.serving if w.compute_libraries is not None]
        return frozenset(kind for each in kinds for kind in each) if kinds else None

    def environ(self, name: str) -> str | None:
        """Value of an environment variable in the serving workers (the first that has it)."""
        for worker in self.service.serving:
            known = self.processes.get(worker.key)
            if known and isinstance(known.environ, Environ) and name in known.environ.values:
                return known.environ.values[name]
        return None

    @property
    def limits(self) -> Limits | None:
        """The container's limits as its own processes see them; None where nobody could look or nothing is limited."""
        found = (self.processes.get(worker.key) for worker in self.service.serving)
        return next((known.limits for known in found if known is not None and isinstance(known.limits, Limits)), None)

    @property
    def environ_readable(self) -> bool:
        found = (self.processes.get(worker.key) for worker in self.service.serving)
        return any(known is not None and isinstance(known.environ, Environ) for known in found)
