"""How much memory do a model's weights and its KV cache take, as the headers of its files say?"""

from collections.abc import Iterable, Mapping

from collectors.entities import Model
from collectors.levers import Value
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry

NO_WEIGHTS = frozenset(("hf-config",))
NO_HEADER = "unknown"
VALUE_BYTES: Mapping[str, float] = {
    "auto": 2, "f16": 2, "bf16": 2, "fp16": 2, "float16": 2, "bfloat16": 2, "f32": 4, "fp8": 1, "fp8_e4m3": 1,
    "fp8_e4m3fn": 1, "fp8_e5m2": 1, "fp8_inc": 1, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32,
    "q4_0": 18 / 32, "iq4_nl": 18 / 32,
}  # fmt: skip
"""Type of a KV cache as servers write it -> bytes of one number; `auto` is that of the weights, 16 bits nearly always."""
_AS_STORED = frozenset(("gguf", "onnx", "tensorrt"))
"""Formats whose runtimes take the weights as they are."""
_WIDE = frozenset(("F32", "F64", "FLOAT", "float32"))


def weights_bytes(models: Iterable[Model]) -> int | None:
    """Weights of all these models as stored: of their tensors where the headers tell it, else their files whole; None if the
    files of one were not seen, or there is none."""
    sizes = [[_stored(one) for one in _with_weights(model)] for model in models]
    return sum(map(sum, sizes)) if sizes and all(sizes) else None


def _stored(file: ModelFile) -> int:
    return file.size_bytes if file.weights_bytes is None else file.weights_bytes


def _with_weights(model: Model) -> list[ModelFile]:
    """Without files that hold what the header of another has told already, as the external data of ONNX."""
    files = [one for one in model.files if one.format not in NO_WEIGHTS]
    beside = any(one.weights_bytes is not None and one.weights_bytes > one.size_bytes for one in files)
    return [one for one in files if one.format != NO_HEADER] if beside else files


def widest_bytes(models: Iterable[Model]) -> int | None:
    """What the weights take at most once loaded: a framework may hold 16 bits that are stored as 32."""
    total = 0
    for model in models:
        stored = weights_bytes((model,))
        if stored is None:
            return None
        files = [one for one in model.files if one.format not in NO_WEIGHTS]
        as_stored = all(one.format in _AS_STORED or (one.dtypes and set(one.dtypes) <= _WIDE) for one in files)
        total += stored if as_stored else 2 * stored
    return total or None


def stored_wide(model: Model) -> bool:
    """Whether all its weights are stored in 32 bits or more, of which frameworks may hold 16."""
    files = [one for one in model.files if one.format not in NO_WEIGHTS]
    return bool(files) and all(one.dtypes and set(one.dtypes) <= _WIDE for one in files)


def geometry_of(model: Model) -> Geometry | None:
    return next((one.geometry for one in model.files if one.geometry is not None), None)


def kv_bytes_per_token(model: Model, precision: Value) -> float | None:
    """What one token of one request takes in the KV cache; None if the shape does not say it, or the type is not known."""
    shape = geometry_of(model)
    elements = shape.kv_elements_per_token if shape else None
    size = VALUE_BYTES.get("auto" if precision is None else str(precision).lower())
    return None if elements is None or size is None else elements * size


def on_device_bytes(model: Model) -> int | None:
    """Weights of a GGUF model that are on the device with all its layers, at least: llama.cpp keeps the table of input
    embeddings in the node's memory, and tied weights once more on the device."""
    stored, shape = weights_bytes((model,)), geometry_of(model)
    if stored is None or shape is None or not shape.vocabulary or not shape.hidden_size or not model.parameters:
        return stored
    return round(stored * max(0.0, 1 - shape.vocabulary * shape.hidden_size / model.parameters))
