"""What does an hour of a node with this device cost, as far as its owner has said?"""

from collections.abc import Mapping

from advisor.gpu.view import GpuView
from advisor.migration.devices import Device, named, plain
from advisor.migration.money import DevicePrice


def price_named(name: str, prices: Mapping[str, DevicePrice]) -> DevicePrice | None:
    """In any spelling of the name."""
    exact = prices.get(name)
    if exact is not None:
        return exact
    wanted = plain(name)
    return next((price for own, price in prices.items() if plain(own) == wanted), None)


def price_of(device: Device | str, gpu: GpuView, prices: Mapping[str, DevicePrice]) -> DevicePrice | None:
    """Of the device that this GPU is (`device_of`; text where it cannot be judged), else as its driver names it where
    no device of the catalogue has that name: of several of one name, the owner may have priced the name. An instance has no
    part of the price of its card."""
    found = price_named(device.name, prices) if isinstance(device, Device) else None
    if found is not None or gpu.parent is not None or named(gpu.name) is not None:
        return found
    return price_named(gpu.name, prices)


def prices_over(own: Mapping[str, DevicePrice], others: Mapping[str, DevicePrice]) -> dict[str, DevicePrice]:
    """Both; of a device in both, its own."""
    spelled = {plain(name) for name in own}
    return {**{name: price for name, price in others.items() if plain(name) not in spelled}, **own}
