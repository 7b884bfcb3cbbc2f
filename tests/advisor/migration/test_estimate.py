"""What moving would bring, what it costs, and when the answer is to stay."""

import pytest
from msgspec.structs import replace

from advisor.migration.estimate import DeviceEstimate, estimate
from advisor.migration.money import break_even, per_1000_at, per_million
from collectors.entities import Model
from collectors.model_file import ModelFile
from tests.advisor.migration.migrating import NODE, encoder, generating, known, market
from tests.advisor.profiles_built import profiled, worker_profile


def on(seen, facts, devices: str = "L4", **prices: float) -> DeviceEstimate:
    (found,) = estimate(seen, facts, market(seen, devices, **prices)).devices
    return found


def test_a_saturated_encoder_with_an_slo_and_prices_is_a_candidate():
    seen = encoder()
    facts = replace(known(seen), slo_p99_seconds=0.1, price=NODE)
    found = on(seen, facts, L4=1.2)
    assert (found.verdict, found.present, found.grade, found.validated) == ("candidate", False, "C", False)
    assert found.fit.verdict == "fits"
    assert found.simulated is not None
    assert 1.5 < found.simulated.throughput.p10 < found.simulated.throughput.p50 < found.simulated.throughput.p90
    assert found.simulated.latency.p90 < 1
    assert found.simulated.binding == max(found.simulated.terms, key=lambda term: found.simulated.terms[term])
    assert sum(found.simulated.terms.values()) == pytest.approx(1)
    assert found.ceiling == pytest.approx(1 / (1 - (0.95 + 1.96 * 0.0065)), rel=0.2)
    assert found.costs is not None
    even = found.costs.break_even_per_second
    assert even is not None
    assert even.p10 <= even.p50 <= even.p90
    assert even.p50 < (seen.requests_per_second or 0)
    assert "210 ms miss the 100 ms" in found.reasons[0]
    assert found.flips == ("an objective of 200 ms or more: so long takes a request that does not queue",)


def test_below_the_break_even_load_it_is_not_worth_it_any_more():
    facts = {}
    for busy in (1.0, 0.3):
        seen = encoder(busy)
        facts[busy] = on(seen, replace(known(seen), price=NODE), L4=1.2)
    assert facts[1.0].verdict == "candidate"
    assert facts[1.0].costs is not None
    assert facts[0.3].costs is not None
    assert facts[1.0].costs.ratio.p50 < 0.9
    assert facts[0.3].verdict == "not worth it"
    assert facts[0.3].costs.ratio.p50 == pytest.approx(1.5)
    assert "it costs ×1.50" in facts[0.3].reasons[0]
    assert facts[0.3].flips[0].startswith("above ")


def test_without_objective_and_prices_it_is_no_more_than_possible():
    seen = encoder()
    found = on(seen, known(seen))
    assert (found.verdict, found.costs) == ("possible", None)
    assert "prices of the node and of the device" in found.flips[0]


def test_on_a_fast_device_what_stays_on_the_host_binds():
    seen = encoder()
    found = on(seen, known(seen, kernel=0.7, array=0.05, serialise=0.25), "H100")
    assert found.simulated is not None
    assert (found.simulated.binding, found.simulated.terms["host"] > 0.9) == ("host", True)


def test_nothing_is_promised_beyond_what_stays_on_the_host():
    for share in (0.6, 0.8, 0.95):
        seen = encoder()
        found = on(seen, known(seen, kernel=share, serialise=1 - share), "H100")
        assert found.simulated is not None
        assert found.simulated.throughput.p90 <= found.ceiling * 1.0001
        assert found.simulated.latency.p10 >= 0.9999 / found.ceiling


@pytest.mark.parametrize(
    ("architecture", "classes", "says"),
    [
        ("RandomForestClassifier", {"trees": 0.2, "kernel": 0.7}, "decision trees"),
        ("BertModel", {"trees": 0.6, "kernel": 0.3}, "decision trees"),
        ("LogisticRegression", {"kernel": 0.9}, "linear"),
        ("BertModel", {"kernel": 0.3, "serialise": 0.6}, "30% of its CPU time could move"),
    ],
)
def test_what_never_goes_to_a_device(architecture: str, classes: dict[str, float], says: str):
    seen = encoder()
    file = ModelFile(path="/m/x", format="pickle", size_bytes=10_000, architecture=architecture)
    model = replace(seen.service.models[0], files=(file,))
    other = replace(seen, service=replace(seen.service, models=(model,)))
    facts = replace(known(other, **classes), price=NODE, slo_p99_seconds=0.01)
    found = on(other, facts, "H100", H100=0.1)
    assert found.verdict == "not worth it"
    assert any(says in reason for reason in found.reasons)
    assert found.flips


