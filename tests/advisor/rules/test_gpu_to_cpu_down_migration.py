"""R49 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Need, Severity
from advisor.migration.cpu import host_cpu
from advisor.migration.devices import Device
from advisor.migration.money import DevicePrice
from advisor.migration.of_device import Leaving, leaving
from advisor.migration.on_host import on_host
from advisor.prices import NodePrice
from advisor.rules.gpu_idle_overprovisioned import GpuIdleOverprovisioned
from advisor.rules.gpu_to_cpu_down_migration import GpuToCpuDownMigration
from advisor.view import FrequencyView, View
from tests.advisor.built import concluded, gains, judged, numbers, verdict
from tests.advisor.gpus_built import GIB, alone
from tests.advisor.llm_built import safetensors
from tests.advisor.memory_built import memory_limit
from tests.advisor.migration.leaving import (
    CORES,
    LOAD,
    card,
    idle,
    other_cpu,
    priced,
    shared_card,
    transformer,
    unpriced,
)
from tests.advisor.migration.migrating import AVX512, BERT

RULE = GpuToCpuDownMigration()


def idle_classifier() -> tuple[View, ServiceFacts]:
    seen = idle()
    return seen, priced(seen)


def predicted(seen: View) -> tuple[float, float]:
    """Seconds of 99 of 100 requests, and share of the cores: 90 % points."""
    asked, host = leaving(seen, seen.gpus[0].gpu), host_cpu(seen.cores, AVX512)
    assert isinstance(asked, Leaving)
    assert host is not None
    found = on_host(asked.asked, host, int(asked.cores), seen.service.id)
    assert found is not None
    return found.p99.p90, found.busy.p90


def test_a_week_of_a_few_images_a_second_on_a_gpu_would_do_on_the_cpus():
    seen, facts = idle_classifier()
    found = concluded(RULE, seen, facts)
    tail, busy = predicted(seen)
    assert found.title.startswith(
        "GPU 0 (Tesla T4) is hardly used, and 14 cores of this node would do: 99 of 100 requests within"
    )
    assert found.title.endswith("200 ms are wanted")
    assert numbers(found) | {
        "gpu_busy_p95": 0.03, "gpu_memory_p95": 0.1, "watched_hours": 168.0, "most_requests_per_second": 2 * LOAD,
        "cores_left": 14.0, "mean_latency_now": 0.02, "cost_ratio": 0.5, "gpu_busiest_minute": 0.06,
    } == numbers(found)  # fmt: skip
    assert numbers(found)["latency_p99_on_cpus"] == pytest.approx(tail, abs=1e-4)
    assert numbers(found)["cores_busy_p90"] == pytest.approx(busy, abs=1e-4)
    assert 0.05 < tail < 0.16
    assert f" to {tail * 1e3:.3g} ms, 200 ms are wanted" in found.title
    assert "8 a second (its busiest minute ×2, assumed for the seconds within it)" in found.summary
    assert "It would cost ×0.50, if 0.8 EUR an hour, as stated for this node, is without the device." in found.summary
    assert "Of what requests take now, the mean is all that is known" in found.summary
    each = numbers(found)["gpu_seconds_per_pass"]
    assert each == pytest.approx(0.002 / (LOAD / 8), rel=0.02), "busy time / requests"
    assert "ms on 14 cores that are left (compute binds), after 3." in found.summary
    assert gains(found) == {"cost_ratio": (0.5, 0.5, 0.5)}
    assert (found.confidence, found.spares) == (0.5, True)
    for part in ("a copy of the traffic", "cold start and the peak hour", "not measured", "7.0 days"):
        assert part in found.summary
    assert "Provisional" not in found.summary
    assert found.rejected[0].cause == "other services on the device"


def test_it_is_worth_knowing_unless_cost_is_what_matters():
    seen, facts = idle_classifier()
    assert [j.severity for j in judged([RULE], seen, facts).judged] == [Severity.INFO]
    asked = replace(facts, objective="cost")
    assert [j.severity for j in judged([RULE], seen, asked).judged] == [Severity.MEDIUM]


def test_less_than_a_week_is_provisional_and_never_more_than_worth_knowing():
    for seen in (idle(card(48.0)), idle(days=2)):
        found = concluded(RULE, seen, priced(seen))
        assert "Provisional: watched for 2.0 days of a week." in found.summary
        assert found.confidence == pytest.approx(0.1 + 0.15 * 48 / 168, abs=1e-3)
        assert found.gains == ()
        cost = replace(priced(seen), objective="cost")
        assert [j.severity for j in judged([RULE], seen, cost).judged] == [Severity.INFO]
    early, later = (concluded(RULE, idle(card(hours)), priced(idle())) for hours in (2.0, 100.0))
    assert early.confidence < later.confidence < 0.3


def test_without_objective_and_prices_it_says_so_and_promises_nothing():
    seen = idle()
    found = concluded(RULE, seen, unpriced(seen))
    assert found.gains == ()
    assert found.confidence == 0.25
    assert "14 cores of this node could take its load" in found.title
    assert found.title.endswith("20 ms now on average")
    assert "What the node costs without the device is not known. No objective says" in found.summary
    cost = replace(unpriced(seen), objective="cost")
    assert [j.severity for j in judged([RULE], seen, cost).judged] == [Severity.INFO]


def test_a_latency_that_just_misses_the_objective():
    seen = idle()
    tail, _ = predicted(seen)
    assert verdict(RULE, seen, priced(seen, slo=tail / 0.79)) is not None
    assert verdict(RULE, seen, priced(seen, slo=tail / 0.81)) is None
    assert verdict(RULE, seen, priced(seen, slo=tail / 0.89), standing=True) is not None


def test_the_busiest_minute_that_the_cores_just_cannot_take():
    def at(most: float) -> View:
        return idle(most=most)

    _, busy = predicted(at(10.0))
    limit = 10.0 * 0.7 / busy
    for most, speaks in ((0.97 * limit, True), (1.03 * limit, False)):
        assert (verdict(RULE, at(most), unpriced(at(most))) is not None) is speaks
    seen = idle(card(week_busiest_ratio=0.06 * 1.1 * limit / LOAD))
    assert verdict(RULE, seen, unpriced(seen)) is None, "a busier minute in the days before"


def test_a_price_that_is_just_not_low_enough():
    seen = idle()
    assert verdict(RULE, seen, priced(seen, with_device=0.8 / 0.69)) is not None
    assert verdict(RULE, seen, priced(seen, with_device=0.8 / 0.71)) is None


def test_the_price_of_the_node_with_its_device_says_nothing_of_one_without():
    seen = idle()
    for facts in (
        priced(seen, with_device=0.8),
        priced(seen, device_prices={"T4": DevicePrice(currency="USD", hourly=9.0)}),
        priced(seen, device_prices={"L4": DevicePrice(currency="EUR", hourly=9.0)}),
        priced(seen, price=None),
    ):
        found = concluded(RULE, seen, facts)
        assert "cost_ratio" not in numbers(found)
        assert found.gains == ()


WITHOUT = NodePrice(currency="EUR", hourly=0.8)


@pytest.mark.parametrize(
    ("node", "with_device", "ratio"),
    [
        (1.6, None, 0.5),
        (None, 1.6, 0.5),
        (1.6, 1.2, 0.8 / 1.2),
        (1.25, 2.0, 0.8 / 1.25),
        (0.8, 1.6, 0.5),
        (1.6, 0.5, 0.5),
        (None, None, None),
    ],
)
def test_what_the_owner_says_of_the_node_without_its_device_counts(node, with_device, ratio):
    """Of two prices with it that are higher, the lower one."""
    seen = idle()
    price = None if node is None else NodePrice(currency="EUR", hourly=node)
    facts = priced(seen, with_device=with_device, price=price, price_without_device=WITHOUT)
    found = concluded(RULE, seen, facts)
    if ratio is None:
        assert "cost_ratio" not in numbers(found)
        return
    assert numbers(found)["cost_ratio"] == pytest.approx(ratio, abs=1e-4)
    said = f"It would cost ×{ratio:.2f}: 0.8 EUR an hour without the device, {0.8 / ratio:.3g} with it, as stated."
    assert said in found.summary
    assert gains(found)["cost_ratio"][1] == pytest.approx(ratio, rel=1e-3)


def test_a_node_that_is_hardly_cheaper_without_its_device_keeps_it():
    seen = idle()
    for node, speaks in ((0.8 / 0.69, True), (0.8 / 0.71, False), (0.8, False)):
        facts = priced(
            seen, with_device=None, price=NodePrice(currency="EUR", hourly=node), price_without_device=WITHOUT
        )
        assert (verdict(RULE, seen, facts) is not None) is speaks
    dear = priced(seen, with_device=0.5, price=None, price_without_device=WITHOUT)
    assert verdict(RULE, seen, dear) is None, "without it the node costs more"


@pytest.mark.parametrize("without", [NodePrice(currency="USD", hourly=0.8), NodePrice(currency="EUR", hourly=0.0)])
def test_a_price_without_the_device_that_nothing_is_comparable_with_says_nothing(without: NodePrice):
    seen = idle()
    assert "cost_ratio" not in numbers(concluded(RULE, seen, priced(seen, price_without_device=without)))


def stated(name: str, **peak: float) -> Device:
    return Device(
        name=name, kind="gpu", memory=16, bandwidth=500, peak=peak, sources=("the configuration",), stated=True
    )  # type: ignore[arg-type]


def test_a_device_that_its_owner_states_is_judged_by_that():
    """The catalogue does not have it, and its driver does not tell enough: a question, unless the owner answers it."""
    seen = idle(card(name="NVIDIA X1"))
    assert isinstance(verdict(RULE, seen, priced(seen)), Need)
    facts = priced(
        seen, device_prices={"X1": DevicePrice(currency="EUR", hourly=1.6)}, stated_devices=(stated("X1", fp32=8.1),)
    )
    assert numbers(concluded(RULE, seen, facts)) == numbers(concluded(RULE, idle(), priced(idle()))), "as a T4"
    elsewhere = replace(facts, stated_devices=(stated("X2", fp32=8.1),))
    assert isinstance(verdict(RULE, seen, elsewhere), Need)


def test_what_keeps_a_stated_device_busy_is_a_twentieth_of_its_stated_peak():
    """9 % of the time at 0.1 requests a second, 0.9 s each: of 10^12 a second 45 Gflop."""
    seen = idle(card(day_busy_mean=0.09), most=0.8)
    for peak, mode in (
        ({"fp32": 1.0}, 0.045e12),
        ({"fp16": 2.0, "int8": 4.0}, 0.09e12),
        ({"fp16": 2.0, "bf16": 3.0}, 0.135e12),
    ):
        found = leaving(seen, seen.gpus[0].gpu, (stated("T4", **peak),))
        assert isinstance(found, Leaving)
        assert found.asked.operations.mode == pytest.approx(mode, rel=0.01)
    need = leaving(seen, seen.gpus[0].gpu, (stated("T4", int8=4.0),))
    assert isinstance(need, Need)
    assert need.text == "how fast GPU 0 (Tesla T4) computes, in 32 or 16 bits"


DERIVED = {
    "name": "NVIDIA RTX A5000", "compute_capability": 8.6, "cuda_cores": 8192, "sm_clock_max_hertz": 2100e6,
    "memory_bus_bits": 384, "memory_clock_max_hertz": 8001e6, "memory_total_bytes": 24 * GIB,
}  # fmt: skip


@pytest.mark.parametrize(
    ("spelling", "known"),
    [
        ("RTX A5000", DERIVED),
        ("rtx a5000", DERIVED),
        ("A100 40GB", {"name": "NVIDIA A100", "memory_total_bytes": 40 * GIB}),
        ("a100", {"name": "NVIDIA A100", "memory_total_bytes": 40 * GIB}),
    ],
)
def test_the_price_of_its_device_is_found_however_it_is_named(spelling, known):
    seen = idle(card(**known))
    dear = {spelling: DevicePrice(currency="EUR", hourly=1.6)}
    assert numbers(concluded(RULE, seen, priced(seen, device_prices=dear)))["cost_ratio"] == 0.5
    cheap = {spelling: DevicePrice(currency="EUR", hourly=1.0)}
    assert verdict(RULE, seen, priced(seen, device_prices=cheap)) is None


@pytest.mark.parametrize("known", [{"busy": 0.1}, {"week": 0.1}, {"day_memory_p95": 0.3}, {"hours": 0.9}])
def test_a_device_that_is_used_or_watched_for_too_short_just_misses(known):
    seen = idle(card(**known))
    assert verdict(RULE, seen, priced(seen)) is None
    if "hours" not in known:
        assert verdict(RULE, seen, priced(seen), standing=True) is not None


@pytest.mark.parametrize("known", [{"busy": None, "week": None}, {"unified_memory": True}, {"processes_known": False}])
def test_a_device_that_does_not_tell_or_is_the_nodes_own_memory_is_left_alone(known):
    seen = idle(card(**known))
    assert verdict(RULE, seen, priced(seen)) is None


def test_a_device_on_which_somebody_else_is_stays_needed():
    seen = idle(shared_card())
    assert verdict(RULE, seen, priced(seen)) is None
    two = replace(idle(), gpus=idle().gpus * 2)
    assert verdict(RULE, two, priced(two)) is None


def test_a_model_that_generates_is_left_on_the_device():
    """Whether its page counts tokens or its header says so."""
    seen = idle(model=safetensors(), tokens_out_per_second=40.0, requests_per_second=1.0)
    assert verdict(RULE, seen, priced(seen)) is None
    gpt = idle(model=transformer(BERT, "GPT2LMHeadModel"))
    assert verdict(RULE, gpt, priced(gpt)) is None


def test_an_encoder_of_texts_is_judged_by_its_longest():
    seen = idle(model=transformer(), most=0.5)
    found = concluded(RULE, seen, priced(seen, slo=2.0))
    assert "at most 512 tokens of bert" in found.summary
    short = replace(seen, tokens_in_per_second=10.0, requests_per_second=0.5)
    again = concluded(RULE, short, priced(short, slo=2.0))
    assert numbers(again) == numbers(found), "how long they are now says nothing of the week"


def test_a_device_that_works_longer_for_a_request_than_these_cpus_would_is_not_understood():
    """9 % busy with 0.1 requests a second: 0.9 s each. The header's 8.2 Gflop would take a few tens of ms on these cores."""
    for mean in (0.09, 0.03):
        seen = idle(card(busy=0.09, week=0.09, day_busy_mean=mean), most=0.8)
        assert verdict(RULE, seen, unpriced(seen)) is None
    seen = idle(card(busy=0.09, week=0.09, day_busy_mean=0.0004), most=0.8)
    assert verdict(RULE, seen, unpriced(seen)) is not None
    assert verdict(RULE, idle(card(day_busy_mean=None)), unpriced(seen)) is None


