"""R43 on built hosts: FP8 on Ampere, BF16 on Turing, INT8 on a CPU without 8-bit products, and what only looks like them."""

import msgspec
import pytest
from msgspec.structs import replace

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.low_precision_unsupported import LowPrecisionUnsupported
from advisor.view import View
from collectors.cpu_features import CpuFeatures
from collectors.entities import Model
from collectors.levers import Lever, Setting
from collectors.model_file import ModelFile
from tests.advisor import built
from tests.advisor.built import concluded, facts, numbers, verdict
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.llm_built import LLAMA_8B_BYTES, gguf, known, safetensors, server

RULE = LowPrecisionUnsupported()
A10 = ("NVIDIA A10", "ampere", 8.6)
T4 = ("Tesla T4", "turing", 7.5)
V100 = ("Tesla V100-SXM2-16GB", "volta", 7.0)
H100 = ("NVIDIA H100 80GB HBM3", "hopper", 9.0)
B200 = ("NVIDIA B200", "blackwell", 10.0)
AVX2 = ("avx", "avx2", "fma")
AVX512 = (*AVX2, "avx512f")
VNNI = (*AVX512, "avx512_vnni")
SETTINGS = {"precision": None, "dtype": "auto", "kv_cache_precision": "auto"}


def quantised(method: str, dtypes: dict[str, int] | None = None, size: int = LLAMA_8B_BYTES // 2) -> Model:
    """A checkpoint that says how it is quantised."""
    config = ModelFile(path="/m/config.json", format="hf-config", size_bytes=654, quantization=method,
                       stated_dtype="bfloat16")  # fmt: skip
    file = ModelFile(path="/m/model.safetensors", format="safetensors", size_bytes=size, dtypes=dtypes or {})
    return Model(name="m", path="/m", format="safetensors", files=(config, file))


def graph(dtypes: dict[str, int], quantization: str | None = "w8a8") -> Model:
    file = ModelFile(path="/m/m.onnx", format="onnx", size_bytes=25_000_000, dtypes=dtypes, quantization=quantization)
    return Model(name="resnet", path=file.path, format="onnx", files=(file,))


def on(card: tuple[str, str, float | None] = A10, held: int | None = 20 * GIB, *more: tuple[str, str, float | None],
       framework: str = "vllm", models: tuple[Model, ...] | None = None) -> View:  # fmt: skip
    """A server of an 8B model that holds so much of one card, and of others."""
    seen = server(framework, models=models or (safetensors(),))
    cards = [
        gpu([process(101, held)], uuid=f"GPU-{k}", index=k, name=name, architecture=kind, compute_capability=capability)
        for k, (name, kind, capability) in enumerate((card, *more))
    ]
    return on_gpus(seen, *cards)


def starting(card: tuple[str, str, float | None] = T4, **said: object) -> View:
    """It has its driver mapped, a context, and no weights yet."""
    return on(card, GIB // 2, **said)  # type: ignore[arg-type]


def on_cpus(framework: str = "gunicorn", models: tuple[Model, ...] = (graph({"INT8": 900, "FLOAT": 100}),)) -> View:
    """A service without any driver of a GPU."""
    seen = server(framework, models=models)
    workers = tuple(replace(one, drivers=()) for one in seen.service.workers)
    return replace(seen, service=replace(seen.service, workers=workers))


def fp8(seen: View) -> ServiceFacts:
    return known(seen, **{**SETTINGS, "precision": "fp8"})


def plain(seen: View) -> ServiceFacts:
    return known(seen, **SETTINGS)


def bf16(seen: View) -> ServiceFacts:
    return known(seen, **{**SETTINGS, "dtype": "bfloat16"})


def flagged(seen: View, flags: tuple[str, ...] | None = AVX2, **levers: str | None) -> ServiceFacts:
    given = known(seen, **levers) if levers else facts(seen, environ={})
    return replace(given, cpu=CpuFeatures(flags=flags))


def changed(found: object) -> list[tuple[str, object, object]]:
    return [(c.lever.value, c.current, c.proposed) for c in found.changes]  # type: ignore[attr-defined]


# ---- widened ---------------------------------------------------------------------------------------------------------


def test_fp8_on_ampere_runs_as_weights_alone_and_int8_is_what_it_multiplies() -> None:
    seen = on()
    found = concluded(RULE, seen, fp8(seen))
    assert numbers(found) == {"compute_capability": 8.6, "gpus": 1}
    assert found.evidence[0].threshold == 8.9
    assert found.title == (
        "FP8 weights on GPU 0 (NVIDIA A10): widened to 16 bits, as it multiplies FP8 from compute capability 8.9 on"
    )
    assert changed(found) == [], "compressed-tensors would load neither a checkpoint in 16 bits nor one in FP8"
    assert "INT8 weights and inputs (W8A8): a checkpoint that is quantised so is needed" in found.summary
    assert "evaluate its answers before it serves" in found.summary
    assert (found.gains, found.confidence) == ((), 0.8)


def test_ada_hopper_and_blackwell_multiply_it() -> None:
    for card in (("NVIDIA L4", "ada", 8.9), H100, B200):
        assert verdict(RULE, on(card), fp8(on(card))) is None


@pytest.mark.parametrize(("architecture", "told"), [("ampere", 8.0), ("turing", 7.5), ("hopper", None), ("ada", None)])
def test_where_the_driver_tells_no_capability_its_architecture_does(architecture: str, told: float | None) -> None:
    seen = on(("GPU", architecture, None))
    assert (numbers(concluded(RULE, seen, fp8(seen)))["compute_capability"] if told else None) == told
    assert told or verdict(RULE, seen, fp8(seen)) is None


def test_the_least_capable_of_its_devices_counts_and_the_others_are_not_blamed() -> None:
    seen = on(H100, 20 * GIB, A10)
    found = concluded(RULE, seen, fp8(seen))
    assert numbers(found) == {"compute_capability": 8.6, "gpus": 1}
    assert "on GPU 1 (NVIDIA A10):" in found.title


def test_a_checkpoint_says_it_as_well_and_then_no_setting_is_to_be_changed() -> None:
    for model in (
        quantised("fp8", {"F8_E4M3": 900, "BF16": 100}),
        quantised("compressed-tensors", {"F8_E4M3": 900, "BF16": 100}),
    ):
        seen = on(models=(model,))
        found = concluded(RULE, seen, plain(seen))
        assert numbers(found)["weights_in_the_form"] == 0.9
        assert changed(found) == []
        assert "INT8 weights and inputs (W8A8): a checkpoint that is quantised so is needed" in found.summary


def test_a_few_layers_in_fp8_are_not_its_case() -> None:
    seen = on(models=(quantised("modelopt", {"F8_E4M3": 24, "BF16": 76}),))
    assert verdict(RULE, seen, plain(seen)) is None
    seen = on(models=(quantised("modelopt", {"F8_E4M3": 25, "BF16": 75}),))
    assert numbers(concluded(RULE, seen, plain(seen)))["weights_in_the_form"] == 0.25


def test_nvfp4_on_hopper_is_widened_and_nothing_of_its_size_is_better() -> None:
    packed = {"U8": 4_000, "F8_E4M3": 500, "BF16": 300}
    for method in ("compressed-tensors", "modelopt"):
        seen = on(H100, models=(quantised(method, packed),))
        found = concluded(RULE, seen, plain(seen))
        assert found.title.startswith("NVFP4 weights on GPU 0 (NVIDIA H100 80GB HBM3): widened to 16 bits")
        assert numbers(found)["compute_capability"] == 9.0
        assert found.changes == ()
        assert "Where their room is what counts, nothing is wrong" in found.summary
        on_blackwell = on(B200, models=(quantised(method, packed),))
        assert verdict(RULE, on_blackwell, plain(on_blackwell)) is None


def test_of_another_runtime_only_what_no_runtime_can_avoid_is_said() -> None:
    seen = on(framework="gunicorn", models=(quantised("fp8"),))
    found = concluded(RULE, seen, facts(seen, environ={}))
    assert (found.changes, found.confidence) == ((), 0.5)
    assert "at each product or once as it loads" in found.summary
    other = on(V100, framework="gunicorn", models=(quantised("compressed-tensors", {"I8": 90}),))
    assert verdict(RULE, other, facts(other, environ={})) is None


def test_a_turing_card_that_has_loaded_it_widens_it() -> None:
    seen = on(T4)
    assert "FP8 weights on GPU 0 (Tesla T4): widened to 16 bits" in concluded(RULE, seen, fp8(seen)).title


# ---- refused ---------------------------------------------------------------------------------------------------------


def test_fp8_on_turing_is_refused_by_older_releases() -> None:
    seen = starting()
    found = concluded(RULE, seen, fp8(seen))
    assert (
        found.title == "vLLM has no kernels for FP8 on GPU 0 (Tesla T4): releases before the end of 2025 do not load it"
    )
    assert "vLLM refuses FP8 below 8.0. Later ones load it, as weights alone." in found.summary
    assert numbers(found)["compute_capability"] == 7.5
    assert found.confidence == 0.5
    assert changed(found) == []
    other = starting(framework="sglang")
    found = concluded(RULE, other, fp8(other))
    assert found.confidence == 0.7
    assert "2025" not in found.summary
    assert changed(found) == []
    assert "a checkpoint that is quantised so is needed" in found.summary
    older = starting(V100)
    found = concluded(RULE, older, fp8(older))
    assert (found.confidence, found.changes) == (0.7, ())


def test_bf16_that_is_asked_for_is_refused_on_turing_and_float16_is_not() -> None:
    seen = starting()
    found = concluded(RULE, seen, bf16(seen))
    assert found.title == "vLLM has no kernels for BF16 on GPU 0 (Tesla T4): it will not load"
    assert (
        "Dtype is bfloat16 (argument); the compute capability is 7.5, and vLLM refuses BF16 below 8.0" in found.summary
    )
    assert changed(found) == [("dtype", "bfloat16", "float16")]
    assert numbers(found)["compute_capability"] == 7.5
    assert "Float16 has a smaller range: evaluate its answers before it serves" in found.summary
    for quiet in (plain(seen), known(seen, precision=None, dtype="half")):  # `auto` takes float16 there by itself
        assert verdict(RULE, seen, quiet) is None
    for runs in (on(T4), starting(A10), starting(framework="sglang")):
        assert verdict(RULE, runs, bf16(runs)) is None


def test_before_it_is_on_a_device_the_best_of_the_node_counts() -> None:
    def waits(*cards: tuple[str, str, float | None]) -> View:
        seen = on(cards[0], 0, *cards[1:])
        workers = tuple(replace(one, drivers=("cuda",)) for one in seen.service.workers)
        empty = [replace(one, processes=(), unknown_memory_bytes=0) for one in seen.node_gpus]
        return replace(on_gpus(seen, *empty), service=replace(seen.service, workers=workers))

    seen = waits(T4, V100)
    assert seen.gpus == ()
    found = concluded(RULE, seen, fp8(seen))
    assert (numbers(found), found.evidence[0].threshold) == ({"compute_capability": 7.5, "gpus": 2}, 8.0)
    assert verdict(RULE, waits(T4, H100), fp8(waits(T4, H100))) is None


@pytest.mark.parametrize(
    ("card", "value", "proposed"),
    [(T4, "awq_marlin", "awq"), (T4, "gptq_marlin", "gptq"), (T4, "marlin", None), (T4, "nvfp4", None), (V100, "awq", None),
     (T4, "mxfp4", None), (B200, "w8a8_int8", None)],
)  # fmt: skip
def test_other_forms_that_vllm_refuses(card: tuple[str, str, float], value: str, proposed: str | None) -> None:
    seen = starting(card)
    found = concluded(RULE, seen, known(seen, precision=value))
    assert found.title.endswith("not load it" if card is T4 else "it will not load")
    assert [c.proposed for c in found.changes] == ([] if proposed is None else [proposed])
    assert ("checkpoint" in found.summary) is (value in ("nvfp4", "w8a8_int8")), "of the others it is the same one"
    assert ("from 10.0 on" if card is B200 else "below") in found.summary
    loaded = on(card)
    after = verdict(RULE, loaded, known(loaded, precision=value))
    assert after is None or value == "nvfp4", "what runs is not refused"


def test_int8_of_turing_to_hopper_is_multiplied() -> None:
    model = quantised("compressed-tensors", {"I8": 900, "BF16": 100})
    for card in (T4, A10, H100):
        assert verdict(RULE, starting(card, models=(model,)), plain(starting(card, models=(model,)))) is None
    seen = starting(B200, models=(model,))
    assert numbers(concluded(RULE, seen, plain(seen)))["weights_in_the_form"] == 0.9


def test_a_server_that_may_have_loaded_it_is_not_said_to_be_refused() -> None:
    for runs in (
        on(T4, None),
        replace(starting(), metrics_age_seconds=3.0),
        starting(models=(Model(name="m", path="/m"),)),
    ):
        assert verdict(RULE, runs, bf16(runs)) is None


# ---- CPUs ------------------------------------------------------------------------------------------------------------


def test_an_int8_graph_on_cpus_without_8_bit_products() -> None:
    seen = on_cpus()
    found = concluded(RULE, seen, flagged(seen))
    assert numbers(found) == {"cpu_instructions_for_it": 0, "weights_in_the_form": 0.9}
    assert [e.threshold for e in found.evidence] == [1, 0.25]
    assert "none of amx_int8, avx512_vnni, avx_vnni, asimddp, i8mm" in found.summary
    assert "may saturate products" in found.summary
    assert (found.changes, found.gains) == ((), ())
    arm = concluded(RULE, seen, flagged(seen, ("asimd",)))
    assert "saturate" not in arm.summary


@pytest.mark.parametrize("flag", ["avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"])
def test_cpus_that_multiply_8_bits(flag: str) -> None:
    assert verdict(RULE, on_cpus(), flagged(on_cpus(), (*AVX2, flag))) is None


def test_bf16_of_vllm_on_cpus() -> None:
    stated = ModelFile(path="/m/config.json", format="hf-config", size_bytes=654, stated_dtype="bfloat16")
    model = Model(name="m", path="/m", files=(stated,))
    seen = on_cpus("vllm", (model,))
    found = concluded(RULE, seen, flagged(seen, AVX512, **SETTINGS))
    assert "The config.json of m states bfloat16; the CPUs have none of amx_bf16, avx512_bf16, bf16." in found.summary
    assert "float32 may be as fast" in found.summary
    narrow = concluded(RULE, seen, flagged(seen, AVX2, **SETTINGS))
    assert "Without AVX-512 PyTorch has a slow path" in narrow.summary
    for flag in ("avx512_bf16", "amx_bf16", "bf16"):
        assert verdict(RULE, seen, flagged(seen, (*AVX512, flag), **SETTINGS)) is None
    for said in ("float32", "float16"):
        assert verdict(RULE, seen, flagged(seen, AVX2, dtype=said)) is None
    other = on_cpus("gunicorn", (model,))  # whether its code computes in what is stored is not told
    assert verdict(RULE, other, flagged(other)) is None


def test_fp8_and_int8_of_vllm_on_cpus() -> None:
    seen = on_cpus("vllm", (quantised("fp8"),))
    assert "no instruction for FP8" in concluded(RULE, seen, flagged(seen, VNNI)).summary
    seen = on_cpus("vllm", (quantised("compressed-tensors", {"I8": 90, "BF16": 10}),))
    assert numbers(concluded(RULE, seen, flagged(seen)))["weights_in_the_form"] == 0.9
    assert verdict(RULE, seen, flagged(seen, VNNI)) is None


# ---- what is not known -----------------------------------------------------------------------------------------------


def needed(seen: View, given: ServiceFacts) -> tuple[str, str]:
    need = verdict(RULE, seen, given)
    assert isinstance(need, Need)
    return need.kind, need.text


def test_what_is_missing_is_asked_for_where_there_is_a_form_to_doubt() -> None:
    blind = on(("GPU", "unheard-of", None))
    assert needed(blind, fp8(blind)) == (
        "privilege", "compute capability of GPU 0 (GPU), for FP8 weights: NVML of a newer driver",
    )  # fmt: skip
    assert verdict(RULE, blind, plain(blind)) is None
    seen = on_cpus()
    assert needed(seen, flagged(seen, None)) == (
        "kernel", "instructions of the CPUs, for INT8: /proc/cpuinfo with their flags",
    )  # fmt: skip
    floats = on_cpus(models=(graph({"FLOAT": 100}, None),))
    assert verdict(RULE, floats, flagged(floats, None)) is None
    unread = server("gunicorn", models=(graph({"INT8": 9}),))
    assert needed(unread, flagged(unread))[0] == "privilege"
    assert verdict(RULE, unread, flagged(unread, VNNI)) is None, "it is multiplied there, wherever it runs"
    workers = tuple(replace(one, drivers=("cuda",)) for one in unread.service.workers)
    hidden = replace(unread, service=replace(unread.service, workers=workers))
    assert needed(hidden, flagged(hidden))[1].startswith("compute capability of its GPUs")
    title = Setting(lever=Lever.PRECISION, value=None, origin="its title replaced the command line")
    assert verdict(RULE, on(), replace(plain(on()), settings=(title,))) is None


# ---- look-alikes -----------------------------------------------------------------------------------------------------


def test_weights_in_few_bits_to_save_room_alone() -> None:
    q4 = on(V100, framework="llama-server", models=(gguf(5 * GIB),))
    assert verdict(RULE, q4, known(q4, kv_cache_precision="q8_0")) is None
    on_old = on_cpus("llama-server", (gguf(5 * GIB),))
    assert verdict(RULE, on_old, flagged(on_old)) is None
    alone = on_cpus(models=(graph({"UINT8": 900, "FLOAT": 100}, None),))  # MatMulNBits packs 4 bits in them
    assert verdict(RULE, alone, flagged(alone)) is None
    for method in ("gptq", "bitsandbytes", "awq", "mxfp4"):
        seen = on(A10, models=(quantised(method, {"I32": 900, "BF16": 100}),))
        assert verdict(RULE, seen, plain(seen)) is None
        cpu = on_cpus("vllm", (quantised(method),))
        assert verdict(RULE, cpu, flagged(cpu, precision=method)) is None


def test_an_8_bit_cache_is_widened_on_any_device_and_saves_room() -> None:
    seen = on()
    assert verdict(RULE, seen, known(seen, kv_cache_precision="fp8", precision=None)) is None
    found = concluded(RULE, seen, known(seen, kv_cache_precision="fp8", precision="fp8"))
    assert "an 8-bit KV cache" in [one.cause for one in found.rejected]


@pytest.mark.parametrize("vendor", ["amd", "google", "aws"])
def test_devices_with_forms_of_their_own(vendor: str) -> None:
    seen = on()
    other = on_gpus(seen, *(replace(one, vendor=vendor, compute_capability=None) for one in seen.node_gpus))
    assert verdict(RULE, other, fp8(other)) is None


@pytest.mark.parametrize("host", [built.healthy, built.too_many_workers, on, starting])
def test_plain_models_are_asked_for_nothing(host) -> None:
    seen = host()
    assert verdict(RULE, seen, replace(facts(seen, environ={}), cpu=CpuFeatures(flags=AVX2))) is None


def test_it_is_info_among_all_rules_and_needs_no_load() -> None:
    seen = msgspec.structs.replace(on(), samples=0, loaded_now=False)
    found = Engine(all_rules()).judge(seen, fp8(seen))
    assert [(j.rule, j.severity) for j in found.judged] == [("low-precision-unsupported", "info")]
    assert found.broken == ()
