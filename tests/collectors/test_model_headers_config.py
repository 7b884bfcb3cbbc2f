"""What a Hugging Face config.json and the index of a sharded model state."""

import json
from pathlib import Path

import pytest

from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.collectors.model_bytes import read

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}


def config(folder: Path, document: object) -> ModelFile:
    (folder / "config.json").write_text(json.dumps(document))
    return read(folder / "config.json")


def geometry(folder: Path, **document: object) -> Geometry:
    found = config(folder, document).geometry
    assert found is not None
    return found


def test_geometry_architecture_type_and_quantisation(tmp_path: Path) -> None:
    file = config(tmp_path, {**LLAMA, "quantization_config": {"quant_method": "awq", "bits": 4}})
    assert (file.format, file.architecture, file.stated_dtype, file.quantization) == (
        "hf-config", "LlamaForCausalLM", "bfloat16", "awq",
    )  # fmt: skip
    assert file.geometry == Geometry(
        layers=32, hidden_size=4096, heads=32, kv_heads=8, vocabulary=128256, context=131072
    )
    assert file.geometry.kv_elements_per_token == 2 * 32 * 8 * 128


def test_the_language_model_of_several_kinds_of_input(tmp_path: Path) -> None:
    text = {key: value for key, value in LLAMA.items() if key != "architectures"} | {"head_dim": 256}
    file = config(tmp_path, {"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text, "vision": {}})
    assert (file.architecture, file.stated_dtype) == ("Gemma3ForConditionalGeneration", "bfloat16")
    assert file.geometry is not None
    assert (file.geometry.layers, file.geometry.head_size) == (32, 256)


@pytest.mark.parametrize(
    ("document", "layers", "hidden", "heads", "kv_heads"),
    [
        ({"n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024}, 12, 768, 12, None),
        ({"n_layers": 32, "d_model": 4096, "n_heads": 32}, 32, 4096, 32, None),
        ({"num_layers": 28, "hidden_size": 4096, "num_attention_heads": 32, "multi_query_group_num": 2}, 28, 4096, 32, 2),
        ({"n_layer": 40, "n_embd": 6144, "n_head": 48, "multi_query": True}, 40, 6144, 48, 1),
        (
            {
                "num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 128, "num_kv_heads": 8,
                "multi_query": True, "new_decoder_architecture": True,
            },
            60, 8192, 128, 8,
        ),
    ],
)  # fmt: skip
def test_other_families_have_other_names(
    tmp_path: Path, document: dict[str, object], layers: int, hidden: int, heads: int, kv_heads: int | None
) -> None:
    found = geometry(tmp_path, **document)
    assert (found.layers, found.hidden_size, found.heads, found.kv_heads) == (layers, hidden, heads, kv_heads)


def test_experts(tmp_path: Path) -> None:
    found = geometry(tmp_path, num_local_experts=8, num_experts_per_tok=2)
    assert (found.experts, found.active_experts) == (8, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"kv_lora_rank": 512},
        {"layer_types": ["linear_attention", "full_attention"]},
        {"layer_types": ["sliding_attention", "full_attention"]},
        {"sliding_window": 4096},
        {"mamba_d_state": 16},
        {"is_encoder_decoder": True},
    ],
)
def test_the_cache_of_attention_that_is_not_plain_is_not_known(tmp_path: Path, other: dict[str, object]) -> None:
    found = geometry(tmp_path, **LLAMA, **other)
    assert (found.layers, found.heads, found.kv_elements_per_token) == (32, 32, None)


@pytest.mark.parametrize(
    "other",
    [
        {"layer_types": ["full_attention"] * 32},
        {"sliding_window": 131072},
        {"sliding_window": 4096, "use_sliding_window": False},
        {"sliding_window": None},
    ],
)
def test_a_window_that_is_off_or_holds_all_changes_nothing(tmp_path: Path, other: dict[str, object]) -> None:
    assert geometry(tmp_path, **LLAMA, **other).kv_elements_per_token == 65536


def test_values_that_no_model_has_are_not_stated(tmp_path: Path) -> None:
    file = config(
        tmp_path,
        {"architectures": ["a b; rm"], "num_hidden_layers": -1, "hidden_size": True, "vocab_size": 2**40, "dtype": [1]},
    )
    assert file == ModelFile(path=str(tmp_path / "config.json"), format="hf-config", size_bytes=file.size_bytes)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"a":' * 50_000, "no JSON"),
        (b" " * 262_145, "longer than 262144 bytes"),
        (b'"\xff"', "no JSON"),
    ],
)
def test_a_config_that_is_none_says_so(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    assert (read(tmp_path / "config.json").problem, read(tmp_path / "config.json").geometry) == (problem, None)


def test_an_index_states_the_bytes_of_all_its_files(tmp_path: Path) -> None:
    names = {f"model.layers.{n}.w": f"model-{n:05}-of-00100.safetensors" for n in range(100)}
    document = {"metadata": {"total_size": 16060522496, "total_parameters": 8030261248}, "weight_map": names}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(document, indent=2))
    file = read(tmp_path / "model.safetensors.index.json")
    assert (file.format, file.size_bytes, file.parameters) == ("safetensors-index", 16060522496, 8030261248)
    assert file.problem == "100 files, of which no header was read"


@pytest.mark.parametrize("content", [b"{}", b"", b'{"weight_map": {"a": "../../x.bin"}}'])
def test_an_index_without_files_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors.index.json").write_bytes(content)
    assert read(tmp_path / "model.safetensors.index.json").problem == "it names no file"