@pytest.mark.parametrize(("busiest", "speaks"), [(0.79, True), (0.81, False)])
def test_a_nightly_job_that_fills_the_device_keeps_it(busiest: float, speaks: bool):
    seen = idle(card(day_busiest_ratio=busiest, week_busiest_ratio=busiest))
    assert (verdict(RULE, seen, priced(seen)) is not None) is speaks


def test_an_instance_of_a_device_is_left_alone():
    seen = idle(card(parent="GPU-whole"))
    assert verdict(RULE, seen, priced(seen)) is None


@pytest.mark.parametrize("hertz", [800e6, 2.7e9, 4.5e9])
def test_the_clock_of_idle_cores_changes_nothing(hertz: float):
    seen = idle()
    clock = FrequencyView(
        hertz=hertz, base_hertz=None, limit_hertz=None, maximum_hertz=None, throttle_events=0, governor=None
    )
    at = replace(seen, cores=tuple(replace(core, frequency=clock) for core in seen.cores))
    assert numbers(concluded(RULE, at, priced(at))) == numbers(concluded(RULE, seen, priced(seen)))


def test_a_latency_that_nobody_knows_is_not_made_of_cpu_time():
    seen = idle(latency=None)
    found = concluded(RULE, seen, unpriced(seen))
    assert found.title.endswith("what they take now is not known")
    assert "the CPU time of a request is all that is known" in found.summary
    assert numbers(found)["cpu_seconds_per_request"] == pytest.approx(0.1)
    assert not {"latency_p99_now", "mean_latency_now"} & set(numbers(found))


