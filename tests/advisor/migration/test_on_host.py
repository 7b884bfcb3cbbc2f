"""The roofline on the host by numbers, and what a service leaves a device to do."""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.migration.cpu import HostCpu
from advisor.migration.of_device import Leaving, cores_left, leaving, operations_of
from advisor.migration.on_host import BESIDE_PRODUCTS, Asked, on_host
from advisor.migration.spread import Spread
from advisor.trend import Stretches
from advisor.view import PageView, View
from tests.advisor.built import quota
from tests.advisor.migration.leaving import CORES, LOAD, VIT, card, idle, resnet, transformer
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
    image = operations_of((resnet(),))
    assert image is not None
    assert image[1] == "an input of ResNet-50"
    assert image[0].mode == pytest.approx(8.18e9, rel=0.01)
    patches = operations_of((transformer(VIT, "ViTForImageClassification"),))
    assert patches is not None
    assert patches[1] == "an image of 197 patches"
    assert patches[0].mode == pytest.approx(2 * 197 * 85.8e6, rel=0.02)
    longest = operations_of((transformer(),))
    assert longest is not None
    assert longest[1] == "at most 512 tokens of bert"
    assert longest[0] == Spread.exactly(2 * 512 * 85_054_464)


def test_the_tokens_of_this_moment_change_nothing():
    seen = idle(model=transformer())
    talking = replace(seen, tokens_in_per_second=120.0, requests_per_second=4.0)
    assert left(talking) == left(seen)
    assert left(seen).asked.operations.mode == 2 * 512 * 85_054_464


def test_what_keeps_the_device_busy_is_computed_at_a_twentieth_of_its_peak_at_least():
    """9 % of the time at 0.1 requests a second are 0.9 s each: at 0.05 of 8.1 Tflop/s 364 Gflop, not the 8.2 of headers."""
    found = left(idle(card(day_busy_mean=0.09), most=0.8))
    assert found.device_seconds == pytest.approx(0.9, rel=0.01)
    assert found.asked.operations.mode == pytest.approx(0.9 * 0.05 * 8.1e12, rel=0.01)
    assert found.asked.operations.low == found.asked.operations.high
    assert found.told == "an input of ResNet-50, and of more by the device's busy time"


def test_requests_that_are_computed_together_take_as_many_times_longer():
    one = left(idle())
    four = left(replace(idle(), batch_size=4.0))
    assert (four.rows, four.asked.operations.mode) == (4.0, 4 * one.asked.operations.mode)
    assert four.device_seconds == pytest.approx(4 * one.device_seconds)
    page = PageView(age_seconds=200.0, seconds=10.0, batch_size=8.0)
    assert left(replace(idle(), pages=(page,), batch_size=1.0)).rows == 8.0


def test_a_device_whose_rate_nobody_knows_leaves_a_question():
    need = leaving(idle(), card(name="Unheard Of 9000"))
    assert isinstance(need, Need)
    assert "how fast" in need.text


def test_requests_of_less_time_than_the_devices_cannot_be_held_against_its_busy_time():
    usual = steady(0.05, per_second=0.5, latency=0.02)
    for minutes, told in ((20 * 60, True), (19 * 60, False)):
        assert (leaving(past(idle(), [usual], [usual] * minutes), card()) is not None) is told


def test_what_no_header_tells_is_missing():
    nameless = transformer(replace(BERT, family="unheard-of"))
    assert operations_of((nameless,)) is None
    seen = idle(model=nameless)
    need = leaving(seen, card())
    assert isinstance(need, Need)
    assert "what its model computes" in need.text


def test_the_busiest_minute_counts_twice_and_what_was_busier_in_the_week():
    assert left(idle()).asked.per_second == 2 * LOAD, "assumed of the seconds within it"
    assert left(idle()).burst == 2.0
    assert left(idle(card(week_busiest_ratio=0.15))).asked.per_second == pytest.approx(2.5 * 2 * LOAD)
    assert left(idle()).hours == 168.0
    assert left(idle(days=2)).hours == 48.0


@pytest.mark.parametrize(("day", "week"), [(None, 0.06), (0.06, None), (0.0, 0.3), (0.004, 0.3)])
def test_a_day_that_says_nothing_of_the_weeks_busiest_minute_tells_no_most(day: float | None, week: float | None):
    assert leaving(idle(), card(day_busiest_ratio=day, week_busiest_ratio=week)) is None
    assert left(idle(card(day_busiest_ratio=0.0, week_busiest_ratio=0.0))).asked.per_second == 2 * LOAD


def test_a_burst_within_a_minute_is_remembered_when_its_slices_are_gone():
    """In its busiest second the workers were ten times busier than in that minute's mean of one a second."""
    usual = steady(0.02, per_second=0.5, latency=0.02)
    burst = steady(0.05, per_second=1.0, peak=0.5, latency=0.02)
    for place in (10, 1400):
        minutes = [usual] * 1440
        minutes[place] = burst
        found = left(on_card(past(idle(), [usual], minutes), idle()))
        assert found.asked.per_second == pytest.approx(10.0)
        assert found.burst == pytest.approx(10.0)


def test_what_the_host_does_besides():
    assert left(idle()).asked.besides == pytest.approx(0.02)
    assert left(idle()).latency == "mean"
    unknown = left(idle(latency=None))
    assert unknown.asked.besides == pytest.approx(0.4 / LOAD), "CPU time of a request at the most"
    assert unknown.latency == "not known"
    seen = idle(card(hours=1.0))
    tail = [{**steady(0.05, per_second=1.0, latency=0.02), "latency_p99_seconds": 0.07}] * 60
    found = left(on_card(past(seen, tail, tail), seen))
    assert (found.asked.besides, found.latency) == (pytest.approx(0.07), "99 of 100")


def test_tables_of_a_day_are_read_once_a_minute(monkeypatch: pytest.MonkeyPatch):
    seen = idle()
    first, read = left(seen), []
    monkeypatch.setattr(Stretches, "table", lambda *a, **k: read.append(a))
    monkeypatch.setattr(Stretches, "values", lambda *a, **k: read.append(a))
    assert left(seen) == first
    assert read == []


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
