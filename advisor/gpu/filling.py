"""How full is a device, who fills it, and when will it be full?"""

import msgspec

from advisor.facts import ServiceFacts
from advisor.gpu.growth import Growth, growth_of
from advisor.gpu.holding import weights_bytes
from advisor.gpu.pool import AT_START
from advisor.gpu.view import GpuView, ServiceGpu
from advisor.view import View

OWN_PART = 0.5
"""Of the device's growth, at least, that is to be the service's for it to be the one that fills it."""
KEPT = (0.25, 2.0)
"""Growth / bytes that come in, at least and at most, of a model that is loaded: inputs of requests are not kept, and what an
allocator takes does not come in. Traffic is sampled on some devices, hence the second."""


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of one device, in bytes. `own`: of the service; None = the driver does not tell. `biggest_other`: of another
    process, or of all that is of nobody known. `growth`: of the device; `grows`: whether the service's own does so."""

    one: ServiceGpu
    usable: int
    used: int
    own: int | None
    biggest_other: int
    unknown: int
    growth: Growth | None
    grows: bool

    @property
    def ratio(self) -> float:
        return min(1.0, self.used / self.usable)

    @property
    def free(self) -> int:
        return max(0, self.usable - self.used)

    @property
    def full_in(self) -> tuple[float, float, float] | None:
        """Seconds until it is full, at the growth's 90 %, 50 % and 10 % points."""
        if self.growth is None:
            return None
        return self.free / self.growth.high, self.free / self.growth.likely, self.free / self.growth.low

    @property
    def holder(self) -> bool:
        """Whether nobody holds more of it than the service."""
        return self.own is not None and self.own >= self.biggest_other


def filling_of(one: ServiceGpu, view: View, facts: ServiceFacts) -> Filling | None:
    """None where the device's memory is not readable, or is the node's own."""
    gpu, usable, used = one.gpu, one.gpu.memory_usable_bytes, one.gpu.memory_used_bytes
    if usable is None or usable <= 0 or used is None or gpu.unified_memory:
        return None
    own = one.memory_bytes if one.memory_bytes is not None or not one.alone else used
    mine = {p.pid for p in one.own}
    others = [p.memory_bytes or 0 for p in gpu.processes if p.pid not in mine]
    unknown = 0 if one.alone else gpu.unknown_memory_bytes or 0
    growth = growth_of(gpu.memory_seen)
    if growth is not None and (loads(own, view, facts) or _comes_in(gpu, growth)):
        growth = None
    return Filling(
        one=one,
        usable=usable,
        used=used,
        own=own,
        biggest_other=max([*others, unknown], default=0),
        unknown=unknown,
        growth=growth,
        grows=growth is not None and (one.alone or _own_growth(one) >= OWN_PART * growth.likely),
    )


def _own_growth(one: ServiceGpu) -> float:
    """Bytes per second of those of its processes that grow."""
    return sum(found.likely for p in one.own if (found := growth_of(p.memory_seen)) is not None)


def loads(own: int | None, view: View, facts: ServiceFacts) -> bool:
    """Whether what grows is a model that is loaded: it answers nothing, holds less than the model's files, or is a server
    that takes memory at no other time."""
    stored = weights_bytes(facts.service.models)
    if view.requests_per_second == 0 or facts.service.framework in AT_START:
        return True
    return own is not None and stored is not None and own < stored


def _comes_in(gpu: GpuView, growth: Growth) -> bool:
    """Whether what it grows by comes in over PCIe, as weights do."""
    came = gpu.pcie_rx_bytes_per_second
    return came is not None and came > 0 and KEPT[0] <= growth.likely / came <= KEPT[1]


def asked_for(view: View) -> bool:
    """Whether there is any sign of requests: what grows without them is no leak of theirs."""
    if view.requests_per_second is not None:
        return view.requests_per_second > 0
    return bool(view.established) or any(view.accept_queue)
