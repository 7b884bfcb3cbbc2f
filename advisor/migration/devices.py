"""What can an accelerator do? A catalogue of common ones, and what the node or its owner says of others."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

Precision = Literal["fp32", "tf32", "fp16", "bf16", "fp8", "int8", "int4"]
GIB = 1 << 30
ANOTHER_MEMORY = 0.15
"""A card of that name with so much more or less memory is another one: what is sold as 24 GB shows 22.5 GiB."""
MOST_CAPABILITY = 1000.0
_BRAND = re.compile(r"^(?:(?:NVIDIA|Tesla|GeForce|AMD|Instinct) +)+", re.IGNORECASE)
_OTHER_CHARACTERS = re.compile(r"[^a-z0-9]+")
PCIE_BYTES_PER_SECOND: Mapping[int, float] = {3: 15.75e9, 4: 31.5e9, 5: 63.0e9}
"""Of sixteen lanes, by generation: computed from the line rate and its coding."""


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One accelerator. `peak`: 10^12 operations per second on dense matrices by type; `bandwidth`: 10^9 bytes per second;
    `memory`: GiB. None = not known, or it does not apply."""

    name: str
    kind: Literal["gpu", "tpu", "neuron"]
    memory: float
    bandwidth: float
    peak: dict[Precision, float]
    sources: tuple[str, ...]
    match: tuple[str, ...] = ()
    """How drivers name it."""
    compute_capability: float | None = None
    watts: float | None = None
    pcie: int | None = None
    """Generation of its connection to the host."""
    sparsity: bool = False
    """Whether matrices with two zeros in each four are computed at twice the rate."""
    derived: bool = False
    """From what the driver of this node tells; `sources` say of what."""
    stated: bool = False
    """The owner says what it can do, not what it costs alone."""
    measured: str | None = None
    """With what it was held against measurements on one, and how that came out; None = never."""
    units: int | None = None
    clock_ghz: float | None = None
    per_clock: int | None = None
    bus_bits: int | None = None
    memory_mhz: int | None = None

    @property
    def memory_bytes(self) -> float:
        return self.memory * GIB

    def has_memory(self, memory_bytes: int) -> bool:
        """Whether a card with so much may be this one."""
        return abs(memory_bytes / self.memory_bytes - 1) <= ANOTHER_MEMORY

    @property
    def bandwidth_bytes(self) -> float:
        return self.bandwidth * 1e9

    def operations(self, precision: Precision) -> float | None:
        """Per second; None where it does not compute in that type."""
        peak = self.peak.get(precision)
        return None if peak is None else peak * 1e12

    @property
    def derived_fp16(self) -> float | None:
        """16-bit operations per second from its units and clock."""
        if self.units is None or self.clock_ghz is None or self.per_clock is None:
            return None
        return self.units * self.clock_ghz * 1e9 * self.per_clock

    @property
    def derived_bandwidth(self) -> float | None:
        """Bytes per second from the width and the clock of its memory bus, two transfers a clock."""
        if self.bus_bits is None or self.memory_mhz is None:
            return None
        return self.bus_bits / 8 * self.memory_mhz * 1e6 * 2


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: tuple[Device, ...] = ()


class BadDevices(ValueError):  # noqa: N818 - a state of a file
    """A file of devices is not of its form; the text says where."""


@cache
def catalogue() -> tuple[Device, ...]:
    """The devices that are known here, each with its sources."""
    return read_devices((Path(__file__).parent / "devices.toml").read_text())


def read_devices(text: str) -> tuple[Device, ...]:
    """The entries `[[device]]` of a TOML text. Raises BadDevices."""
    try:
        found = msgspec.convert(tomllib.loads(text), _File).device
    except (
        ValueError,
        RecursionError,
    ) as error:  # TOMLDecodeError, ValidationError, or a number of thousands of digits
        raise BadDevices(str(error)) from error
    for device in found:
        check(device)
    return found


def check(device: Device) -> None:
    """Raises BadDevices where its numbers make no sense."""
    numbers = (device.memory, device.bandwidth, *device.peak.values(), device.watts or 1.0)
    if not device.peak or not all(0 < number < 1e9 for number in numbers):
        raise BadDevices(f"device {device.name!r}: memory, bandwidth and peak are numbers above 0")
    capability = device.compute_capability
    if capability is not None and not 0 < capability < MOST_CAPABILITY:
        raise BadDevices(f"device {device.name!r}: compute_capability is a number above 0 such as 8.9")
    if device.pcie is not None and device.pcie not in PCIE_BYTES_PER_SECOND:
        known = ", ".join(map(str, PCIE_BYTES_PER_SECOND))
        raise BadDevices(f"device {device.name!r}: pcie is a generation, one of {known}")


def named(name: str, devices: Sequence[Device] | None = None) -> Device | None:
    """The device of that name, in any spelling: `l4`, `NVIDIA L4`, `a100-80gb`."""
    known, wanted = catalogue() if devices is None else devices, plain(name)
    return next((device for device in known if wanted in _names(device)), None)


def alike(name: str) -> tuple[Device, ...]:
    """Those of the catalogue that may be meant by the beginning of a name: `a100` is three cards."""
    wanted = plain(name)
    return tuple(one for one in catalogue() if wanted and any(found.startswith(wanted) for found in _names(one)))


def unknown(name: str) -> tuple[str, str]:
    """What is wrong with the name of a device that is in no catalogue, and what to do."""
    several = [device.name for device in alike(name)]
    if several:
        return f"device {name!r} may be {' or '.join(several)}", "name one of them"
    known = ", ".join(device.name for device in catalogue())
    return f"no device {name!r} is known", f'one of: {known}; or state it in [devices."{name}"]'


def of_memory(name: str, memory_bytes: int | None) -> Device | None:
    """The one of the catalogue that a driver calls by the beginning of its name, and that alone has this memory."""
    fit = [one for one in alike(name) if memory_bytes is not None and one.has_memory(memory_bytes)]
    return fit[0] if len(fit) == 1 else None


def brandless(name: str) -> str:
    """As people write it: `H100 80GB HBM3`."""
    return _BRAND.sub("", name)


def _names(device: Device) -> tuple[str, ...]:
    return (plain(device.name), *map(plain, device.match))


def plain(name: str) -> str:
    """Of all spellings of a name the same."""
    return _OTHER_CHARACTERS.sub("", brandless(name).lower())
