"""What does the header of a model file say, without loading the model?"""

import msgspec


class Geometry(msgspec.Struct, frozen=True, kw_only=True):
    """Shape of a transformer, as far as a header or a config.json states it; None = not stated."""

    layers: int | None = None
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
    so that the cache does not follow from the numbers above."""

    @property
    def kv_elements_per_token(self) -> int | None:
        """Numbers that one token takes in the KV cache: 2 × layers × KV heads × head size; None if one is not stated,
        or if the attention is not plain."""
        if not self.plain_attention:
            return None
        heads, size = self.kv_heads or self.heads, self.head_size
        if size is None and self.hidden_size and self.heads:
            size = self.hidden_size // self.heads
        return 2 * self.layers * heads * size if self.layers and heads and size else None


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a model. `format`: safetensors, gguf, onnx, pickle, joblib, hf-config, …; `problem` says why the
    header gave no more."""

    path: str
    format: str
    size_bytes: int
    parameters: int | None = None
    dtypes: dict[str, int] = {}
    """Type as the format writes it (`F16`, `Q4_K`) -> number of elements."""
    architecture: str | None = None
    """What the header calls the model (`llama`, `BertModel`, `RandomForestClassifier`)."""
    geometry: Geometry | None = None
    stated_dtype: str | None = None
    """Type of the weights as a config.json states it (`bfloat16`)."""
    quantization: str | None = None
    """How a config.json says that they are quantised (`awq`, `fp8`)."""
    problem: str | None = None
