"""Should the work of a service move to a device? The estimate, its price, whether it fits, and the verdict with its reason."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from advisor.capacity import capacity_of
from advisor.facts import ServiceFacts
from advisor.finding import Need as Missing
from advisor.gpu.pool import AT_START
from advisor.migration.alternatives import Alternative, alternatives, need_of
from advisor.migration.another_load import tail_of
from advisor.migration.cpu import HostCpu
from advisor.migration.devices import Device
from advisor.migration.fit import Fit, fit
from advisor.migration.here import ways_here
from advisor.migration.money import DevicePrice, break_even, per_1000_at, per_1000_at_capacity, per_million
from advisor.migration.offload import ENOUGH_SAMPLES
from advisor.migration.pricing import price_named
from advisor.migration.result import UNVALIDATED, Costs, DeviceEstimate, MigrationEstimate, Situation, TokenCosts
from advisor.migration.served_in import computed_in
from advisor.migration.simulate import Simulated, simulate
from advisor.migration.split import split_of
from advisor.migration.spread import Percentiles
from advisor.migration.verdict import verdict_of
from advisor.migration.vram_calibration import Correction, Key
from advisor.migration.vram_observed import cache_of, key_of
from advisor.migration.work import Work, work_of
from advisor.prices import NodePrice
from advisor.service_demand import effective_cores
from advisor.view import View

IDLE_BUSY = 0.05
"""Busy workers below which there is nothing to speed up."""
ASSUMED = (
    "one process on the device; the same requests as now; those that come while a batch is computed wait "
    "for its end, of a model that generates for the end of a token; none waits on purpose until a batch is full"
)
MEASURED_IN = (None, "fp16")
"""What is supposed where the devices that were measured tell how good it is."""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """What a service may move to: devices, bytes that are free on those of them that are here, and prices, by name of device.
    `host`: the node's own CPUs. `left_out`: GPUs that are here and cannot be judged, with why."""

    devices: tuple[Device, ...] = ()
    free: Mapping[str, int | None] = {}
    prices: Mapping[str, DevicePrice] = {}
    host: HostCpu | None = None
    left_out: tuple[str, ...] = ()
    seen: Mapping[Key, Correction] = {}
    """What models of a kind hold of devices / what is predicted of them."""


def estimate(view: View, facts: ServiceFacts, market: Market) -> MigrationEstimate:
    """Of a service on CPUs, for each of the devices."""
    found = situation_of(view, facts, market.host)
    if not isinstance(found, Situation):
        return MigrationEstimate(service=view.service.name, needs=found)
    here = ways_here(view, facts, found.work, market.host) if market.host is not None else ()
    key = key_of(facts)
    seen = market.seen.get(key) if key is not None else None
    if key is not None and seen is not None:
        work = replace(found.work, memory_ratio=seen.ratio, told=(*found.work.told, seen.told(key)))
        found = replace(found, work=work)
    return replace(on_devices(found, market), here=here)


def on_devices(now: Situation, market: Market) -> MigrationEstimate:
    derived = tuple(device for device in market.devices if device.derived)
    return MigrationEstimate(
        service=now.service,
        situation=now,
        devices=tuple(_on(now, device, market) for device in market.devices),
        derived=derived,
        stated=tuple(device for device in market.devices if device.stated),
        prices=dict(market.prices),
        left_out=market.left_out,
        assumes=(_assumed(now), *now.work.told, *(f"{one.name}: {one.sources[0]}" for one in derived)),
    )


def situation_of(view: View, facts: ServiceFacts, host: HostCpu | None) -> Situation | Missing:
    """What is missing where it cannot be told."""
    if not view.demand or sum(view.demand) / len(view.demand) < IDLE_BUSY:
        return Missing(kind="load", text="requests that keep its workers busy")
    work = work_of(view, facts.profile, host)
    if not isinstance(work, Work):
        return work or Missing(kind="load", text="requests that are answered")
    capacity = capacity_of(view, facts)
    whole = capacity.n_workers_per_second if capacity is not None else None
    found = Situation(
        service=view.service.name,
        service_id=view.service.id,
        work=_with_its_cache(work, view, facts),
        cores=effective_cores(view),
        configured_per_second=None if whole is None else whole.per_second,
        latency_seconds=view.latency_p99_seconds or view.latency_seconds,
        slo_p99_seconds=facts.slo_p99_seconds,
        price=facts.price,
        host=host,
    )
    slow = view.latency_p99_seconds
    return found if slow is None else replace(found, tail=tail_of(found, slow))


def _with_its_cache(work: Work, view: View, facts: ServiceFacts) -> Work:
    """Of servers that reserve it, all of the cache that they are set to, however little of it is used."""
    reserved = cache_of(view, facts) if facts.service.framework in AT_START else None
    if reserved is None or reserved <= work.generation.held:
        return work
    return replace(work, generation=replace(work.generation, held=reserved))


