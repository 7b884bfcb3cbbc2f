"""How many bytes and parameters are in files whose every weight was written here? Exact, wherever the data lies."""

import struct
from pathlib import Path
from random import Random

import pytest

from advisor.gpu.holding import weights_bytes
from collectors.entities import Model
from collectors.model_file import ModelFile
from tests.collectors.model_bytes import Gguf, field, initializer, onnx, read, safetensors, tensor

SHAPES = [(4096,), (1024, 256), (256, 16, 4), (3, 256), (1, 256)]
SAFETENSORS = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I8": 1, "I64": 8, "BOOL": 1}
GGUF = {
    "F32": (0, 1, 4), "F16": (1, 1, 2), "BF16": (30, 1, 2), "Q4_0": (2, 32, 2 + 16), "Q4_1": (3, 32, 2 * 2 + 16),
    "Q5_0": (6, 32, 2 + 4 + 16), "Q5_1": (7, 32, 2 * 2 + 4 + 16), "Q8_0": (8, 32, 2 + 32),
    "Q2_K": (10, 256, 16 + 64 + 2 * 2), "Q3_K": (11, 256, 32 + 64 + 12 + 2), "Q4_K": (12, 256, 2 * 2 + 12 + 128),
    "Q5_K": (13, 256, 2 * 2 + 12 + 32 + 128), "Q6_K": (14, 256, 128 + 64 + 16 + 2), "IQ4_NL": (20, 32, 2 + 16),
    "IQ4_XS": (23, 256, 2 + 2 + 4 + 128), "MXFP4": (39, 32, 1 + 16),
}  # fmt: skip
"""Number of the type, elements of a block, bytes of a block: scales, minima, high bits and low bits."""
ONNX = {"FLOAT": (1, 32), "FLOAT16": (10, 16), "INT8": (3, 8), "BFLOAT16": (16, 16), "INT4": (22, 4), "INT64": (7, 64)}
ONNX_EXTERNAL, ONNX_LOCATION = 13, 14


def count(shape: tuple[int, ...]) -> int:
    total = 1
    for one in shape:
        total *= one
    return total


def written(folder: Path, name: str, content: bytes) -> ModelFile:
    (folder / name).write_bytes(content)
    return read(folder / name)


def weights(*files: ModelFile) -> int | None:
    return weights_bytes([Model(name="m", files=files)])


@pytest.mark.parametrize("dtype", SAFETENSORS)
def test_safetensors(tmp_path: Path, dtype: str) -> None:
    header, end = {}, 0
    for number, shape in enumerate(SHAPES):
        size = count(shape) * SAFETENSORS[dtype]
        header[f"layer.{number}"] = tensor(dtype, shape, end, end + size)
        end += size
    file = written(tmp_path, "m.safetensors", safetensors({"__metadata__": {"a": "b" * 5000}, **header}, end))
    assert (file.parameters, weights(file), file.problem) == (sum(map(count, SHAPES)), end, None)
    assert file.size_bytes > end + 5000, "the header is no weight"


