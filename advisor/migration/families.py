"""How do kinds of transformers differ where their dimensions do not say it?

Each entry was checked against a published total that its dimensions must give (`tests/advisor/migration`).
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`norms`: of a layer; `norm_values`: 1 for a weight alone, 2 with a bias."""

    kind: Literal["decoder", "encoder", "vision", "speech"] = "decoder"
    gated: bool = True
    """The feed-forward part has a third matrix, as of SwiGLU."""
    norms: int = 2
    norm_values: int = 1
    query_bias: bool = False
    key_bias: bool = False
    value_bias: bool = False
    output_bias: bool = False
    feed_forward_bias: bool = False
    positions: bool = False
    """A learnt vector for each position."""
    embedding_norm: bool = False
    final_norm: bool = True
    pooler: bool = False
    tied: bool = False
    """Unless the configuration says otherwise."""
    feed_forward_factor: int | None = None
    """Width inside the feed-forward part / hidden size, where it is not stated."""
    router_bias: bool = False
    heads_computed: bool = True
    """Whether it has an output layer over the vocabulary."""


_LLAMA = Family()
_QWEN2 = Family(query_bias=True, key_bias=True, value_bias=True)
_BIASED = {
    "gated": False, "norm_values": 2, "query_bias": True, "key_bias": True, "value_bias": True, "output_bias": True,
    "feed_forward_bias": True, "feed_forward_factor": 4,
}  # fmt: skip
_ENCODER = {**_BIASED, "kind": "encoder", "positions": True, "embedding_norm": True, "final_norm": False,
            "heads_computed": False}  # fmt: skip
FAMILIES: Mapping[str, Family] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": _LLAMA,
    "phi3": _LLAMA,
    "qwen2": _QWEN2,
    "gemma2": Family(norms=4, tied=True),
    "falcon": Family(gated=False, norms=1, norm_values=2, tied=True, feed_forward_factor=4),
    "deepseek_v2": _LLAMA,
    "deepseek2": _LLAMA,
    "deepseek_v3": Family(router_bias=True),
    "gpt2": msgspec.convert({**_BIASED, "positions": True, "tied": True}, Family),
    "bert": msgspec.convert({**_ENCODER, "pooler": True}, Family),
    "distilbert": msgspec.convert(_ENCODER, Family),
    "vit": msgspec.convert({**_BIASED, "kind": "vision", "positions": True, "heads_computed": False}, Family),
    "whisper": msgspec.convert(
        {**_BIASED, "kind": "speech", "key_bias": False, "positions": True, "tied": True}, Family
    ),
}
"""`model_type` of a config.json, or `general.architecture` of a GGUF file."""