def test_weights_that_are_not_known_are_at_most_what_a_worker_holds():
    seen = encoder()
    unknown = replace(seen, service=replace(seen.service, models=()))
    now = estimate(unknown, known(unknown), market(unknown)).situation
    assert now is not None
    assert (now.work.weights, now.work.exact) == (200 << 20, False)
    huge = replace(unknown, workers=tuple(replace(w, resident_bytes=40 << 30) for w in unknown.workers))
    found = on(huge, known(huge))
    assert (found.verdict, "GB that are free" in found.reasons[0]) == ("does not fit", True)


def test_a_model_that_generates_reads_its_weights_for_each_token():
    seen = generating()
    facts = known(seen)
    found = on(seen, facts, "A100 80GB")
    now = estimate(seen, facts, market(seen)).situation
    assert now is not None
    assert found.simulated is not None
    assert (now.work.generation.steps, now.work.bits) == (20.0, 16.0)
    assert now.work.generation.read == 131072 * (100 + 10)
    assert now.work.generation.held == 4 * 131072 * (100 + 20)
    least = 20 * 16_060_522_496 / (0.85 * 2039e9)
    assert found.simulated.device_seconds.p10 > least
    assert found.simulated.binding == "memory bandwidth"
    once = replace(seen, tokens_out_per_second=20.0)
    faster = on(once, facts, "A100 80GB").simulated
    assert faster is not None
    assert faster.device_seconds.p50 / faster.batch < found.simulated.device_seconds.p50 / found.simulated.batch


def test_a_million_tokens_have_a_price_where_they_are_counted():
    """20 requests a second of 100 tokens of prompt and 20 that are generated."""
    seen = generating()
    found = on(seen, replace(known(seen), price=NODE), "A100 80GB", **{"A100 80GB": 3.6})
    assert found.costs is not None
    assert found.simulated is not None
    generated, every = found.costs.generated_tokens, found.costs.all_tokens
    assert generated is not None
    assert every is not None
    # two nodes: 16 cores of 0.9 of which 0.85 are filled do 15 a second
    assert generated.at_load == pytest.approx(2 * 0.8 / (3600 * 20 * 20) * 1e6)
    assert generated.at_load_moved.p50 == pytest.approx(3.6 / (3600 * 20 * 20) * 1e6)
    most = found.simulated.per_second
    assert generated.at_capacity_moved.p90 == pytest.approx(277.8 * 3.6 / (0.85 * most.p10 * 20), rel=1e-4)
    assert generated.at_capacity_moved.p10 == pytest.approx(277.8 * 3.6 / (0.85 * most.p90 * 20), rel=1e-4)
    for one in ("at_capacity", "at_load"):
        assert getattr(every, one) == pytest.approx(getattr(generated, one) / 6), "120 tokens to 20"
    assert every.at_load_moved.p50 == pytest.approx(generated.at_load_moved.p50 / 6)
    assert every.at_capacity_moved.p90 == pytest.approx(generated.at_capacity_moved.p90 / 6)


def test_tokens_that_are_not_counted_have_no_price():
    seen = encoder()
    plain = on(seen, replace(known(seen), price=NODE), L4=1.2).costs
    assert plain is not None
    assert (plain.generated_tokens, plain.all_tokens) == (None, None)
    half = replace(generating(), tokens_in_per_second=None)
    without_prompts = on(half, replace(known(half), price=NODE), "A100 80GB", **{"A100 80GB": 3.6}).costs
    assert without_prompts is not None
    assert without_prompts.generated_tokens is not None
    assert without_prompts.all_tokens is None, "those of prompts are not known"
    embedding = replace(seen, tokens_in_per_second=784.0, tokens_out_per_second=0.0, requests_per_second=78.4)
    reading = on(embedding, replace(known(embedding), price=NODE), L4=1.2).costs
    assert reading is not None
    assert reading.generated_tokens is None, "none is generated"
    assert reading.all_tokens is not None
    assert reading.all_tokens.at_load == pytest.approx(per_million(reading.at_load, 10.0))


