"""What is said of moving a service's work: for each device whether it fits, how fast, at what cost, and the verdict."""

from typing import Literal

import msgspec

from advisor.finding import Need as Missing
from advisor.migration.alternatives import Alternative
from advisor.migration.cpu import HostCpu
from advisor.migration.devices import Device, Precision
from advisor.migration.fit import Fit
from advisor.migration.forms import Way
from advisor.migration.money import DevicePrice
from advisor.migration.simulate import Simulated
from advisor.migration.split import Split
from advisor.migration.spread import Percentiles
from advisor.migration.work import Work
from advisor.prices import NodePrice

UNVALIDATED = "not validated: no such device was measured"
Verdict = Literal["candidate", "possible", "not worth it", "does not fit"]
Grade = Literal["B", "C"]


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A service on CPUs as it is seen now: all that an estimate for a device rests on."""

    service: str
    service_id: str
    work: Work
    cores: float
    """That are left for it."""
    configured_per_second: float | None
    """The most it can answer as it is set; None = not known."""
    latency_seconds: float | None
    """Its 99 % point, else its mean."""
    slo_p99_seconds: float | None
    price: NodePrice | None
    host: HostCpu | None = None
    """The node's CPUs."""
    tail: float = 1.0
    """What a slow request takes by itself / the mean one, as the 99 % point tells; 1 where that is not known."""
    batch: int | None = None
    """Requests that the device computes at a time; None = as many as the latency that is wanted allows."""
    precision: Precision | None = None
    """In which it is supposed to be served there; None = in 16 bits."""


class TokenCosts(msgspec.Struct, frozen=True, kw_only=True):
    """Of a million tokens, as `Costs` of requests."""

    at_capacity: float
    at_capacity_moved: Percentiles
    at_load: float
    at_load_moved: Percentiles


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Of 1000 requests, now and moved: at capacity and at the load that is seen. `ratio`: at that load, after / before."""

    currency: str
    at_capacity: float
    at_capacity_moved: Percentiles
    at_load: float
    at_load_moved: Percentiles
    ratio: Percentiles
    break_even_per_second: Percentiles | None
    """None: at no load is the device cheaper."""
    generated_tokens: TokenCosts | None = None
    """Of those alone; None: the server's page does not count them, or none is generated."""
    all_tokens: TokenCosts | None = None
    """Of those of prompts and generated ones; None: one of the two is not counted."""


class DeviceEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """`present`: it is in this node. `ceiling`: no device makes a request faster than that, nor answers as many
    times more of them in such batches (Amdahl). `grade`: B with a profile
    of 2000 samples, sizes from headers and the device present; C else. `flips`: what would change the verdict. `split`: how
    fast it generates with the layers on it that go in, where not all do; `alternatives`: in fewer bits."""

    device: str
    present: bool
    grade: Grade
    verdict: Verdict
    reasons: tuple[str, ...]
    flips: tuple[str, ...]
    fit: Fit
    simulated: Simulated | None
    ceiling: float
    costs: Costs | None
    precision: Precision
    split: Split | None = None
    alternatives: tuple[Alternative, ...] = ()
    validated: bool = False
    """Whether what is said of such a device was held against one, with other models; `note` says how that came out."""
    note: str = UNVALIDATED


class MigrationEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """Of one service. `needs`: what is missing to tell; the rest is empty then. `derived`: those of the devices that the
    catalogue does not have, as this node's driver tells of them. `left_out`: GPUs of the node that cannot be judged, with
    why. `stated`: of which the owner says what they can do. `prices`: of nodes with devices, by name, as the owner says."""

    service: str
    needs: Missing | None = None
    situation: Situation | None = None
    devices: tuple[DeviceEstimate, ...] = ()
    derived: tuple[Device, ...] = ()
    stated: tuple[Device, ...] = ()
    prices: dict[str, DevicePrice] = {}
    left_out: tuple[str, ...] = ()
    here: tuple[Way, ...] = ()
    """Other forms of the model on the CPUs that it is on."""
    assumes: tuple[str, ...] = ()
