"""The dimensions of published models give their published totals, weights and caches, and not the wrong ones among them."""

import pytest

from advisor.gpu.holding import VALUE_BYTES
from advisor.migration.kv_cache import cache_bytes, cross_bytes, elements_per_token
from advisor.migration.parameters import Parameters, parameters_of
from advisor.migration.vision_nets import NETS, net_of
from tests.advisor.migration.published import BY_ID, FAMILY, MODELS, shape

MIB, GIB = 1 << 20, 1 << 30
TIED_OTHERWISE = {"falcon-7b": {"tie_word_embeddings": False}}
"""Of which the published total is not that of the family's usual configuration."""
NET = {"resnet-50": "ResNet-50", "mobilenet-v2": "MobileNetV2", "mobilenet-v3-large": "MobileNetV3-Large",
       "mobilenet-v3-small": "MobileNetV3-Small"}  # fmt: skip
BYTES = {"16-bit": 2, "bfloat16": 2, "float32": 4}
MASKS_OF_GPT2 = 12 * 1024 * 1024 * 4
"""That its file holds beside the weights."""


def counted(name: str) -> Parameters:
    found = parameters_of(shape(BY_ID[name], **TIED_OTHERWISE.get(name, {})))
    assert found is not None
    return found


def total(name: str) -> int:
    return NETS[NET[name]]().parameters if name in NET else counted(name).total


def test_all_of_the_collection_are_here():
    assert {one["id"] for one in MODELS} == {*FAMILY, *NET, "extra-measurements"}


@pytest.mark.parametrize("name", [*FAMILY, *NET])
def test_the_total_is_the_computed_one_and_each_published_one_that_agrees(name: str):
    model = BY_ID[name]
    assert total(name) == model["params_total"]["value"]
    for published in model["params_published"]:
        near = total(name) == pytest.approx(published["value"], rel=0.001)
        assert near == published["agrees_within_0_1_percent"], published


@pytest.mark.parametrize("name", [one["id"] for one in MODELS if one["weights_bytes"] and one["native_dtype"] in BYTES])
def test_weights_on_disk_follow_within_two_percent(name: str):
    model = BY_ID[name]
    kept = MASKS_OF_GPT2 if name == "gpt2" else 0
    kept += 4 * NETS[NET[name]]().statistics if name in NET else 0
    for published in model["weights_bytes"]:
        assert BYTES[model["native_dtype"]] * total(name) + kept == pytest.approx(published["value"], rel=0.02)


@pytest.mark.parametrize("name", [name for name in FAMILY if BY_ID[name]["kv"]["bytes_per_token"]])
def test_bytes_that_a_token_takes_in_the_cache(name: str):
    seen, kv = shape(BY_ID[name]), BY_ID[name]["kv"]
    assert elements_per_token(seen) == kv["bytes_per_token"] / kv["element_bytes"]
    if "expanded_bytes_per_token" in kv:
        assert cache_bytes(seen, 1, expanded=True) == kv["expanded_bytes_per_token"]
    if "cap_tokens" in kv:
        for tokens in (kv["cap_tokens"], 2 * kv["cap_tokens"]):
            assert cache_bytes(seen, tokens) == kv["bytes_at_cap"]
        assert cache_bytes(seen, 2 * kv["cap_tokens"], windows=False) == 2 * kv["bytes_at_cap"]
    if "bytes_at_8192_window" in kv:
        assert cache_bytes(seen, 8192) == kv["bytes_at_8192_window"]
        assert cache_bytes(seen, 8192, windows=False) == kv["bytes_at_8192_uncapped"]
    if "cross_bytes_per_sequence" in kv:
        assert cross_bytes(seen) == kv["cross_bytes_per_sequence"]


def measured(name: str, start: str) -> float:
    return float(next(one["published"] for one in BY_ID[name]["measured"] if one["what"].startswith(start)))


