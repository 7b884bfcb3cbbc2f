"""What would moving a service's work to a device bring? Worked out once for each profile of it."""

from collections.abc import Mapping, Sequence
from math import log

import msgspec

from advisor.answered import answered_per_second, seen_of
from advisor.facts import ServiceFacts
from advisor.gpu.view import GpuView
from advisor.migration.cpu import host_cpu
from advisor.migration.estimate import Market, estimate
from advisor.migration.money import DevicePrice
from advisor.migration.pricing import price_of
from advisor.migration.result import MigrationEstimate
from advisor.migration.vram_calibration import VramCalibration
from advisor.migration.vram_observed import compared, key_of
from advisor.view import View
from agent.config import Config
from agent.devices import Candidates, candidates, configured_devices, prices
from collectors.entities import Service

_ANOTHER_LOAD = 0.2
"""Logarithm of the rate: at another load the costs are others."""
_ANOTHER_ROOM = 1 << 30
"""Bytes that are free of a device: they waver."""


class _Moved(msgspec.Struct, frozen=True):
    """What an estimate was made at."""

    loaded: bool
    rate: float | None
    free: Mapping[str, int | None]
    correction: object

    def near(self, other: "_Moved") -> bool:
        """Whether one made at the other would say the same. Against what it was made at, so that a value that wavers about
        a step does not make it anew each time."""
        if (self.loaded, self.correction, self.free.keys()) != (other.loaded, other.correction, other.free.keys()):
            return False
        rooms = zip(self.free.values(), (other.free[name] for name in self.free), strict=True)
        return _close_rates(self.rate, other.rate) and all(_close_rooms(one, two) for one, two in rooms)


class _Known(msgspec.Struct, frozen=True):
    same: tuple[object, ...]
    moved: _Moved
    result: MigrationEstimate


class Migrations:
    """Keeps the last estimate of each service. One thread uses it."""

    def __init__(self, config: Config) -> None:
        """Raises CliError where `[devices]` says too little."""
        self.prices: Mapping[str, DevicePrice] = prices(config)
        """By name of the device."""
        self._configured = configured_devices(config)
        self.stated = tuple(device for device in self._configured if device.stated)
        """Devices of which the owner says what they can do."""
        self._known: dict[str, _Known] = {}
        self.vram = VramCalibration()

    def of(self, view: View, facts: ServiceFacts, gpus: Sequence[GpuView]) -> MigrationEstimate | None:
        """None of a service that runs on a device already, or runs no model."""
        if view.gpus or not view.serving:
            self._known.pop(view.service.id, None)
            self._learn(view, facts)
            return None
        found = candidates(self._configured, gpus)
        free = {name: gpu.memory_free_bytes for name, gpu in found.here.items()}
        answered = answered_per_second(seen_of(view))
        rate = None if answered is None else answered.value
        moved = _Moved(view.loaded_now, rate, free, self.vram.correction(key_of(facts)))
        same = (facts.profile, facts.service)
        known = self._known.get(view.service.id)
        if known is not None and known.moved.near(moved) and all(a is b for a, b in zip(known.same, same, strict=True)):
            return known.result
        host = host_cpu(view.cores, facts.cpu, facts.memory_bandwidth_bytes_per_second)
        market = Market(
            devices=found.devices, free=free, prices=self._prices(found), host=host, left_out=found.left_out,
            seen=self.vram.corrections,
        )  # fmt: skip
        result = estimate(view, facts, market)
        self._known[view.service.id] = _Known(same, moved, result)
        return result

    def _prices(self, found: Candidates) -> dict[str, DevicePrice]:
        """With those of devices that are priced as the driver names them."""
        pairs = [(one, found.here[one.name]) for one in found.devices if one.name in found.here]
        here = {one.name: price for one, gpu in pairs if (price := price_of(one, gpu, self.prices)) is not None}
        return {**self.prices, **here}

    def _learn(self, view: View, facts: ServiceFacts) -> None:
        found = compared(view, facts) if view.gpus else None
        if found is not None:
            self.vram.learn(found.key, view.service.id, found.ratio)

    def known(self, services: Sequence[Service]) -> tuple[MigrationEstimate, ...]:
        """The last estimate of each."""
        return tuple(found.result for one in services if (found := self._known.get(one.id)) is not None)

    def keep_only(self, services: Mapping[str, object]) -> None:
        for name in self._known.keys() - services.keys():
            del self._known[name]


def _close_rates(one: float | None, other: float | None) -> bool:
    return abs(log(one / other)) < _ANOTHER_LOAD if one and other else (one or None) == (other or None)


def _close_rooms(one: int | None, other: int | None) -> bool:
    return one == other if one is None or other is None else abs(one - other) < _ANOTHER_ROOM