def _on(now: Situation, device: Device, market: Market) -> DeviceEstimate:
    precision = computed_in(now.precision, device)
    seed = f"{now.service_id} {device.name}"
    simulated = simulate(
        now.work,
        device,
        precision,
        now.cores,
        now.configured_per_second,
        now.slo_p99_seconds,
        seed,
        now.tail,
        now.batch,
    )
    price = price_named(device.name, market.prices)
    placed = _fit(now.work, device, market.free.get(device.name))
    costs = _costs(now.work, simulated, now.price, price)
    forms = alternatives(now.work, device, now.host, placed.free)
    verdict, reasons, flips = verdict_of(now, simulated, placed, _smaller(forms), costs, _unpriced(now.price, price))
    sure = now.work.exact and now.work.part.samples >= ENOUGH_SAMPLES and device.name in market.free
    return DeviceEstimate(
        device=device.name,
        present=device.name in market.free,
        grade="B" if sure else "C",
        verdict=verdict,
        reasons=reasons,
        flips=flips,
        fit=placed,
        simulated=simulated,
        ceiling=max(now.work.part.ceiling, simulated.ceiling if simulated is not None else 0.0),
        costs=costs,
        precision=precision or now.precision or "fp16",
        split=split_of(now.work, placed, device, now.host, now.cores, seed),
        alternatives=forms,
        validated=device.measured is not None and now.precision in MEASURED_IN,
        note=_note(now, device),
    )


def _assumed(now: Situation) -> str:
    if now.precision is None:
        return f"computed in 16 bits; {ASSUMED}"
    return f"served in {now.precision}, whose answers have to be measured; {ASSUMED}"


def _note(now: Situation, device: Device) -> str:
    if device.measured is None or now.precision in MEASURED_IN:
        return device.measured or UNVALIDATED
    return f"not validated in {now.precision}: measured in 16 bits"


def _fit(work: Work, device: Device, free: int | None) -> Fit:
    return fit(need_of(work), device.memory_bytes if free is None else free, work.layers)


def _smaller(forms: Sequence[Alternative]) -> tuple[str, ...]:
    """Those in which it would fit the device, and which that multiplies."""
    fitting = (form for form in forms if form.device and form.verdict == "fits")
    return tuple(f"weights in {form.form}: {form.need / 1e9:.1f} GB (measure its quality first)" for form in fitting)


def _unpriced(node: NodePrice | None, device: DevicePrice | None) -> str:
    """What would let costs be told, where they are not."""
    if node is None or device is None:
        return "prices of the node and of the device"
    if node.currency != device.currency:
        return f"prices in one currency: the node's is in {node.currency}, the device's in {device.currency}"
    return "a price of the node above 0"


def _costs(work: Work, simulated: Simulated | None, node: NodePrice | None, device: DevicePrice | None) -> Costs | None:
    if simulated is None or node is None or device is None or node.currency != device.currency or not node.hourly:
        return None
    now, rates = simulated.cpu_per_second, simulated.per_second
    ends = (rates.p90, rates.p50, rates.p10)
    at_load = per_1000_at(work.per_second, node.hourly, now.p50)
    moved = Percentiles(*(per_1000_at(work.per_second, device.hourly, rate) for rate in ends))
    even = [
        break_even(node.hourly, cpu, device.hourly, rate)
        for cpu, rate in ((now.p10, rates.p90), (now.p50, rates.p50), (now.p90, rates.p10))
    ]
    known = [value for value in even if value is not None]
    found = Costs(
        currency=node.currency,
        at_capacity=per_1000_at_capacity(node.hourly, now.p50),
        at_capacity_moved=Percentiles(*(per_1000_at_capacity(device.hourly, rate) for rate in ends)),
        at_load=at_load,
        at_load_moved=moved,
        ratio=Percentiles(moved.p10 / at_load, moved.p50 / at_load, moved.p90 / at_load),
        break_even_per_second=Percentiles(*known) if len(known) == len(even) else None,
    )
    prompt, generated = work.prompt_tokens, work.generated_tokens
    return replace(
        found,
        generated_tokens=_of_tokens(found, generated),
        all_tokens=_of_tokens(found, None if prompt is None or generated is None else prompt + generated),
    )


def _of_tokens(costs: Costs, tokens: float | None) -> TokenCosts | None:
    """`tokens`: of a request."""
    if not tokens:
        return None
    capacity, load = costs.at_capacity_moved, costs.at_load_moved
    return TokenCosts(
        at_capacity=per_million(costs.at_capacity, tokens),
        at_capacity_moved=Percentiles(
            *(per_million(one, tokens) for one in (capacity.p10, capacity.p50, capacity.p90))
        ),
        at_load=per_million(costs.at_load, tokens),
        at_load_moved=Percentiles(*(per_million(one, tokens) for one in (load.p10, load.p50, load.p90))),
    )
