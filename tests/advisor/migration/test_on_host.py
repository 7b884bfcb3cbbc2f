"""The roofline on the host by numbers, and what a service leaves a device to do."""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.migration.cpu import HostCpu
from advisor.migration.of_device import Leaving, cores_left, leaving, operations_of
from advisor.migration.on_host import BESIDE_PRODUCTS, Asked, on_host
from advisor.migration.spread import Spread
from advisor.view import View
from tests.advisor.built import quota
from tests.advisor.migration.leaving import CORES, LOAD, VIT, card, idle, transformer
from tests.advisor.migration.migrating import BERT
from tests.advisor.trends_built import past, steady

GIGA = 1e9
EXACT = HostCpu(flops=Spread.exactly(50 * GIGA), bytes_per_core=Spread.exactly(10 * GIGA), int8=None, told_by="a test")
"""50 Gflop/s and 10 GB/s a core."""


def asked(
    operations: float = 10 * GIGA, weights: float = 0.1 * GIGA, rate: float = 1.0, besides: float = 0.01
) -> Asked:
    return Asked(operations=Spread.exactly(operations), weights=weights, per_second=rate, besides=besides)


def test_one_core_computes_as_fast_as_it_does():
    found = on_host(asked(), EXACT, 1, "seed")
    assert found is not None
    assert found.binding == "compute"
    least, most = 0.2 * BESIDE_PRODUCTS.low, 0.2 * BESIDE_PRODUCTS.high  # 10 Gflop at 50 Gflop/s
    assert least <= found.seconds.p10 <= found.seconds.p50 <= found.seconds.p90 <= most
    assert found.seconds.p50 == pytest.approx(0.2 * 1.42, rel=0.03)
    assert found.busy.p50 == pytest.approx(found.seconds.p50), "at one a second"


def test_more_cores_are_worth_less_and_less():
    seconds = [
        found.seconds.p50 for n in (1, 4, 16, 64) if (found := on_host(asked(weights=0), EXACT, n, "s")) is not None
    ]
    speedups = [seconds[0] / one for one in seconds]
    assert speedups[1] == pytest.approx(3.5, abs=0.2)
    assert speedups[2] == pytest.approx(9, abs=1.5)
    assert speedups[3] < 25


def test_weights_that_no_core_reads_fast_enough_bind():
    found = on_host(asked(operations=GIGA, weights=8 * GIGA), EXACT, 8, "seed")
    assert found is not None
    assert (found.binding, found.seconds.p10, found.seconds.p90) == ("memory bandwidth", 0.1, 0.1)


def test_the_tail_has_what_is_there_now_the_pass_and_the_wait():
    """0.1 s each: five a second keep the cores busy by half, and one in a hundred waits 7.82 times as long as it takes."""
    one = asked(operations=GIGA, weights=8 * GIGA, rate=5.0)
    found = on_host(one, EXACT, 8, "seed")
    assert found is not None
    assert found.busy.p50 == pytest.approx(0.5)
    assert found.p99.p90 == pytest.approx(0.01 + 0.1 + 0.1 * 7.824, rel=1e-3)
    alone = on_host(replace(one, per_second=0.01), EXACT, 8, "seed")
    assert alone is not None
    assert alone.p99.p90 == pytest.approx(0.11)


def test_more_than_the_cores_can_do_is_seen_as_that():
    found = on_host(asked(operations=GIGA, weights=8 * GIGA, rate=50.0), EXACT, 8, "seed")
    assert found is not None
    assert found.busy.p10 == pytest.approx(5.0)
    assert found.p99.p50 > 20


def test_without_a_core_there_is_no_answer_and_the_same_seed_gives_the_same():
    assert on_host(asked(), EXACT, 0, "seed") is None
    assert on_host(asked(), EXACT, -2, "seed") is None
    assert on_host(asked(), EXACT, 4, "a") == on_host(asked(), EXACT, 4, "a") != on_host(asked(), EXACT, 4, "b")


