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


class _Known(msgspec.Struct, frozen=True):
    same: tuple[object, ...]
    moved: tuple[object, ...]
    result: MigrationEstimate


class Migrations:
    """Keeps the last estimate of each service. One thread uses it."""

    def __init__(self, config: Config) -> None:
        """Raises CliError where `[devices]` says too little."""
        self.prices: Mapping[str, DevicePrice] = prices(config)
        """By name of the device."""
        self._configured = configured_devices(config)
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
        rate = None if answered is None else _step(answered.value)
        moved = (view.loaded_now, rate, _in_gib(free), self.vram.correction(key_of(facts)))
        same = (facts.profile, facts.service)
        known = self._known.get(view.service.id)
        if known is not None and known.moved == moved and all(a is b for a, b in zip(known.same, same, strict=True)):
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


def _step(rate: float) -> int | None:
    return round(log(rate) / _ANOTHER_LOAD) if rate > 0 else None


def _in_gib(free: Mapping[str, int | None]) -> tuple[tuple[str, int | None], ...]:
    """What is free of devices wavers."""
    return tuple((name, None if value is None else value >> 30) for name, value in sorted(free.items()))
