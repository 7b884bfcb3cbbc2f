"""Requests that go to a GPU one by one while others wait, and what looks like that."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.gpu_small_batches import GpuSmallBatches
from advisor.view import View
from collectors.levers import Lever, Setting
from collectors.registry import framework_named
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpu_services import looked_into, on_gpu, with_settings
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.gpus_recorded import recorded_gpu

RULE = GpuSmallBatches()


def one_by_one(*, batch: float | None = 1.0, rate: float | None = 200.0, latency: float | None = 0.08,
               queue: float | None = 15.0, framework: str = "triton", used: float = 0.5,
               **known) -> View:  # fmt: skip
    """200 requests a second that take 80 ms: 16 in the server, 15 of them waiting, for a GPU that works a fifth of the time."""
    seen = on_gpu(used, framework=framework, **known)
    return msgspec.structs.replace(
        seen, batch_size=batch, requests_per_second=rate, latency_seconds=latency, server_queue=queue
    )


def batching(seen: View, size: int | None = 1, delay: float | None = 0, slo: float | None = None) -> ServiceFacts:
    facts = with_settings(built.facts(seen), {Lever.MAX_BATCH_SIZE: size, Lever.MAX_BATCH_DELAY: delay})
    return msgspec.structs.replace(facts, slo_p99_seconds=slo)


def test_sixteen_requests_in_progress_are_put_together_by_eight() -> None:
    seen = one_by_one()
    found = concluded(RULE, seen, batching(seen))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("max_batch_size", 1, 8),
        ("max_batch_delay", 0, 8000),  # a tenth of 80 ms, in Triton's microseconds
    ]
    shown = numbers(found)
    assert (shown["mean_batch_size"], shown["requests_in_progress"]) == (1.0, 16.0)
    assert shown["expected_batch"] == 8.0  # 1 + 200 × 0.008 + 15 that wait, at most the largest
    assert shown["gpu_sm_active"] == 0.2
    assert "has not been seen yet" in found.summary


@pytest.mark.parametrize(
    ("framework", "delay"),
    [("litserve", 0.008), ("torchserve", 8), ("mlserver", 0.008), ("triton", 8000)],
)
def test_the_delay_is_in_the_unit_of_the_server(framework: str, delay: float) -> None:
    seen = one_by_one(framework=framework)
    assert concluded(RULE, seen, batching(seen)).changes[1].proposed == delay


def test_bentoml_chooses_how_long_a_batch_waits() -> None:
    """Its max_latency_ms is what a request may take at all: those that would take longer are refused."""
    seen = one_by_one(framework="bentoml")
    assert framework_named("bentoml").knob(Lever.MAX_BATCH_DELAY) is None
    own = with_settings(built.facts(seen), {Lever.MAX_BATCH_SIZE: None})
    assert verdict(RULE, seen, own) is None


def test_a_delay_is_never_rounded_to_none() -> None:
    quick = one_by_one(framework="torchserve", latency=0.004, rate=2000.0, queue=6.0)
    found = concluded(RULE, quick, batching(quick, delay=100))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("max_batch_size", 1, 4),
        ("max_batch_delay", 100, 1),
    ]
    assert "waits 1 ms at most" in found.summary
    slight = one_by_one(framework="mlserver", latency=0.0004, rate=20000.0, queue=6.0)
    assert [c.proposed for c in concluded(RULE, slight, batching(slight, 0, 0.0)).changes] == [4, 0.0001]


def test_a_unit_that_is_longer_than_there_is_time_is_not_proposed() -> None:
    quick = one_by_one(framework="torchserve", latency=0.0009, rate=9000.0, queue=6.0)
    assert verdict(RULE, quick, batching(quick, delay=100)) is None
    slow = msgspec.structs.replace(one_by_one(framework="torchserve"), latency_p99_seconds=0.1)
    assert verdict(RULE, slow, batching(slow, slo=0.1008)) is None
    assert verdict(RULE, slow, batching(slow, slo=0.102)) is not None


def test_batches_that_may_wait_as_long_already_are_kept_small_by_something_else() -> None:
    seen = one_by_one()
    assert verdict(RULE, seen, batching(seen, size=8, delay=8000)) is None
    assert verdict(RULE, seen, batching(seen, size=8, delay=100_000)) is None
    assert [c.lever for c in concluded(RULE, seen, batching(seen, size=4, delay=8000)).changes] == ["max_batch_size"]


def test_instances_inside_a_process_share_the_requests() -> None:
    def instances(seen: View, value: int | None, origin: str = "default") -> ServiceFacts:
        known = batching(seen)
        setting = Setting(lever=Lever.MODEL_INSTANCES, value=value, origin=origin)
        return msgspec.structs.replace(known, settings=(*known.settings, setting))

    few = one_by_one(rate=500.0, latency=0.01, queue=0.0)  # five in progress
    assert verdict(RULE, few, instances(few, 4)) is None
    seen = one_by_one()  # sixteen
    found = concluded(RULE, seen, instances(seen, 4))
    assert [c.proposed for c in found.changes] == [2, 8000]
    assert gains(found)["throughput_ratio"][2] == 2.0  # two for each of four, not four
    need = verdict(RULE, seen, instances(seen, None, "/m/config.pbtxt has several instance groups"))
    assert isinstance(need, Need)
    assert "several instance groups" in need.text
    assert concluded(RULE, seen, instances(seen, None, "default (1 per GPU)")).changes[0].proposed == 8


def test_a_page_that_counted_no_batch_is_no_batch_of_none() -> None:
    seen = one_by_one(batch=0.0)
    assert numbers(concluded(RULE, seen, batching(seen)))["mean_batch_size"] == 1.0
    need = verdict(RULE, seen, batching(seen, size=8))
    assert isinstance(need, Need)


def test_the_device_that_tells_nothing_is_named() -> None:
    seen = one_by_one(workers=2)
    read = gpu([process(seen.workers[0])], busy_ratio=0.4, sm_active_ratio=0.2)
    two = on_gpus(seen, read, gpu([process(seen.workers[1])], uuid="GPU-2", index=1))
    need = verdict(RULE, two, batching(two))
    assert isinstance(need, Need)
    assert need.text.startswith("GPU 1 ")


def test_the_gain_is_an_upper_bound_by_the_batch_and_likely_by_what_fits_beside() -> None:
    seen = one_by_one()
    low, likely, high = gains(concluded(RULE, seen, batching(seen)))["throughput_ratio"]
    # something ran 40 % of the time and 20 % of the multiprocessors worked: twice as much fits into that time
    assert (low, likely, high) == (1.0, 1.5, 8.0)
    wide = one_by_one(busy_ratio=0.9, busy_p95=0.95, sm_active_ratio=0.1)
    assert gains(concluded(RULE, wide, batching(wide)))["throughput_ratio"] == (1.0, 4.5, 8.0)


def test_the_recorded_server_of_one_image_at_a_time_leaves_room_for_four() -> None:
    """As recorded: something ran 29 % of the time, 6.3 % of the multiprocessors' time was used."""
    seen = one_by_one()
    card = recorded_gpu("h100", "serve", [process(seen.workers[0], 2 * GIB)])
    found = concluded(RULE, on_gpus(seen, card), batching(seen))
    assert numbers(found)["gpu_sm_active"] == pytest.approx(0.063, abs=0.001)
    assert gains(found)["throughput_ratio"][1] == pytest.approx((1 + 0.29 / 0.0626) / 2, abs=0.01)
    full = on_gpus(seen, recorded_gpu("h100", "sync", [process(seen.workers[0], 2 * GIB)]))
    assert verdict(RULE, full, batching(seen)) is None  # half of its memory's bandwidth idles, but none of its cores