def test_what_is_missing_is_named():
    seen = idle(model=transformer(replace(BERT, family="unheard-of")))
    need = verdict(RULE, seen, priced(seen))
    assert isinstance(need, Need)
    assert "what its model computes" in need.text
    need = verdict(RULE, idle(), other_cpu(idle()))
    assert isinstance(need, Need)
    assert need.kind == "kernel"
    busy = idle(card(busy=0.5), model=transformer(replace(BERT, family="unheard-of")))
    assert verdict(RULE, busy, priced(busy)) is None, "of a device that is used nobody asks"


def test_nobody_asked_for_anything():
    seen = idle(most=0.0)
    assert verdict(RULE, seen, priced(seen)) is None


def test_cores_and_memory_have_to_be_there():
    full = idle(others=CORES - 1.0)
    assert verdict(RULE, full, priced(full)) is None
    weights = 4 * 25_557_032
    for free, speaks in ((1.3 * weights, True), (1.1 * weights, False)):
        seen = idle(available=int(free))
        assert (verdict(RULE, seen, priced(seen)) is not None) is speaks
        held = idle(cgroup=memory_limit(int(GIB + free), GIB))
        assert (verdict(RULE, held, priced(held)) is not None) is speaks


def test_it_stands_beside_the_finding_on_the_device_and_speaks_without_load():
    seen = replace(idle(), samples=0, loaded_now=False)
    assert [j.rule for j in judged([RULE], seen, priced(seen)).judged] == [RULE.id]
    device = alone(card())
    assert verdict(GpuIdleOverprovisioned(), device, ServiceFacts(service=device.service)) is not None
