"""What are the dimensions of a transformer, as far as a header or a config.json states them?"""

import msgspec

PERIODS = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6, "cohere2": 4, "gpt-oss": 2, "gpt_oss": 2}
"""Families of which the last of so many layers has no window, where their files do not say it."""


def windowed(layers: int, period: int) -> int:
    """How many of the layers have a window where the last of each `period` has none; 0 = all of them have it."""
    return layers if not period else layers // period * (period - 1) + min(layers % period, period - 1)


class Latent(msgspec.Struct, frozen=True, kw_only=True):
    """Multi-head latent attention (DeepSeek-V2): widths, of one head where it is not said otherwise."""

    kv_rank: int
    """Of what is kept for all heads together of a token, beside `rope_size`."""
    rope_size: int
    nope_size: int | None = None
    value_size: int | None = None
    q_rank: int | None = None
    """None = queries are not compressed."""


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """None = not stated."""

    layers: int | None = None
    """Of the decoder, where there is an encoder as well."""
    hidden_size: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_size: int | None = None
    vocabulary: int | None = None
    context: int | None = None
    experts: int | None = None
    active_experts: int | None = None
    plain_attention: bool = True
    """False: some layers keep no key and value for each head and token (latent or linear attention, windows, states),
    so that the cache does not follow from `kv_elements_per_token`."""
    family: str | None = None
    """Name of the kind of model: `model_type` of a config.json, `general.architecture` of a GGUF file."""
    feed_forward: int | None = None
    """Width inside the feed-forward part of a layer; with experts and `expert_feed_forward` that of dense layers alone."""
    expert_feed_forward: int | None = None
    shared_experts: int | None = None
    """Experts that every token goes through, beside the active ones."""
    dense_layers: int | None = None
    """First layers that have no experts."""
    tied: bool | None = None
    """Whether the output layer is the table of input embeddings."""
    window: int | None = None
    """Tokens that layers with a sliding window look back."""
    window_layers: int | None = None
    """How many of the layers have it; None beside a window = all of them."""
    latent: Latent | None = None
    encoder_layers: int | None = None
    source_positions: int | None = None
    """Of what the encoder takes."""
    token_types: int | None = None
    channels: int | None = None
    """Of the input: mel bands of speech, colours of images."""
    patch_size: int | None = None
    image_size: int | None = None
    classes: int | None = None

    @property
    def kv_elements_per_token(self) -> int | None:
        """Numbers that one token takes in the KV cache: 2 × layers × KV heads × head size; None if one is not stated,
        or if the attention is not plain."""
        return self.plain_elements_per_token if self.plain_attention else None

    @property
    def plain_elements_per_token(self) -> int | None:
        """The same where each layer keeps every token and all heads."""
        heads, size = self.kv_heads or self.heads, self.width_of_head
        return 2 * self.layers * heads * size if self.layers and heads and size else None

    @property
    def width_of_head(self) -> int | None:
        if self.head_size is None and self.hidden_size and self.heads:
            return self.hidden_size // self.heads
        return self.head_size