def gguf(*kinds: str, shapes: list[tuple[int, ...]]) -> tuple[bytes, int, int]:
    """A file with a vocabulary, its parameters and the bytes of its weights."""
    made = (
        Gguf()
        .string("general.architecture", "llama")
        .strings("tokenizer.ggml.tokens", [f"token{n}" for n in range(5000)])
    )
    parameters = end = total = 0
    for number, shape in enumerate(shapes):
        kind, per_block, block_bytes = GGUF[kinds[number % len(kinds)]]
        made.tensor(f"blk.{number}.w", shape, kind, end)
        size = count(shape) // per_block * block_bytes
        parameters, total, end = parameters + count(shape), total + size, -(-(end + size) // 32) * 32
    return made.file(end), parameters, total


@pytest.mark.parametrize("kind", GGUF)
def test_gguf_of_each_type(tmp_path: Path, kind: str) -> None:
    content, parameters, total = gguf(kind, shapes=[(256, 3), (4096,), (512, 16)])
    file = written(tmp_path, "m.gguf", content)
    assert (file.parameters, weights(file), file.problem) == (parameters, total, None)
    assert file.size_bytes > total * 1.001, "the vocabulary is no weight"


def test_gguf_that_mixes_types_as_they_do(tmp_path: Path) -> None:
    content, parameters, total = gguf("Q4_K", "Q6_K", "F32", "Q5_K", shapes=[(256, n) for n in range(1, 60)])
    file = written(tmp_path, "m.gguf", content)
    assert (file.parameters, weights(file)) == (parameters, total)
    assert 4.5 < 8 * total / parameters < 32


def external(shape: tuple[int, ...], kind: int, offset: int, size: int) -> bytes:
    """An initializer whose data lies in another file."""
    dimensions = b"".join(field(1, dim) for dim in shape)
    said = {"location": "m.onnx.data", "offset": str(offset), "length": str(size)}
    entries = b"".join(
        field(ONNX_EXTERNAL, field(1, key.encode()) + field(2, value.encode())) for key, value in said.items()
    )
    return field(5, dimensions + field(2, kind) + field(8, b"w") + entries + field(ONNX_LOCATION, 1))


@pytest.mark.parametrize("name", ONNX)
@pytest.mark.parametrize("beside", [False, True], ids=["inside", "external"])
def test_onnx(tmp_path: Path, name: str, beside: bool) -> None:
    kind, bits = ONNX[name]
    sizes = [count(shape) * bits // 8 for shape in SHAPES]
    parts = [
        external(shape, kind, sum(sizes[:number]), sizes[number])
        if beside
        else initializer(shape, kind, bytes(sizes[number]))
        for number, shape in enumerate(SHAPES)
    ]
    file = written(tmp_path, "m.onnx", onnx(*parts))
    assert (file.parameters, file.dtypes, weights(file)) == (
        sum(map(count, SHAPES)),
        {name: file.parameters},
        sum(sizes),
    )
    data = ModelFile(path="/m/m.onnx.data", format="unknown", size_bytes=sum(sizes))
    assert not beside or weights(file, data) == sum(sizes), "what the header has told is not counted twice"


def test_onnx_of_which_a_type_is_not_known_counts_as_its_file(tmp_path: Path) -> None:
    file = written(tmp_path, "m.onnx", onnx(initializer((4, 4), 1, bytes(64)), initializer((8,), 99, bytes(8))))
    assert (file.weights_bytes, weights(file)) == (None, file.size_bytes)


def test_weights_of_several_files_add_up(tmp_path: Path) -> None:
    random, total, files = Random(1), 0, []
    for number in range(4):
        elements = random.randrange(1, 10_000)
        header = {f"w{number}": tensor("BF16", (elements,), 0, 2 * elements)}
        files.append(written(tmp_path, f"model-{number}.safetensors", safetensors(header, 2 * elements)))
        total += 2 * elements
    config = ModelFile(path="/m/config.json", format="hf-config", size_bytes=999)
    assert weights(config, *files) == total


def test_tensors_of_gguf_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    made = Gguf().tensor("a", (1024,), 0, 0).tensor("b", (1024,), 0, 0)
    file = written(tmp_path, "m.gguf", made.file(4096))
    assert (file.problem, file.parameters, file.weights_bytes) == ("its tensors overlap", None, None)


def test_a_file_that_is_cut_short_tells_no_weights(tmp_path: Path) -> None:
    whole = {
        "m.safetensors": safetensors({"a": tensor("F32", (64,), 0, 256)}, 256),
        "m.gguf": gguf("Q4_K", shapes=[(256, 4)])[0],
        "m.onnx": onnx(initializer((64,), 1, bytes(256))),
    }
    for name, content in whole.items():
        for part in (0.0, 0.05, 0.3, 0.7, 0.95):
            file = written(tmp_path, name, content[: int(part * len(content))])
            assert (file.parameters, file.weights_bytes) == (None, None)
            assert file.problem is not None
            assert "\n" not in file.problem


def test_lengths_of_external_data_are_not_taken_for_sizes(tmp_path: Path) -> None:
    lying = external((64,), 1, 2**62, 2**62)
    assert weights(written(tmp_path, "m.onnx", onnx(lying))) == 256
    assert struct.calcsize("64f") == 256