def test_an_objective_bounds_the_time_that_a_batch_may_wait() -> None:
    seen = msgspec.structs.replace(one_by_one(), latency_p99_seconds=0.1)
    assert concluded(RULE, seen, batching(seen, slo=0.15)).changes[1].proposed == 5000
    assert verdict(RULE, seen, batching(seen, slo=0.09)) is None  # it is missed already: there is no time to wait


def test_a_size_that_is_large_enough_is_left_and_only_the_delay_set() -> None:
    seen = one_by_one()
    assert [c.lever for c in concluded(RULE, seen, batching(seen, size=32)).changes] == ["max_batch_delay"]
    assert [c.lever for c in concluded(RULE, seen, batching(seen, size=None)).changes] == [
        "max_batch_size",
        "max_batch_delay",
    ]


def test_batching_that_is_off_is_one_by_one_though_no_page_says_so() -> None:
    seen = one_by_one(batch=None, framework="mlserver")
    assert numbers(concluded(RULE, seen, batching(seen, size=0)))["mean_batch_size"] == 1.0
    assert numbers(concluded(RULE, seen, batching(seen, size=8)))["mean_batch_size"] == 1.0  # without max_batch_time
    need = verdict(RULE, seen, batching(seen, size=8, delay=0.004))
    assert isinstance(need, Need)
    assert "its mean batch" in need.text


