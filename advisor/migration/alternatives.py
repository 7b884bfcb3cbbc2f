"""In which forms of fewer bits would a model fit a device, and do the device and these CPUs multiply them?"""

import msgspec

from advisor.migration.cpu import HostCpu
from advisor.migration.devices import Device
from advisor.migration.fit import Need, Verdict, fit
from advisor.migration.precisions import FEWER_BITS, Stored, on_device
from advisor.migration.work import Work

EIGHT_BITS = 8.5
"""Of a weight with its scale, at most, for products of 8 bits."""


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Weights of fewer bits than those that are stored. `need`: bytes with caches, working memory and context; `layers`: that
    go in where it is split. `device`, `host`: whether that hardware multiplies them without emulation; `host` None = not
    known of these CPUs. What it does to the answers has to be measured."""

    form: str
    bits: float
    weights: float
    need: float
    verdict: Verdict
    layers: int | None
    device: bool
    host: bool | None


def alternatives(work: Work, device: Device, host: HostCpu | None, free: float) -> tuple[Alternative, ...]:
    """The least harmful first; none where it is not known how many bits a weight has."""
    if work.bits is None:
        return ()
    return tuple(_of(form, work, work.bits, device, host, free) for form in FEWER_BITS if form.bits < work.bits)


def _of(form: Stored, work: Work, bits: float, device: Device, host: HostCpu | None, free: float) -> Alternative:
    need = need_of(work, form.bits / bits)
    placed = fit(need, free, work.layers)
    return Alternative(
        form=form.name,
        bits=form.bits,
        weights=need.weights,
        need=need.total,
        verdict=placed.verdict,
        layers=placed.on_device,
        device=on_device(form, device),
        host=_on_host(form, host),
    )


def need_of(work: Work, part: float = 1.0) -> Need:
    """Bytes of one process of it. `part`: of the weights as they are stored; what was seen of these lowers no other form."""
    ratio = work.memory_ratio if part == 1 else max(1.0, work.memory_ratio)
    return Need(weights=work.weights * part, cache=work.generation.held, ratio=ratio)


def _on_host(form: Stored, host: HostCpu | None) -> bool | None:
    """Fewer bits than 8 are widened to 8 on the way, as by llama.cpp; of 8-bit floats no CPU known here makes products."""
    if host is None or form.bits > EIGHT_BITS:
        return None
    return form.computed != "fp8" and host.int8 is not None