def test_caches_that_servers_have_logged():
    llama, phi, v3 = (shape(BY_ID[name]) for name in ("llama-3.1-8b", "phi-3-mini-4k", "deepseek-v3"))
    assert (cache_bytes(llama, 1952 * 16) or 0) / GIB == pytest.approx(measured("llama-3.1-8b", "vLLM, RTX"), rel=0.02)
    assert (cache_bytes(llama, 1478 * 16) or 0) / GIB == pytest.approx(measured("llama-3.1-8b", "same, max"), rel=0.02)
    long = cache_bytes(phi, 131328, windows=False) or 0
    assert long / MIB == pytest.approx(measured("phi-3-mini-4k", "llama.cpp"), rel=0.0001)
    latent = cache_bytes(v3, 32768, VALUE_BYTES["q8_0"]) or 0
    assert latent / MIB == pytest.approx(measured("deepseek-v3", "ik_llama"), rel=0.0001)
    for name, layers in (("deepseek-v2-lite", 27), ("deepseek-v3", 61)):
        width = (elements_per_token(shape(BY_ID[name]), expanded=True) or 0) / layers
        assert width == measured(name, "llama.cpp without MLA cache")
    small = shape(BY_ID["whisper-small"])
    assert (cache_bytes(small, 448) or 0) / MIB == measured("whisper-small", "whisper.cpp, small.en, f16: KV")
    assert cross_bytes(small) / MIB == pytest.approx(measured("whisper-small", "same: KV cross"), rel=0.001)
    large = shape(
        BY_ID["whisper-small"], hidden_size=1280, decoder_layers=32, num_attention_heads=20, num_key_value_heads=20
    )
    assert (cache_bytes(large, 448) or 0) / MIB == measured("whisper-small", "large (32")
    assert cross_bytes(large) / MIB == pytest.approx(measured("whisper-small", "large: KV cross"), rel=0.001)


def test_wrong_formulas_that_were_published_are_not_those_used():
    assert elements_per_token(shape(BY_ID["qwen2.5-7b"])) == 57344 / 2 != 1605632 / 8
    assert cache_bytes(shape(BY_ID["deepseek-v3"]), 1) == 70272 != 124928


def test_weights_that_a_token_is_multiplied_with():
    assert counted("mixtral-8x7b").computed + counted("mixtral-8x7b").table == pytest.approx(12_879_925_248, rel=1e-5)
    assert counted("deepseek-v3").computed == pytest.approx(36.7e9, rel=0.01)
    assert counted("bert-base-uncased").computed < 90e6, "nothing is multiplied with its embeddings"
    assert counted("gpt2").computed == pytest.approx(124e6, rel=0.01), "its table is the output layer"


def test_multiply_adds_of_an_image():
    published = {"ResNet-50": 4.1e9, "MobileNetV2": 0.3e9}
    for name, expected in published.items():
        assert NETS[name]().multiply_adds == pytest.approx(expected, rel=0.02)


def test_a_network_is_known_by_how_many_numbers_its_file_holds():
    assert [found[0] if (found := net_of(n)) else None for n in (25557032, 25557032 + 53120 + 53, 25000000)] == [
        "ResNet-50", "ResNet-50", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "missing",
    ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size", "model_type"],
)
def test_without_a_dimension_nothing_is_counted(missing: str):
    assert parameters_of(shape(BY_ID["llama-3-8b"], **{missing: None})) is None


def test_more_layers_without_experts_than_layers_are_all_of_them():
    """As a file may say that nobody vouches for: no number of weights is below 0."""
    lying = parameters_of(shape(BY_ID["deepseek-v2-lite"], n_routed_experts=4, first_k_dense_replace=1 << 31))
    plain = parameters_of(shape(BY_ID["deepseek-v2-lite"], n_routed_experts=4, first_k_dense_replace=27))
    assert lying == plain
    assert plain is not None
    assert plain.active_layers == plain.layers > 0
