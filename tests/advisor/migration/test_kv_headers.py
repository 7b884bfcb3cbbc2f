"""Bytes of the KV cache that follow from headers, of each kind of attention, in both forms: exact."""

import json
from pathlib import Path

import pytest

from advisor.migration.kv_cache import cache_bytes, elements_per_token
from collectors.model_geometry import Geometry
from tests.collectors.model_bytes import Gguf, read

LAYERS, HEADS, SIZE, HIDDEN = 24, 16, 64, 1024
WINDOW, LONG = 512, 4096
RANK, ROPE, NOPE, VALUE = 512, 64, 128, 128


def from_config(folder: Path, **said: object) -> Geometry:
    whole = {"model_type": "llama", "num_hidden_layers": LAYERS, "hidden_size": HIDDEN, "num_attention_heads": HEADS,
             "max_position_embeddings": LONG, **said}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(whole))
    found = read(folder / "config.json").geometry
    assert found is not None
    return found


def from_gguf(folder: Path, architecture: str = "llama", flags: list[bool] | None = None, **said: int) -> Geometry:
    made = Gguf().string("general.architecture", architecture)
    numbers = {"block_count": LAYERS, "embedding_length": HIDDEN, "attention.head_count": HEADS, "context_length": LONG}
    for key, value in {**numbers, **said}.items():
        made.u32(f"{architecture}.{key.replace('__', '.')}", value)
    if flags is not None:
        body = made.pack("IQ", 7, len(flags)) + bytes(map(int, flags))
        made.pair(f"{architecture}.attention.sliding_window_pattern", 9, body)
    (folder / "m.gguf").write_bytes(made.file())
    found = read(folder / "m.gguf").geometry
    assert found is not None
    return found


@pytest.mark.parametrize(("kind", "kv_heads"), [("MHA", HEADS), ("GQA", 4), ("MQA", 1)])
def test_heads_that_share_keys_and_values(tmp_path: Path, kind: str, kv_heads: int):
    for shape in (
        from_config(tmp_path, num_key_value_heads=kv_heads),
        from_gguf(tmp_path, attention__head_count_kv=kv_heads),
    ):
        assert elements_per_token(shape) == 2 * LAYERS * kv_heads * SIZE
        assert cache_bytes(shape, LONG) == 2 * LAYERS * kv_heads * SIZE * LONG * 2


def test_one_head_of_all_that_a_config_states_as_multi_query(tmp_path: Path):
    shape = from_config(tmp_path, model_type="falcon", multi_query=True)
    assert elements_per_token(shape) == 2 * LAYERS * SIZE


def test_heads_whose_size_is_not_hidden_by_heads(tmp_path: Path):
    for shape in (
        from_config(tmp_path, num_key_value_heads=4, head_dim=128),
        from_gguf(tmp_path, attention__head_count_kv=4, attention__key_length=128, attention__value_length=128),
    ):
        assert elements_per_token(shape) == 2 * LAYERS * 4 * 128


def windowed(layers: int) -> int:
    """Bytes of a long sequence where so many layers keep the window alone."""
    return 2 * HEADS * SIZE * 2 * (layers * WINDOW + (LAYERS - layers) * LONG)


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ({"model_type": "mistral"}, LAYERS),
        ({"model_type": "gemma2"}, 12),
        ({"model_type": "gemma3_text"}, 20),
        ({"model_type": "cohere2", "sliding_window_pattern": 4}, 18),
        ({"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 20}, 4),
        ({"layer_types": ["sliding_attention", "full_attention", "full_attention"] * 8}, 8),
        ({"model_type": "mistral", "use_sliding_window": False}, 0),
    ],
)
def test_windows_of_a_config(tmp_path: Path, said: dict[str, object], layers: int):
    shape = from_config(tmp_path, sliding_window=WINDOW, **said)
    assert cache_bytes(shape, LONG) == windowed(layers)
    assert cache_bytes(shape, WINDOW // 2) == windowed(0) * WINDOW / 2 / LONG
    assert cache_bytes(shape, LONG, windows=False) == windowed(0)


@pytest.mark.parametrize(
    ("architecture", "said", "flags", "layers"),
    [
        ("gemma2", {}, None, 12),
        ("gemma3", {}, None, 20),
        ("onyx", {"attention__sliding_window_pattern": 4}, None, 18),
        ("onyx", {"attention__sliding_window_pattern": 0}, None, LAYERS),
        ("gpt-oss", {}, [True, False] * 12, 12),
        ("gemma3n", {}, [True] * 5 + [False] * 19, 5),
        ("llama", {}, None, 0),
    ],
)
def test_windows_of_gguf(
    tmp_path: Path, architecture: str, said: dict[str, int], flags: list[bool] | None, layers: int
):
    shape = from_gguf(tmp_path, architecture, flags, attention__sliding_window=WINDOW, **said)
    assert cache_bytes(shape, LONG) == windowed(layers)


def test_latent_attention_keeps_one_row_for_all_heads(tmp_path: Path):
    new = {"attention__key_length_mla": NOPE + ROPE, "attention__value_length_mla": VALUE,
           "attention__key_length": RANK + ROPE, "attention__value_length": RANK, "attention__head_count_kv": 1}  # fmt: skip
    old = {"attention__key_length": NOPE + ROPE, "attention__value_length": VALUE}
    latent = {"attention__kv_lora_rank": RANK, "rope__dimension_count": ROPE}
    for shape in (
        from_config(tmp_path, kv_lora_rank=RANK, qk_rope_head_dim=ROPE, qk_nope_head_dim=NOPE, v_head_dim=VALUE),
        from_gguf(tmp_path, "deepseek2", **latent, **old),
        from_gguf(tmp_path, "deepseek2", **latent, **new),
    ):
        assert elements_per_token(shape) == LAYERS * (RANK + ROPE)
        assert elements_per_token(shape, expanded=True) == LAYERS * HEADS * (NOPE + ROPE + VALUE)
        assert cache_bytes(shape, LONG, 34 / 32) == LAYERS * (RANK + ROPE) * LONG * 34 / 32


@pytest.mark.parametrize("missing", ["num_hidden_layers", "num_attention_heads"])
def test_what_is_not_stated_gives_no_size(tmp_path: Path, missing: str):
    assert cache_bytes(from_config(tmp_path, **{missing: None}), LONG) is None