def left(seen: View) -> Leaving:
    found = leaving(seen, seen.gpus[0].gpu)
    assert isinstance(found, Leaving), found
    return found


def test_operations_of_a_known_net_of_an_image_and_of_a_text():
    image = operations_of(idle())
    assert image is not None
    assert image[1] == "an input of ResNet-50"
    assert image[0].mode == pytest.approx(8.18e9, rel=0.01)
    patches = operations_of(idle(model=transformer(VIT, "ViTForImageClassification")))
    assert patches is not None
    assert patches[1] == "an image of 197 patches"
    assert patches[0].mode == pytest.approx(2 * 197 * 85.8e6, rel=0.02)
    longest = operations_of(idle(model=transformer()))
    assert longest is not None
    assert longest[1] == "at most 512 tokens of bert"
    assert longest[0] == Spread.exactly(2 * 512 * 85_054_464)


def test_counted_tokens_are_the_mean_and_the_slow_requests_have_more():
    seen = idle(model=transformer(), tokens_in_per_second=320.0, requests_per_second=4.0)
    found = operations_of(seen)
    assert found is not None
    assert found[1] == "80 tokens of bert on average"
    each = 2 * 85_054_464
    assert (found[0].low, found[0].mode, found[0].high) == (72 * each, 80 * each, 320 * each)
    many = operations_of(replace(seen, tokens_in_per_second=1200.0))
    assert many is not None
    assert many[0].high == 512 * each, "no more than its context"


def test_what_no_header_tells_is_missing():
    nameless = transformer(replace(BERT, family="unheard-of"))
    assert operations_of(idle(model=nameless)) is None
    seen = idle(model=nameless)
    need = leaving(seen, card())
    assert isinstance(need, Need)
    assert "what its model computes" in need.text


def test_the_busiest_minute_counts_and_what_was_busier_in_the_week():
    assert left(idle()).asked.per_second == LOAD
    assert left(idle(card(week_busiest_ratio=0.15))).asked.per_second == pytest.approx(2.5 * LOAD)
    assert left(idle(card(week_busiest_ratio=None))).asked.per_second == LOAD
    assert left(idle()).hours == 168.0
    assert left(idle(days=2)).hours == 48.0


def test_what_the_host_does_besides():
    assert left(idle()).asked.besides == pytest.approx(0.02)
    assert left(idle(latency=None)).asked.besides == pytest.approx(0.4 / LOAD), "CPU time of a request at the most"
    seen = idle()
    tail = [{**steady(0.05, per_second=1.0, latency=0.02), "latency_p99_seconds": 0.07}] * 60
    assert left(on_card(past(seen, tail, tail), seen)).asked.besides == pytest.approx(0.07)


def on_card(changed: View, seen: View) -> View:
    return replace(changed, gpus=seen.gpus)


def test_cores_that_others_use_in_any_hour_are_not_left():
    assert cores_left(idle()) == pytest.approx(CORES - 1 - 0.4, abs=0.01), "one for others, 0.4 for itself at the most"
    assert cores_left(idle(others=10.0)) == pytest.approx(CORES - 10.4, abs=0.01)
    hour = steady(0.05, per_second=0.5, others=12.0)
    seen = idle()
    assert cores_left(past(seen, (), [steady(0.05, per_second=0.5)], [hour])) == pytest.approx(CORES - 12.05, abs=0.01)
    assert cores_left(idle(cgroup=quota(4.0))) == pytest.approx(3.6, abs=0.01)


def test_a_service_that_nobody_asked_leaves_nothing_to_do():
    seen = idle(most=0.0)
    assert leaving(seen, card()) is None


def test_requests_that_nothing_counts_are_missing():
    untold = steady(0.05, latency=0.02)
    need = leaving(past(idle(), [untold], [untold] * 60), card())
    assert isinstance(need, Need)
    assert "how many requests" in need.text
