"""How fast a model generates of which a part stays on the host."""

import msgspec
import pytest
from msgspec.structs import replace

from advisor.migration.alternatives import need_of
from advisor.migration.cpu import HostCpu
from advisor.migration.devices import GIB, Device, named
from advisor.migration.estimate import estimate
from advisor.migration.fit import Fit, Layers, fit
from advisor.migration.parameters import parameters_of
from advisor.migration.result import MigrationEstimate
from advisor.migration.split import HOP_SECONDS, HOPS, Split, read_bytes, split_of, token_seconds
from advisor.migration.spread import Spread
from advisor.migration.work import Work
from tests.advisor.migration.migrating import generating, known, market
from tests.advisor.migration.published import BY_ID, shape

HOST = HostCpu(flops=Spread.exactly(5e10), bytes_per_core=Spread.exactly(5e9), told_by="")
"""Eight cores of it: 40 GB/s."""
CORES = 8.0


def device(name: str = "T4") -> Device:
    found = named(name)
    assert found is not None
    return found


def work(**changes: object) -> Work:
    seen = generating()
    now = estimate(seen, known(seen), market(seen)).situation
    assert now is not None
    return replace(now.work, **changes)


def placed(count: int, layers: int = 32) -> Fit:
    return Fit(verdict="split", need=2e10, free=1e10, on_device=count, layers=layers)


def split(one: Work, count: int, host: HostCpu | None = HOST, on: Device | None = None) -> Split:
    found = split_of(one, placed(count), on or device(), host, CORES, "seed")
    assert found is not None
    return found


@pytest.mark.parametrize(("share", "faster"), [(0.5, 1.9), (0.8, 4.2), (0.9, 6.9), (0.95, 10.3), (1.0, 20.0)])
def test_what_stays_on_a_host_of_a_twentieth_of_the_bandwidth_decides_the_speed(share: float, faster: float):
    whole, host, there = 1e10, 5e10, 1e12
    all_on_host = token_seconds(0.0, whole, there, host)
    assert all_on_host / token_seconds(share * whole, (1 - share) * whole, there, host) == pytest.approx(
        faster, abs=0.05
    )


@pytest.mark.parametrize("count", [1, 16, 31])
def test_the_same_of_all_that_is_not_known_exactly(count: int):
    """The likely ratio is that of the formula, with 0.7 of either bandwidth; nobody reads the table of embeddings."""
    one = work()
    found = split(one, count)
    t4, own = 0.7 * 320e9, 0.7 * CORES * 5e9
    counted = parameters_of(shape(BY_ID["llama-3-8b"]))
    assert counted is not None
    layer = 2 * counted.layers / 32 + one.generation.read / 32
    assert found.device_bytes == pytest.approx(count * layer + 2 * counted.output)
    assert found.host_bytes == pytest.approx((32 - count) * layer)
    seconds = found.device_bytes / t4 + found.host_bytes / own
    seconds += HOPS * (4096 * 4 / (0.6 * 15.75e9) + HOP_SECONDS)
    assert found.tokens_per_second.p50 == pytest.approx(1 / seconds, rel=0.06)
    assert found.against_host.p50 == pytest.approx((found.device_bytes + found.host_bytes) / own / seconds, rel=0.06)
    assert found.tokens_per_second.p10 < found.tokens_per_second.p50 < found.tokens_per_second.p90


def test_each_layer_more_is_faster_and_the_same_seed_says_the_same():
    one = work()
    rates = [split(one, count).tokens_per_second.p50 for count in range(1, 32)]
    assert rates == sorted(rates)
    assert split(one, 16) == split(one, 16)


def test_a_token_reads_the_experts_that_it_uses_alone():
    counted = parameters_of(shape(BY_ID["mixtral-8x7b"]))
    assert counted is not None
    layers = Layers(count=32, layer=counted.layers / 32 / counted.total, output=counted.output / counted.total,
                    active=counted.active_layers / counted.layers, hidden=4096)  # fmt: skip
    one = work(layers=layers, weights=2.0 * counted.total)
    there, here = read_bytes(one, 20)
    assert there + here - one.generation.read == pytest.approx(2 * (counted.active_layers + counted.output))
    assert (there + here) / (2 * counted.total) < 0.3


def test_more_cores_read_faster_and_a_slow_link_costs_its_hops():
    one = work()
    few = split(one, 8)
    more = split_of(one, placed(8), device(), HOST, 2 * CORES, "seed")
    assert more is not None
    assert more.tokens_per_second.p50 > 1.5 * few.tokens_per_second.p50
    tiny = replace(one, weights=1e6)
    assert split(tiny, 8).tokens_per_second.p50 < 1 / (HOPS * HOP_SECONDS)


def test_what_gives_no_speed():
    one = work()
    assert split_of(one, Fit(verdict="fits", need=1, free=2), device(), HOST, CORES, "") is None
    assert split_of(one, Fit(verdict="no room", need=2, free=1), device(), HOST, CORES, "") is None
    assert split_of(one, placed(8), device(), None, CORES, "") is None
    assert split_of(one, placed(8), device(), HOST, 0.0, "") is None
    assert split_of(replace(one, layers=None), placed(8), device(), HOST, CORES, "") is None
    once = replace(one.generation, steps=1.0)
    assert split_of(replace(one, generation=once), placed(8), device(), HOST, CORES, "") is None


def test_it_stands_beside_the_device_that_is_too_small():
    seen = generating()
    t4, l4 = estimate(seen, known(seen), market(seen, "T4", "L4")).devices
    body = msgspec.json.encode(estimate(seen, known(seen), market(seen, "T4")))
    assert msgspec.json.decode(body, type=MigrationEstimate).devices == (t4,), "as an agent tells it over HTTP"
    assert (t4.fit.verdict, l4.fit.verdict, l4.split) == ("split", "fits", None)
    assert t4.split is not None
    assert (t4.split.on_device, t4.split.layers) == (t4.fit.on_device, 32)
    assert 1 < t4.split.against_host.p10 < t4.split.against_host.p50 < t4.split.against_host.p90 < 16


def test_layers_that_were_placed_fit_with_what_they_hold():
    one = work()
    assert one.layers is not None
    for free in (8, 12, 15):
        found = fit(need_of(one), free * GIB, one.layers)
        assert found.on_device is not None
        held = (one.layers.output + found.on_device * one.layers.layer) * one.weights
        held += found.on_device / 32 * one.generation.held
        assert held + 0.2 * one.weights + 1.65 * GIB <= free * GIB
        assert (
            held + one.layers.layer * one.weights + 0.2 * one.weights + 1.65 * GIB + one.generation.held / 32
            > free * GIB
        )
