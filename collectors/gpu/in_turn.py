"""Asks every device in turn; one that is lost does not keep the others from being read."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from collectors.gpu.asked import Lost
from collectors.sample import Sample


class Losable(Protocol):
    """A device that may be found gone."""

    lost: bool


Device = TypeVar("Device", bound=Losable)


def in_turn(
    devices: Sequence[Device], read: Callable[[Device], list[Sample]], lost: Callable[[Device], list[Sample]]
) -> list[Sample] | None:
    """What `read` gives of each device, and `lost` of one that is gone; None where all of them are."""
    found: list[Sample] = []
    gone = 0
    for device in devices:
        try:
            if device.lost:
                raise Lost
            found += read(device)
        except Lost:
            device.lost = True
            gone += 1
            found += lost(device)
    return None if devices and gone == len(devices) else found
