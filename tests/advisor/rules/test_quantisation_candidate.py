"""R44 on built hosts: on CPUs by what the profile tells, on a GPU by the bytes that decoding reads."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.migration.devices import Device
from advisor.migration.estimate import estimate
from advisor.profiling.view import HotSpot
from advisor.rules.cpu_oversubscribed_openmp import CpuOversubscribedOpenmp
from advisor.rules.quantisation_candidate import QuantisationCandidate
from advisor.rules.runtime_format_candidate import RuntimeFormatCandidate
from advisor.view import View
from collectors.cpu_features import CpuFeatures
from collectors.levers import Lever
from tests.advisor.built import concluded, facts, fighting_pools, gains, judged, numbers, verdict
from tests.advisor.gpu_services import on_gpu
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.llm_built import known as served
from tests.advisor.llm_built import safetensors, server
from tests.advisor.migration.migrating import AVX512, encoder, market
from tests.advisor.profiles_built import profiled, worker_profile

RULE = QuantisationCandidate()
GEMM = [("sgemm_kernel (libtorch_cpu.so)", 0.8, "kernel")]


def stored(seen: View, *types: str) -> View:
    """With weights in these types."""
    models = tuple(
        replace(model, files=tuple(replace(one, dtypes=dict.fromkeys(types, 100)) for one in model.files))
        for model in seen.service.models
    )
    return replace(seen, service=replace(seen.service, models=models))


def wide(busy: float = 1.0) -> View:
    return stored(encoder(busy), "F32")


def known(seen: View, cpu: CpuFeatures = AVX512, samples: int = 2000, kernel: float = 0.85) -> ServiceFacts:
    parts = {"kernel": kernel, "array": 0.95 - kernel, "serialise": 0.05}
    profiles = [
        worker_profile(w.key.pid, w.cores_used, parts, samples=samples // 4, hot=GEMM, phases={"predict": 0.95})
        for w in seen.workers[:4]
    ]
    told = replace(profiled(seen, *profiles), cpu=cpu, service=seen.service)
    return replace(told, migration=estimate(seen, told, market(seen)))


def test_an_encoder_of_32_bits_on_cpus_with_vnni():
    seen = wide()
    found = concluded(RULE, seen, known(seen))
    assert found.title.startswith("evaluate the model with weights of 8 bits: ×")
    assert (found.changes[0].lever, found.changes[0].proposed) == (Lever.MODEL_PRECISION, "int8")
    low, likely, high = gains(found)["throughput_ratio"]
    # 0.05 outside, 0.1 elementwise, 0.85 of products at 1.8 to 4.2
    assert 1 / (0.05 + 0.13 + 0.85 / 1.8) < low < likely < high < 1 / (0.05 + 0.09 + 0.85 / 4.2)
    assert numbers(found)["kernel_share"] == pytest.approx(0.85)
    assert "evaluation" in found.summary


def test_products_just_too_small_a_part():
    seen = wide()
    assert concluded(RULE, seen, known(seen, kernel=0.56))
    assert verdict(RULE, seen, known(seen, kernel=0.48)) is None


def test_a_few_integers_beside_the_weights_change_nothing():
    seen = wide()
    files = (replace(seen.service.models[0].files[0], dtypes={"F32": 109_000_000, "I64": 512}),)
    seen = replace(seen, service=replace(seen.service, models=(replace(seen.service.models[0], files=files),)))
    assert concluded(RULE, seen, known(seen))


def test_products_of_8_bits_that_are_made_already_are_left():
    seen = wide()
    told = known(seen)
    hot = (HotSpot(where="fbgemm::PackAWithQuantRowOffset (libtorch_cpu.so)", share=0.3, work="kernel"),)
    assert told.profile is not None
    workers = tuple(replace(w, hot=(*w.hot, *hot)) for w in told.profile.workers)
    assert verdict(RULE, seen, replace(told, profile=replace(told.profile, workers=workers))) is None


@pytest.mark.parametrize("types", [("F16",), ("I8", "F32"), ("Q4_K",), ()])
def test_weights_that_are_narrow_already_or_not_known_are_left(types: tuple[str, ...]):
    seen = stored(encoder(), *types)
    assert verdict(RULE, seen, known(seen)) is None


def test_without_instructions_for_8_bits_it_says_nothing():
    seen = wide()
    assert verdict(RULE, seen, known(seen, CpuFeatures(flags=("avx", "avx2", "fma")))) is None
    assert verdict(RULE, seen, known(seen, CpuFeatures())) is None


def test_a_service_with_time_to_spare_is_left():
    seen = wide(0.3)
    assert verdict(RULE, seen, known(seen)) is None


def test_without_a_profile_it_asks_for_one():
    seen = wide()
    found = verdict(RULE, seen, replace(known(seen), profile=None))
    assert isinstance(found, Need)
    assert verdict(RULE, seen, known(seen, samples=200)) is None


def test_threads_that_fight_are_mended_first():
    seen = fighting_pools()
    seen = replace(seen, service=replace(seen.service, models=wide().service.models))
    told = replace(known(seen), migration=known(wide()).migration)
    assert concluded(RULE, seen, told)
    assert [j.rule for j in judged([RULE, CpuOversubscribedOpenmp()], seen, told).judged] == [
        "cpu-oversubscribed-openmp"
    ]


H100_BYTES = 3352e9
"""A second, of its bus and clock."""


def decoding(
    steps: float = 120.0, *, dtype: str = "BF16", gpu_named: str = "NVIDIA H100 80GB HBM3", **said: float
) -> View:
    """vLLM with an 8-billion model on a GPU, which makes so many steps a second: 16 GB of weights are read for each."""
    seen = server("vllm", models=[safetensors(dtype=dtype)], tokens_out_per_second=16 * steps, inter_token_seconds=1 / steps,
                  requests_per_second=8.0, **said)  # fmt: skip
    one = gpu([process(seen.workers[1], 70 * GIB)], name=gpu_named, compute_capability=9.0)
    return on_gpus(seen, one)


def test_tokens_that_wait_for_weights_of_16_bits_on_a_gpu():
    seen = decoding()
    found = concluded(RULE, seen, served(seen))
    share = 120 * 16_060_522_496 / H100_BYTES
    assert numbers(found)["bandwidth_share"] == pytest.approx(share, rel=0.01)
    assert (found.changes[0].lever, found.changes[0].proposed) == (Lever.PRECISION, "fp8")
    low, likely, high = gains(found)["latency_p50_ratio"]
    # of 0.57 / (0.6 to 0.85) of the time half is left, with a tenth or more on top; of throughput nothing is said
    assert 1 - share / 0.6 / 2 < low < likely < high < 0.85
    assert "throughput_ratio" not in gains(found)
    assert "fp8" in found.title


def test_below_half_of_the_bandwidth_something_else_limits_it():
    assert concluded(RULE, decoding(108), served(decoding(108)))
    assert verdict(RULE, decoding(100), served(decoding(100))) is None


def test_a_model_that_is_quantised_already_is_left():
    seen = decoding()
    assert verdict(RULE, seen, served(seen, precision="fp8")) is None
    narrow = decoding(dtype="F8_E4M3")
    assert verdict(RULE, narrow, served(narrow)) is None


@pytest.mark.parametrize("how", ["bitsandbytes", "gptq", "torchao", "experts_int8"])
def test_what_is_quantised_while_it_is_loaded_is_left(how: str):
    seen = decoding()
    assert verdict(RULE, seen, served(seen, precision=how)) is None
    assert concluded(RULE, seen, served(seen, precision="auto"))


def test_steps_that_no_memory_could_give_are_not_believed():
    """Several replicas behind one page, or tokens that are guessed in advance."""
    seen = decoding(210)
    assert verdict(RULE, seen, served(seen)) is None


@pytest.mark.parametrize("framework", ["llama-server", "triton", "litserve"])
def test_servers_that_do_not_quantise_at_load_are_left(framework: str):
    seen = decoding()
    other = replace(seen, service=replace(seen.service, framework=framework))
    assert verdict(RULE, other, served(other)) is None


def test_a_device_without_fp8_is_left():
    seen = decoding()
    older = replace(seen.gpus[0].gpu, compute_capability=8.0, architecture="ampere")
    seen = on_gpus(seen, older)
    assert verdict(RULE, seen, served(seen)) is None


def test_a_device_of_unknown_bandwidth_is_what_is_missing():
    seen = decoding(gpu_named="NVIDIA Unheard Of 9")
    found = verdict(RULE, seen, served(seen))
    assert isinstance(found, Need)
    assert "bandwidth" in found.text


def test_what_the_owner_states_of_a_device_counts():
    seen = decoding(gpu_named="NVIDIA Unheard Of 9")
    stated = Device(
        name="Unheard Of 9",
        kind="gpu",
        memory=80,
        bandwidth=3000,
        peak={"fp16": 900},
        sources=("its owner",),
        stated=True,
    )
    own = seen.gpus[0].gpu
    seen = on_gpus(seen, replace(own, memory_total_bytes=80 * GIB))
    found = concluded(RULE, seen, replace(served(seen), stated_devices=(stated,)))
    assert numbers(found)["bandwidth_share"] == pytest.approx(120 * 16_060_522_496 / 3e12, rel=0.01)


def test_a_service_on_a_gpu_that_makes_no_tokens_is_left():
    seen = on_gpu()
    assert verdict(RULE, seen, facts(seen, environ={})) is None


def test_a_graph_runtime_comes_first_where_both_stand():
    """Its answers stay the same, and tools quantise its files."""
    assert RULE.after == ("runtime-format-candidate",)
    seen = wide()
    seen = replace(seen, service=replace(seen.service, workers=tuple(
        replace(w, compute_libraries=("torch", "mkl")) for w in seen.service.workers)))  # fmt: skip
    told = known(seen, kernel=0.65)
    said = [j.rule for j in judged([RULE, RuntimeFormatCandidate()], seen, told).judged]
    assert sorted(said) == ["quantisation-candidate", "runtime-format-candidate"]
