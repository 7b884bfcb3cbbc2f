"""What would a node cost without its device, of what it costs with it?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.view import GpuView
from advisor.migration.present import device_here
from advisor.migration.pricing import price_of
from advisor.prices import NodePrice


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of an hour. `stated`: the owner says what it costs without the device; else that of the node is taken for it."""

    currency: str
    without: float
    with_it: float
    stated: bool

    @property
    def ratio(self) -> float:
        return self.without / self.with_it


def saving_of(gpu: GpuView, facts: ServiceFacts) -> Saving | None:
    """Where the price without it is stated, the node's own is that with it, and so is that of a node with such a device: of two
    that are higher the lower one counts. Where it is not stated, the node's own is that without, unless it is no less than that
    of a node with such a device. None where one is not known, or costs nothing."""
    with_device = price_of(device_here(gpu, None, facts.stated_devices), gpu, facts.device_prices)
    bare = facts.price_without_device or facts.price
    if bare is None or bare.hourly <= 0:
        return None
    priced = [] if with_device is None or with_device.currency != bare.currency else [with_device.hourly]
    if facts.price_without_device is None:
        return _saving(bare, priced[0], stated=False) if priced and bare.hourly < priced[0] else None
    if facts.price is not None and facts.price.currency == bare.currency:
        priced.append(facts.price.hourly)
    if not priced or max(priced) <= 0:
        return None
    with_it = min((one for one in priced if one > bare.hourly), default=max(priced))
    return _saving(bare, with_it, stated=True)


def _saving(bare: NodePrice, with_it: float, *, stated: bool) -> Saving:
    return Saving(currency=bare.currency, without=bare.hourly, with_it=with_it, stated=stated)
