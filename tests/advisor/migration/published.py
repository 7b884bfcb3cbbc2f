"""Published configurations of models, as a config.json would state them (`published_models.json` names every source)."""

import json
import tempfile
from pathlib import Path
from typing import Any

from collectors.model_geometry import Geometry
from tests.collectors.model_bytes import read

MODELS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "published_models.json").read_text())
BY_ID = {one["id"]: one for one in MODELS}
FAMILY = {
    "llama-2-7b": "llama", "llama-2-70b": "llama", "llama-3-8b": "llama", "llama-3.1-8b": "llama", "llama-3-70b": "llama",
    "llama-3.2-1b": "llama", "mistral-7b-v0.1": "mistral", "mixtral-8x7b": "mixtral", "qwen2.5-7b": "qwen2",
    "qwen2.5-0.5b": "qwen2", "gemma-2-9b": "gemma2", "gemma-2-27b": "gemma2", "phi-3-mini-4k": "phi3",
    "falcon-7b": "falcon", "deepseek-v2-lite": "deepseek_v2", "deepseek-v3": "deepseek_v3", "gpt2": "gpt2",
    "bert-base-uncased": "bert", "distilbert-base": "distilbert", "minilm-l6": "bert", "vit-b-16": "vit",
    "whisper-small": "whisper",
}  # fmt: skip
_NAMES = {
    "num_experts": "n_routed_experts", "experts_per_token": "num_experts_per_tok", "shared_experts": "n_shared_experts",
    "first_dense_layers": "first_k_dense_replace",
}  # fmt: skip
"""Names in the collection that differ from those in a config.json."""


def hf_config(model: dict[str, Any]) -> dict[str, Any]:
    said = {_NAMES.get(name, name): value for name, value in model["config"].items() if value is not None}
    return {"model_type": FAMILY[model["id"]], **said}


def shape(model: dict[str, Any], **other: object) -> Geometry:
    """As the reader of config.json files sees it. `other`: what is stated otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps({**hf_config(model), **other}))
        found = read(path).geometry
    assert found is not None
    return found