def test_a_model_that_generates_and_does_not_say_how_much_is_not_judged():
    seen = generating(None)
    missing = estimate(seen, known(seen), market(seen)).needs
    assert missing is not None
    assert (missing.kind, "tokens" in missing.text) == ("metrics", True)


def test_where_it_does_not_fit_forms_of_fewer_bits_and_layers_are_named():
    seen = generating()
    found = on(seen, known(seen), "T4")
    assert (found.verdict, found.fit.verdict) == ("does not fit", "split")
    assert f"{found.fit.on_device} of 32 layers go in" in found.reasons[0]
    assert found.flips[0].startswith("weights in int8: ")
    assert found.flips[-1] == "a device with more memory"


def test_a_tiny_net_waits_for_the_host():
    seen = encoder(cpu_seconds=0.0003)
    small = replace(seen, service=replace(seen.service, models=()))
    found = on(small, replace(known(small), price=NODE), L4=0.1)
    assert found.verdict == "not worth it"
    assert "a device would wait for the host" in found.reasons[0]


def test_an_idle_service_is_not_judged():
    seen = encoder(busy=0.002)
    found = estimate(seen, known(seen), market(seen))
    assert (found.devices, found.needs and found.needs.kind) == ((), "load")


def test_what_is_missing_is_named():
    seen = encoder()
    assert (estimate(seen, replace(known(seen), profile=None), market(seen)).needs or 0).kind == "profile"
    assert (estimate(seen, known(seen, samples=100), market(seen)).needs or 0).kind == "profile"
    silent = replace(seen, requests_per_second=None)
    assert (estimate(silent, known(silent), market(silent)).needs or 0).kind == "metrics"
    assert (estimate(seen, known(seen), replace(market(seen), host=None)).needs or 0).kind == "kernel"


def test_time_that_threads_wait_for_each_other_is_no_work_for_a_device():
    seen = encoder()
    clean = estimate(seen, known(seen), market(seen)).situation
    spinning = known(seen, kernel=0.34, array=0.04, tokenise=0.012, spin=0.6)
    found = estimate(seen, spinning, market(seen)).situation
    assert clean is not None
    assert found is not None
    assert found.work.part.needless == pytest.approx(0.6, abs=0.01)
    assert found.work.part.share.mode == pytest.approx(clean.work.part.share.mode, abs=0.02)
    assert found.work.cpu_seconds == pytest.approx(0.4 * found.work.as_configured_seconds, rel=0.02)


def test_the_same_window_gives_the_same_numbers():
    seen = encoder()
    facts = replace(known(seen), price=NODE)
    assert on(seen, facts, L4=1.2) == on(seen, facts, L4=1.2)


def test_break_even_counts_whole_nodes():
    assert break_even(1.0, 100.0, 3.0, 1000.0) == pytest.approx(3 * 85.0)
    assert break_even(1.0, 100.0, 0.5, 1000.0) == 0.0
    assert break_even(1.0, 100.0, 20.0, 1000.0) is None
    assert per_1000_at(10.0, 1.8, 100.0) == pytest.approx(1.8 / 36)
    assert per_1000_at(100.0, 1.8, 100.0) == pytest.approx(2 * 1.8 / 360)


def test_operations_of_a_model_that_waits_for_its_weights_are_two_for_each_of_them():
    """A dense network, one row at a time: 40 MB are read in 4 ms; at what the cores compute that would be 20 times as much."""
    seen = encoder(cpu_seconds=0.004)
    files = (ModelFile(path="/m/m.safetensors", format="safetensors", size_bytes=40_000_000, parameters=10_000_000),)
    seen = replace(seen, service=replace(seen.service, models=(Model(name="mlp", files=files),)))
    hot = [("sgemv_t (libopenblas.so)", 0.9, "kernel")]
    profiles = [
        worker_profile(w.key.pid, w.cores_used, {"kernel": 0.95}, samples=1000, hot=hot) for w in seen.workers[:4]
    ]
    found = estimate(seen, profiled(seen, *profiles), market(seen)).situation
    assert found is not None
    # 20 million, and what may be computed beside: a twentieth of 4 ms
    assert found.work.flops.low == pytest.approx(2e7, rel=0.02)
    assert 2e7 < found.work.flops.mode < 5e7
    assert found.work.flops.high < 1.5e8
