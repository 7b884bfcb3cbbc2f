"""Of whatever host: no request gets faster than what stays on the host allows, and no device answers more than that does."""

from math import exp, log

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.migration.devices import Device, catalogue
from advisor.migration.estimate import Market, estimate, on_devices
from advisor.migration.fit import Layers
from advisor.migration.generation import Generation
from advisor.migration.offload import Offloadable
from advisor.migration.result import Situation
from advisor.migration.simulate import ALL_CORES
from advisor.migration.spread import Spread
from tests.advisor.migration.migrating import encoder, known, market

SEEN = encoder()
NOW = estimate(SEEN, known(SEEN), market(SEEN)).situation
HAIR = 1e-6


def positive(low: float, high: float) -> st.SearchStrategy[float]:
    """Over orders of magnitude."""
    return st.floats(log(low), log(high)).map(exp)


spreads = st.tuples(positive(1e3, 1e15), st.floats(1, 30), st.floats(1, 30)).map(
    lambda one: Spread(one[0] / one[1], one[0], one[0] * one[2])
)
shares = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(lambda one: Spread(*sorted(one)))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    assert NOW is not None
    cpu = draw(positive(1e-5, 1e3))
    part = Offloadable(share=draw(shares), needless=draw(st.floats(0, 0.9)), trees=draw(st.floats(0, 1)), samples=4000)
    weights = draw(positive(1e4, 1e12))
    layers = Layers(count=draw(st.integers(1, 200)), layer=1e-3, output=draw(st.floats(0, 0.3)), active=draw(st.floats(0, 1)),
                    hidden=draw(st.integers(0, 20_000)))  # fmt: skip
    work = replace(
        NOW.work,
        family=draw(st.sampled_from(["transformer", "convolutional", "trees", "linear", "other"])),
        per_second=draw(positive(1e-3, 1e5)),
        cpu_seconds=cpu,
        wall_seconds=cpu / draw(st.floats(1, 128)),
        part=part,
        flops=draw(spreads),
        weights=weights,
        bits=draw(st.sampled_from([None, 4.5, 8.0, 16.0, 32.0])),
        layers=draw(st.sampled_from([None, layers])),
        generation=Generation(steps=draw(positive(1, 5e3)), read=draw(positive(1, 1e10)), held=draw(positive(1, 1e11))),
        activations=draw(spreads),
        moved=draw(spreads),
        calling=draw(shares),
        launches=draw(spreads.map(lambda one: one.times(1e-3))),
        memory_ratio=draw(positive(0.2, 5)),
    )
    return replace(
        NOW,
        work=work,
        cores=draw(positive(0.01, 256)),
        slo_p99_seconds=draw(st.none() | positive(1e-4, 10)),
        configured_per_second=draw(st.none() | positive(1e-3, 1e5)),
    )


@settings(max_examples=60, deadline=None)
@given(now=situations(), device=st.sampled_from(catalogue()))
def test_nothing_beyond_what_stays_on_the_host(now: Situation, device: Device):
    (found,) = on_devices(now, Market(devices=(device,))).devices
    rest = max(1e-3, 1 - now.work.part.share.high)
    assert now.work.part.ceiling * rest <= 1 + HAIR
    batch = 1 if found.simulated is None else found.simulated.batch
    calling = min(rest, now.work.calling.high)
    assert found.ceiling * (rest - calling * (1 - 1 / batch)) <= 1 + 1e-2
    assert found.reasons
    if found.verdict in ("candidate", "possible"):
        assert now.work.family not in ("trees", "linear")
        assert found.fit.verdict in ("fits", "tight")
    if found.simulated is None:
        return
    assert 1 / found.simulated.latency.p10 <= now.work.part.ceiling * (1 + HAIR)
    assert found.simulated.throughput.p90 <= found.ceiling * (1 + HAIR)
    assert found.simulated.per_second.p90 <= ALL_CORES.high * now.cores * found.ceiling / now.work.cpu_seconds * (
        1 + HAIR
    )
    for ratio in (found.simulated.latency, found.simulated.throughput, found.simulated.per_second):
        assert 0 < ratio.p10 <= ratio.p50 <= ratio.p90 < float("inf")
    if found.split is not None:
        assert now.host is not None
        rate, read = found.split.tokens_per_second, found.split
        assert 0 < rate.p10 <= rate.p50 <= rate.p90
        assert rate.p90 * read.device_bytes <= device.bandwidth_bytes
        assert rate.p90 * read.host_bytes <= now.cores * now.host.bytes_per_core.high
        assert 0 < found.split.against_host.p10 <= found.split.against_host.p90
