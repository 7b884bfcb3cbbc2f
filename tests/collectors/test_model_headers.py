"""The headers of model files as their own writers made them, and which format a file has by its first bytes.

The fixtures were written by safetensors 0.8.0, gguf 0.19.0, onnx 1.23.2, and scikit-learn 1.9.1 with joblib 1.6.0.
"""

import gzip
import math
import struct
from pathlib import Path

import pytest

from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.collectors.model_bytes import (
    FIXTURES,
    Gguf,
    field,
    initializer,
    node,
    onnx,
    read,
    safetensors,
    tensor,
    typed,
    varint,
)

TINY = Geometry(
    layers=2, hidden_size=8, heads=4, kv_heads=2, head_size=2, vocabulary=10, context=2048, experts=4, active_experts=2,
    family="llama",
)  # fmt: skip


def fixture(name: str) -> ModelFile:
    return read(FIXTURES / name)


def test_safetensors_states_its_elements_by_type() -> None:
    file = fixture("tiny.safetensors")
    assert (file.format, file.size_bytes, file.parameters) == ("safetensors", 330, 12 + 5 + 4)
    assert file.dtypes == {"F32": 12, "F16": 5, "I64": 4}
    assert (file.problem, file.architecture, file.geometry) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("tiny.gguf", {"F32": 80, "Q8_0": 512, "F16": 64}),
        ("tiny-big-endian.gguf", {"F32": 80, "F16": 64}),
    ],
)
def test_gguf_states_geometry_and_logical_elements_in_either_byte_order(name: str, dtypes: dict[str, int]) -> None:
    file = fixture(name)
    assert (file.format, file.architecture, file.problem) == ("gguf", "llama", None)
    assert file.dtypes == dtypes
    assert file.parameters == sum(dtypes.values())
    assert file.geometry == TINY
    assert file.geometry.kv_elements_per_token == 2 * 2 * 2 * 2


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_version_of_gguf_is_read(tmp_path: Path, version: int, order: str) -> None:
    made = Gguf(version, order).string("general.architecture", "qwen2").u32("qwen2.block_count", 28)
    made.strings("tokenizer.ggml.tokens", ["a", "bc", ""]).u32s("qwen2.attention.head_count_kv", [4] * 28)
    made.pair("other", 10, made.pack("Q", 7)).tensor("w", (256, 3), 12, 0)
    (tmp_path / "m.gguf").write_bytes(made.file(3 * 144))
    file = read(tmp_path / "m.gguf")
    assert (file.problem, file.dtypes, file.parameters) == (None, {"Q4_K": 768}, 768)
    assert file.geometry == Geometry(layers=28, kv_heads=4, vocabulary=3, family="qwen2")


def test_attention_that_is_not_the_same_in_all_layers_gives_no_size_of_the_cache(tmp_path: Path) -> None:
    made = Gguf().string("general.architecture", "lfm").u32("lfm.block_count", 4).u32("lfm.attention.head_count", 8)
    made.u32("lfm.attention.key_length", 64).u32("lfm.attention.value_length", 64)
    (tmp_path / "all.gguf").write_bytes(made.u32s("lfm.attention.head_count_kv", [8, 8, 8, 8]).file())
    (tmp_path / "some.gguf").write_bytes(made.u32s("lfm.attention.head_count_kv", [0, 8, 0, 8]).file())
    everywhere, somewhere = read(tmp_path / "all.gguf").geometry, read(tmp_path / "some.gguf").geometry
    assert everywhere is not None
    assert somewhere is not None
    assert everywhere.kv_elements_per_token == 2 * 4 * 8 * 64
    assert (somewhere.layers, somewhere.kv_heads, somewhere.kv_elements_per_token) == (4, None, None)


@pytest.mark.parametrize("key", ["attention.kv_lora_rank", "ssm.state_size", "attention.sliding_window"])
def test_latent_attention_states_and_windows_give_no_size_of_the_cache_either(tmp_path: Path, key: str) -> None:
    made = Gguf().string("general.architecture", "x").u32("x.block_count", 4).u32("x.attention.head_count", 8)
    made.u32("x.embedding_length", 64).u32(f"x.{key}", 16)
    (tmp_path / "m.gguf").write_bytes(made.file())
    geometry = read(tmp_path / "m.gguf").geometry
    assert geometry is not None
    assert (geometry.layers, geometry.kv_elements_per_token) == (4, None)


