"""What does a Hugging Face config.json say about a model: architecture, geometry, type of its weights?"""

from collections.abc import Mapping

import msgspec

from collectors.model_file import ModelFile
from collectors.model_geometry import PERIODS, Geometry, Latent, windowed
from collectors.model_headers.source import BadHeader, Source, label

FORMAT = "hf-config"
LIMIT_BYTES = 256 << 10
_TEXT_PARTS = ("text_config", "llm_config", "language_config")
"""Where models of several kinds of input keep what their language model is."""
_NUMBER_LIMIT = 1 << 32
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "dim")
_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
_HEAD_SIZE = ("head_dim", "kv_channels", "d_kv")
_VOCABULARY = ("vocab_size", "padded_vocab_size")
_CONTEXT = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx", "max_target_positions")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_ACTIVE = ("num_experts_per_tok", "num_experts_per_token", "moe_topk")
_FEED_FORWARD = ("intermediate_size", "ffn_hidden_size", "n_inner", "hidden_dim", "decoder_ffn_dim", "d_ff", "ffn_dim")
_OTHER_STATES = (
    "kv_lora_rank", "state_size", "mamba_d_state", "ssm_state_size", "linear_num_value_heads", "attn_layer_period",
    "hybrid_override_pattern", "layers_block_type", "full_attn_idxs", "cross_attention_layers",
    "attention_chunk_size", "is_encoder_decoder",
)  # fmt: skip
"""Keys of models whose layers do not all keep a key and a value for each head."""
_FULL = frozenset(("full_attention", "attention"))
_WINDOWED = frozenset(("sliding_attention",))

Config = Mapping[str, object]


def read_hf_config(source: Source) -> ModelFile:
    """Raises BadHeader if it is no JSON object, or too long."""
    if source.size > LIMIT_BYTES:
        raise BadHeader(f"longer than {LIMIT_BYTES} bytes")
    try:
        config = msgspec.json.decode(source.at(0, source.size))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadHeader("no JSON") from error
    if not isinstance(config, dict):
        raise BadHeader("no JSON object")
    text = next((part for key in _TEXT_PARTS if isinstance(part := config.get(key), dict)), config)
    quantization = _part(config, text, "quantization_config")
    return ModelFile(
        path=source.path,
        format=FORMAT,
        size_bytes=source.size,
        architecture=_first(config.get("architectures")) or label(config.get("model_type")),
        geometry=_geometry(text),
        stated_dtype=_dtype(text) or _dtype(config),
        quantization=label(quantization.get("quant_method")) if isinstance(quantization, dict) else None,
    )


def _part(config: Config, text: Config, key: str) -> object:
    return config[key] if key in config else text.get(key)


def _first(names: object) -> str | None:
    return label(names[0]) if isinstance(names, list) and names else None


def _dtype(config: Config) -> str | None:
    return label(config.get("torch_dtype")) or label(config.get("dtype"))


def _number(config: Config, keys: tuple[str, ...]) -> int | None:
    """The first of `keys` that holds a whole number that a model may have."""
    values = (config.get(key) for key in keys)
    return next((v for v in values if isinstance(v, int) and v is not True and 0 < v < _NUMBER_LIMIT), None)


def _geometry(config: Config) -> Geometry | None:
    one_kv_head = config.get("multi_query") is True and config.get("new_decoder_architecture") is not True
    kv_heads = 1 if one_kv_head else _number(config, _KV_HEADS)
    geometry = Geometry(
        layers=_number(config, _LAYERS),
        hidden_size=_number(config, _HIDDEN),
        heads=_number(config, _HEADS),
        kv_heads=kv_heads,
        head_size=_number(config, _HEAD_SIZE),
        vocabulary=_number(config, _VOCABULARY),
        context=_number(config, _CONTEXT),
        experts=_number(config, _EXPERTS),
        active_experts=_number(config, _ACTIVE),
        plain_attention=_is_plain(config),
        family=label(config.get("model_type")),
        feed_forward=_number(config, _FEED_FORWARD),
        expert_feed_forward=_number(config, ("moe_intermediate_size",)),
        shared_experts=_number(config, ("n_shared_experts", "num_shared_experts")),
        dense_layers=_number(config, ("first_k_dense_replace",)),
        tied=_truth(config, "tie_word_embeddings"),
        window=_window(config),
        window_layers=_window_layers(config),
        latent=_latent(config),
        encoder_layers=_number(config, ("encoder_layers",)),
        source_positions=_number(config, ("max_source_positions",)),
        token_types=_number(config, ("type_vocab_size",)),
        channels=_number(config, ("num_mel_bins", "num_channels")),
        patch_size=_number(config, ("patch_size",)),
        image_size=_number(config, ("image_size",)),
        classes=_classes(config),
    )
    bare = Geometry(plain_attention=geometry.plain_attention, family=geometry.family)
    return geometry if geometry != bare else None


def _truth(config: Config, key: str) -> bool | None:
    value = config.get(key)
    return value if isinstance(value, bool) else None


def _window(config: Config) -> int | None:
    return None if config.get("use_sliding_window") is False else _number(config, ("sliding_window",))


def _window_layers(config: Config) -> int | None:
    """Of how many layers it is said, or known of the family, that they have the window."""
    layers, count = config.get("layer_types"), _number(config, _LAYERS)
    if _window(config) is None:
        return None
    if isinstance(layers, list):
        return sum(kind in _WINDOWED for kind in layers if isinstance(kind, str))
    if count is None:
        return None
    full_first = _number(config, ("max_window_layers",))
    if full_first is not None:
        return max(0, count - full_first)
    period = _number(config, ("sliding_window_pattern",)) or PERIODS.get(str(config.get("model_type")))
    return None if period is None else windowed(count, period)


def _latent(config: Config) -> Latent | None:
    rank, rope = _number(config, ("kv_lora_rank",)), _number(config, ("qk_rope_head_dim",))
    if rank is None or rope is None:
        return None
    return Latent(
        kv_rank=rank,
        rope_size=rope,
        nope_size=_number(config, ("qk_nope_head_dim",)),
        value_size=_number(config, ("v_head_dim",)),
        q_rank=_number(config, ("q_lora_rank",)),
    )


def _classes(config: Config) -> int | None:
    names = config.get("id2label")
    return _number(config, ("num_labels", "num_classes")) or (len(names) if isinstance(names, dict) and names else None)


def _is_plain(config: Config) -> bool:
    if any(config.get(key) not in (None, False, 0) for key in _OTHER_STATES):
        return False
    layers = config.get("layer_types")
    if isinstance(layers, list):
        return all(isinstance(kind, str) and kind in _FULL for kind in layers)
    window, context = _number(config, ("sliding_window",)), _number(config, _CONTEXT)
    return not (window and config.get("use_sliding_window") is not False and (context is None or window < context))
