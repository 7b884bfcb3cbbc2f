"""What does the header of a model file say, without loading the model?"""

import msgspec

from collectors.model_geometry import Geometry


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a model. `format`: safetensors, gguf, onnx, pickle, joblib, hf-config, …; `problem` says why the
    header gave no more."""

    path: str
    format: str
    size_bytes: int
    parameters: int | None = None
    weights_bytes: int | None = None
    """Of all tensors that the header describes, wherever their data lies; None where it does not tell it of each."""
    dtypes: dict[str, int] = {}
    """Type as the format writes it (`F16`, `Q4_K`) -> number of elements."""
    architecture: str | None = None
    """What the header calls the model (`llama`, `BertModel`, `RandomForestClassifier`)."""
    geometry: Geometry | None = None
    stated_dtype: str | None = None
    """Type of the weights as a config.json states it (`bfloat16`)."""
    quantization: str | None = None
    """How a config.json says that they are quantised (`awq`, `fp8`); of ONNX `w8a8`: weights and inputs of layers are."""
    convolution_share: float | None = None
    """Part of its parameters that kernels of convolutions in two and three dimensions are; None = shapes are not told."""
    matrices: int | None = None
    """Tensors of two dimensions and more, about as many as it has layers; None = shapes are not told."""
    zero_share: float | None = None
    """Part of its numbers that are exactly zero, in a few pages of its data; None = not sampled."""
    problem: str | None = None