def test_a_gguf_without_tensors_has_no_parameters(tmp_path: Path) -> None:
    (tmp_path / "vocab.gguf").write_bytes(Gguf().string("general.architecture", "llama").file())
    assert (read(tmp_path / "vocab.gguf").parameters, read(tmp_path / "vocab.gguf").geometry) == (None, None)


def test_a_type_that_is_not_known_is_told_and_counted(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(Gguf().tensor("a", (5, 2), 99, 0).file(16))
    file = read(tmp_path / "m.gguf")
    assert (file.dtypes, file.problem) == ({"type99": 10}, "it has tensors of a type that is not known")


def test_weights_that_share_elements_are_not_counted_as_parameters(tmp_path: Path) -> None:
    header = {"model.layers.0.mlp.qweight": tensor("I32", (4, 2), 0, 32), "norm": tensor("F16", (4,), 32, 40)}
    (tmp_path / "model.safetensors").write_bytes(safetensors(header, 40))
    file = read(tmp_path / "model.safetensors")
    assert (file.parameters, file.dtypes) == (None, {"I32": 8, "F16": 4})
    assert file.problem == "packed weights: their elements are not parameters"


@pytest.mark.parametrize(
    ("name", "parameters", "architecture"),
    [("linear.onnx", 15, None), ("external.onnx", 15, None), ("trees.onnx", None, "TreeEnsemble")],
)
def test_onnx_counts_initializers_wherever_their_data_lies(
    name: str, parameters: int | None, architecture: str | None
) -> None:
    file = fixture(name)
    assert (file.format, file.parameters, file.architecture, file.problem) == ("onnx", parameters, architecture, None)
    assert file.dtypes == ({"FLOAT": 15} if parameters else {})


def test_onnx_reads_packed_shapes_and_small_types(tmp_path: Path) -> None:
    packed = field(5, field(1, b"\x03\x05") + field(2, 22) + field(8, b"") + field(9, bytes(8)))
    model = onnx(packed, initializer((7,), 22, bytes(4)), initializer((), 7, bytes(8)), node("LinearRegressor"))
    (tmp_path / "m.onnx").write_bytes(model)
    file = read(tmp_path / "m.onnx")
    assert file.dtypes == {"INT4": 15 + 7, "INT64": 1}
    assert (file.architecture, file.problem) == ("LinearRegressor", None)


FLOATS = struct.pack("<3f", 1, 2, 3)


@pytest.mark.parametrize(
    ("dims", "kind", "data"),
    [
        ((0,), 1, b""),
        ((4, 0), 7, b""),
        ((), 7, field(7, 5)),
        ((), 7, field(7, varint(5))),
        ((3,), 1, field(4, FLOATS)),
        ((3,), 1, b"".join(varint(4 << 3 | 5) + FLOATS[at : at + 4] for at in (0, 4, 8))),
        ((2,), 11, field(10, bytes(16))),
        ((), 11, varint(10 << 3 | 1) + bytes(8)),
        ((2,), 14, field(4, bytes(16))),
        ((3,), 7, field(7, varint(1) + varint(2**64 - 1) + varint(300))),
        ((3,), 10, field(5, 1) * 3),
        ((3,), 22, field(5, 1) * 2),
        ((2,), 13, field(11, varint(1) + varint(2**63))),
        ((2,), 8, field(6, b"yes") + field(6, b"")),
        ((2**40,), 1, field(13, field(1, b"location") + field(2, b"w")) + field(14, 1)),
    ],
)
def test_onnx_data_in_fields_of_its_type_counts_packed_or_not(
    tmp_path: Path, dims: tuple[int, ...], kind: int, data: bytes
) -> None:
    (tmp_path / "m.onnx").write_bytes(onnx(typed(dims, kind, data)))
    file = read(tmp_path / "m.onnx")
    assert (file.problem, file.parameters) == (None, math.prod(dims))


@pytest.mark.parametrize(
    ("operators", "kind", "expected"),
    [
        (("DynamicQuantizeLinear", "MatMulInteger"), 3, "w8a8"),
        (("QuantizeLinear", "DequantizeLinear", "Conv"), 3, "w8a8"),
        (("QLinearConv",), 2, "w8a8"),
        (("DequantizeLinear", "MatMul"), 3, None),
        (("MatMulNBits",), 2, None),
        (("QuantizeLinear", "Conv"), 1, None),
    ],
)
def test_onnx_tells_inputs_of_8_bits_from_weights_alone(
    tmp_path: Path, operators: tuple[str, ...], kind: int, expected: str | None
) -> None:
    (tmp_path / "m.onnx").write_bytes(
        onnx(initializer((7,), kind, bytes(28 if kind == 1 else 7)), *map(node, operators))
    )
    assert read(tmp_path / "m.onnx").quantization == expected


@pytest.mark.parametrize(
    ("name", "form", "architecture", "problem"),
    [
        ("forest-protocol0.pkl", "pickle", "RandomForestClassifier", None),
        ("forest-protocol5.pkl", "pickle", "RandomForestClassifier", None),
        ("forest.joblib", "joblib", "RandomForestClassifier", None),
        ("pipeline.joblib", "joblib", "Pipeline(StandardScaler, passthrough, LogisticRegression)", None),
        ("pipeline-zlib.joblib", "joblib", "Pipeline(StandardScaler, passthrough, LogisticRegression)", None),
        ("pipeline-xz.joblib", "joblib", None, "compressed"),
        (
            "dict.joblib",
            "joblib",
            "RandomForestClassifier",
            "it was not read to its end: an array of objects, or too many texts",
        ),
    ],
)
def test_the_estimator_of_a_pickle_is_named_without_unpickling(
    name: str, form: str, architecture: str | None, problem: str | None
) -> None:
    file = fixture(name)
    assert (file.format, file.architecture, file.problem) == (form, architecture, problem)


def test_a_gzipped_pickle_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(gzip.compress((FIXTURES / "forest-protocol5.pkl").read_bytes()))
    assert read(tmp_path / "m.pkl").architecture == "RandomForestClassifier"


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("blob", b"\x89HDF\r\n\x1a\n" + bytes(99), "hdf5"),
        ("x.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "npy"),
        ("x.engine", b"ftrt" + bytes(20), "tensorrt"),
        ("x.plan", b"other bytes", "tensorrt"),
        ("model", b"\x1c\x00\x00\x00TFL3" + bytes(20), "tflite"),
        ("saved_model.pb", b"\x08\x01\x12", "tensorflow"),
        ("m.pt", b"PK\x03\x04" + bytes(22) + b"\x10\x00\x00\x00archive/data.pkl", "torch-zip"),
        ("m.npz", b"PK\x03\x04" + bytes(22) + b"\x09\x00\x00\x00arr_0.npy", "npz"),
        ("m.keras", b"PK\x03\x04" + bytes(22) + b"\x0d\x00\x00\x00metadata.json", "keras"),
        ("m.zip", b"PK\x03\x04", "zip"),
        ("pytorch_model.bin", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "torch-pickle"),
        ("m.txt", b"tree\nversion=v4\n", "lightgbm"),
        ("m.cbm", b"CBM1" + bytes(9), "catboost"),
        ("weights.bin", b"\x00\x01\x02", "unknown"),
        ("empty", b"", "unknown"),
    ],
)
def test_other_formats_are_told_by_their_first_bytes(tmp_path: Path, name: str, content: bytes, form: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == ModelFile(path=str(tmp_path / name), format=form, size_bytes=len(content))


@pytest.mark.parametrize("source", ["tiny.gguf", "tiny.safetensors", "forest-protocol5.pkl"])
def test_a_file_without_an_ending_is_read_by_its_first_bytes(tmp_path: Path, source: str) -> None:
    (tmp_path / "blob").write_bytes((FIXTURES / source).read_bytes())
    expected = fixture(source)
    found = read(tmp_path / "blob")
    assert (found.parameters, found.architecture, found.dtypes) == (
        expected.parameters, expected.architecture, expected.dtypes,
    )  # fmt: skip


def test_how_much_of_a_model_is_convolutions_is_told_by_the_dimensions_of_its_tensors(tmp_path: Path) -> None:
    header = {"conv": tensor("F32", (4, 3, 5, 5), 0, 1200), "head": tensor("F32", (10, 10), 1200, 1600)}
    (tmp_path / "m.safetensors").write_bytes(safetensors(header, 1600))
    assert read(tmp_path / "m.safetensors").convolution_share == 0.75
    assert read(tmp_path / "m.safetensors").matrices == 2
    model = onnx(
        initializer((4, 3, 5, 5), 1, bytes(1200)), initializer((10, 10), 1, bytes(400)), node("Conv"), node("Gemm")
    )
    (tmp_path / "m.onnx").write_bytes(model)
    assert read(tmp_path / "m.onnx").convolution_share == 0.75
    assert read(tmp_path / "m.onnx").matrices == 2
    assert fixture("tiny.gguf").matrices is None
    assert fixture("linear.onnx").convolution_share == 0.0
    assert fixture("tiny.gguf").convolution_share is None