@pytest.mark.parametrize(
    "known",
    [
        {"batch": 2.1},
        {"latency": 0.019},  # 3.8 in progress
        {"sm_active_ratio": 0.51},
        {"queue": 0.0, "rate": 50.0},  # 1 + 50 × 0.008 = 1.4
    ],
    ids=lambda known: next(iter(known)),
)
def test_what_just_misses(known) -> None:
    seen = one_by_one(**known)
    assert verdict(RULE, seen, batching(seen)) is None


def test_arrivals_alone_fill_a_batch_where_nothing_waits() -> None:
    seen = one_by_one(queue=0.0, rate=70.0)
    assert numbers(concluded(RULE, seen, batching(seen)))["expected_batch"] == pytest.approx(1 + 70 * 0.008)


def test_two_instances_need_twice_the_requests() -> None:
    seen = one_by_one(workers=2, latency=0.035)  # seven in progress
    assert verdict(RULE, seen, batching(seen)) is None
    more = one_by_one(workers=2)
    assert concluded(RULE, more, batching(more)).changes[0].proposed == 4


def test_busy_time_alone_is_no_answer() -> None:
    seen = one_by_one(sm_active_ratio=None, sm_active_p95=None, dram_active_ratio=None)
    need = verdict(RULE, seen, batching(seen))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "busy 40% of the time says nothing" in need.text
    dark = one_by_one(sm_active_ratio=None, sm_active_p95=None, busy_ratio=None, busy_p95=None)
    need = verdict(RULE, dark, batching(dark))
    assert isinstance(need, Need)
    assert need.kind == "metrics"


@pytest.mark.parametrize(
    ("known", "lacking"),
    [({"rate": None, "queue": None}, "requests in progress, requests per second"), ({"latency": None}, "latency")],
)
def test_what_the_server_does_not_tell_is_asked_for(known, lacking: str) -> None:
    seen = one_by_one(**known)
    need = verdict(RULE, seen, batching(seen))
    assert isinstance(need, Need)
    assert need.text.startswith(f"{lacking}:")


def test_a_server_that_cannot_batch_and_one_without_a_gpu_are_not_judged() -> None:
    seen = one_by_one()
    assert verdict(RULE, seen, with_settings(built.facts(seen), {Lever.WORKERS: 1})) is None
    assert verdict(RULE, seen, with_settings(built.facts(seen), {Lever.MAX_BATCH_SIZE: 1})) is None
    bare = msgspec.structs.replace(seen, gpus=())
    assert verdict(RULE, bare, batching(bare)) is None


def test_a_gpu_that_waits_for_its_inputs_gains_nothing_by_larger_batches() -> None:
    seen = one_by_one(framework="litserve", used=1.0)
    decode = looked_into(seen, {"decode": 0.7, "cuda-launch": 0.1})
    known = msgspec.structs.replace(decode, settings=batching(seen).settings)
    rules = [j.rule for j in Engine(all_rules()).judge(seen, known).judged]
    assert "gpu-small-batches" not in rules
    assert "gpu-starved-by-preprocess" in rules


def test_it_is_the_root_cause_on_its_host_and_comes_before_another_worker() -> None:
    seen = one_by_one(framework="litserve", used=1.0)
    waits = looked_into(seen, {"cuda-sync": 0.8, "array": 0.2})
    known = msgspec.structs.replace(waits, settings=(*batching(seen).settings, *waits.settings))
    found = Engine(all_rules()).judge(seen, known)
    assert [j.rule for j in found.judged if j.cause is None][:2] == ["gpu-small-batches", "gpu-wait-workers"]
    assert found.broken == ()


def test_look_alikes_are_listed_with_their_numbers() -> None:
    seen = one_by_one(pcie_rx_bytes_per_second=5.67e9)
    listed = {r.cause: r.because for r in concluded(RULE, seen, batching(seen)).rejected}
    assert listed["gpu-full"] == "the 95 % point of its use is 30%"
    assert listed["pcie-bound"] == "PCIe carries 10% of what the link can"
