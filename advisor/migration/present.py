"""Which device is a GPU of this node: one that its owner states, else the catalogue's, else what its driver tells makes one?"""

from collections.abc import Sequence

from advisor.gpu.view import GpuView
from advisor.migration.derived import device_of
from advisor.migration.devices import Device, named


def device_here(gpu: GpuView, parent: GpuView | None, stated: Sequence[Device] = ()) -> Device | str:
    """Text where none can be judged: why. `parent`: the GPU of which it is an instance; `stated`: devices of which the owner
    says what they can do, or what they cost."""
    return _stated_for(gpu, stated) or device_of(gpu, parent)


def _stated_for(gpu: GpuView, stated: Sequence[Device]) -> Device | None:
    """The one of which the owner says what it can do. With memory that is not this GPU's, it is this one only where the owner
    says so of a whole card; what was only priced is told by `device_of` as any other."""
    device = named(gpu.name, [one for one in stated if one.stated])
    memory = gpu.memory_total_bytes
    if device is None or (memory is not None and device.has_memory(memory)):
        return device
    if gpu.parent is not None:
        return None
    known = named(device.name)
    return device if memory is None or known is None or known.memory != device.memory else None
