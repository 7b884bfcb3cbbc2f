"""Which devices may work move to, and what do they cost, as the configuration and the node say?

`[devices."NAME"]` prices an hour of a node with the device (`hourly`, or `purchase_price` over `amortisation` and its power);
of one that the catalogue does not know it also states what it can do.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from advisor.gpu.view import GpuView
from advisor.migration.devices import (
    BadDevices,
    Device,
    Precision,
    brandless,
    check,
    named,
    unknown,
)
from advisor.migration.money import DevicePrice
from advisor.migration.present import device_here
from agent.config import Config
from agent.errors import CliError
from agent.prices import not_an_hour
from collectors.units import parse_duration

log = logging.getLogger("nodewright.devices")

USUAL = "L4"
"""Looked at where there is no device and none is configured: a small one that most clouds have."""
_PRICE_KEYS = frozenset((
    "hourly", "purchase_price", "amortisation", "power_watts", "power_price_per_kwh", "currency", "as_of",
))  # fmt: skip
_PRECISIONS: tuple[str, ...] = get_args(Precision)
_FACT_KEYS = frozenset(("kind", "memory", "bandwidth", "compute_capability", "watts", "pcie", "sparsity", *_PRECISIONS))
_CURRENCY = re.compile(r"[A-Z]{3}")
_STATE = "state memory (GiB), bandwidth (GB/s) and a rate (10^12/s) such as fp16 = 121, or use a name of the catalogue"


def configured_devices(config: Config) -> tuple[Device, ...]:
    """Raises CliError where what is stated of one makes no sense."""
    found = (configured(name, said) for name, said in _tables(config))
    return tuple(device for device in found if device is not None)


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """`here`: of those that are in the node, the GPU of which most memory is free, by name of the device. `left_out`: GPUs of
    the node that cannot be judged, each with why."""

    devices: tuple[Device, ...]
    here: Mapping[str, GpuView]
    left_out: tuple[str, ...] = ()


def candidates(stated: Sequence[Device], gpus: Sequence[GpuView]) -> Candidates:
    """Those that the configuration states, and those that are here; the usual one where there are none."""
    found = {device.name: device for device in stated}
    here: dict[str, GpuView] = {}
    left_out: dict[str, str] = {}
    of = {f"gpu:{gpu.uuid}": gpu for gpu in gpus}
    for gpu in gpus:
        if gpu.mig:
            continue
        device = device_here(gpu, of.get(gpu.parent or ""), stated)
        if isinstance(device, str):
            left_out[gpu.name] = f"{gpu.name} in this node: not judged, {device}"
            continue
        found[device.name] = device
        if device.name not in here or _free(gpu) > _free(here[device.name]):
            here[device.name] = gpu
    usual = named(USUAL)
    if not found and usual is not None:
        found = {USUAL: usual}
    return Candidates(devices=tuple(found.values()), here=here, left_out=tuple(left_out.values()))


def configured(name: str, said: Mapping[str, Any]) -> Device | None:
    """The device of `[devices."NAME"]`. None of one that is not known, and of which nothing is stated but its price: there is
    nothing to work out then. Raises CliError where what is stated makes no sense."""
    for key in said:
        if key not in _PRICE_KEYS | _FACT_KEYS:
            known = ", ".join(sorted(_PRICE_KEYS | _FACT_KEYS))
            raise CliError("config.bad-value", f"devices.{name}.{key}: not known", f"known: {known}")
    facts = {key: said[key] for key in said if key in _FACT_KEYS}
    peak = {key: facts.pop(key) for key in _PRECISIONS if key in facts}
    device = named(name)
    if not facts and not peak:
        if device is None:
            text = "devices.%s: %s; its price counts where this node has it, else %s"
            log.warning(text, name, unknown(name)[0], _STATE, extra={"once": f"device {name}"})
        return device
    base: dict[str, Any] = msgspec.to_builtins(device) if device is not None else {"name": name, "kind": "gpu"}
    stated = {**base, **facts, "peak": {**base.get("peak", {}), **peak}, "sources": ("the configuration",)}
    stated |= {"stated": True, "measured": None}  # what was measured is the catalogue's numbers
    try:
        found = msgspec.convert(stated, Device)
        check(found)
    except (msgspec.ValidationError, BadDevices) as error:
        raise CliError("config.bad-value", f"devices.{name}: {error}", _STATE) from error
    return found


def prices(config: Config) -> Mapping[str, DevicePrice]:
    """By name of the device; of one that is not known as it is written, since the node may have it. Raises CliError where a
    price does not add up to an hour."""
    found = {}
    for name, said in _tables(config):
        device = configured(name, said)
        price = _price(name, said, config.prices.currency, None if device is None else device.watts)
        if price is not None:
            found[brandless(name) if device is None else device.name] = price
    return found


def _tables(config: Config) -> list[tuple[str, Mapping[str, Any]]]:
    """Each device, with what `[devices]` says of the prices of all. Raises CliError for another entry that is no table."""
    of_all = {
        key: value for key, value in config.devices.items() if key in _PRICE_KEYS and not isinstance(value, Mapping)
    }
    found: list[tuple[str, Mapping[str, Any]]] = []
    for name, said in config.devices.items():
        if isinstance(said, Mapping):
            found.append((name, {**of_all, **said}))
        elif name not in of_all:
            raise CliError("config.bad-value", f"devices.{name} is not a table", f'write [devices."{name}"]')
    return found


def _free(gpu: GpuView) -> int:
    return gpu.memory_free_bytes or 0


def _price(name: str, said: Mapping[str, Any], currency: str | None, watts: float | None) -> DevicePrice | None:
    hourly: float | None = said.get("hourly")
    bought: float | None = said.get("purchase_price")
    if hourly is None and bought is None:
        return None
    currency = said.get("currency", currency)
    if currency is None or not _CURRENCY.fullmatch(currency):
        hint = "set it there or in [prices], three capital letters: EUR"
        raise CliError("config.bad-value", f"devices.{name}.currency: {currency!r} is no currency", hint)
    if not isinstance(said.get("as_of", ""), str):
        raise CliError("config.bad-value", f"devices.{name}.as_of is no day", "write it as 2026-11-01")
    if hourly is not None and bought is not None:
        raise CliError(
            "config.bad-value", f"devices.{name}.purchase_price: hourly is set as well", "set one of the two"
        )
    if bought is not None:
        seconds = parse_duration(str(said["amortisation"])) if "amortisation" in said else 0.0
        if seconds <= 0:
            hint = "state over how long it is paid off: amortisation = '3y'"
            raise CliError("config.bad-value", f"devices.{name}.purchase_price: it says nothing without that", hint)
        draws = said.get("power_watts", watts or 0.0)
        hourly = bought * 3600 / seconds + draws / 1000 * said.get("power_price_per_kwh", 0.0)
        if (bought or hourly) and (problem := not_an_hour(hourly)) is not None:
            raise CliError("config.bad-value", f"devices.{name}.purchase_price: {problem}", "look at amortisation")
    return DevicePrice(currency=currency, hourly=float(hourly or 0.0), as_of=said.get("as_of"))
