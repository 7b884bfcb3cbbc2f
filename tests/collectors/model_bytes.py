"""What are the bytes of small model files, true and untrue? And what is read of them."""

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from collectors.model_file import ModelFile
from collectors.model_headers import Budget, read_model_file

FIXTURES = Path(__file__).parents[1] / "fixtures" / "models"


def read(path: Path, budget: Budget | None = None) -> ModelFile:
    """What the header of the file says."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return read_model_file(descriptor, str(path), os.fstat(descriptor).st_size, budget)
    finally:
        os.close(descriptor)


def safetensors(header: object, data_bytes: int = 0, length: int | None = None) -> bytes:
    """A safetensors file with this header; `length` is what it says of the header's length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data_bytes)


def tensor(dtype: str, shape: Sequence[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


class Gguf:
    """Builds a GGUF file of one version and byte order."""

    def __init__(self, version: int = 3, order: str = "<") -> None:
        self.version, self.order = version, order
        self.long = "I" if version == 1 else "Q"
        self.pairs: list[bytes] = []
        self.tensors: list[bytes] = []

    def pack(self, form: str, *values: float) -> bytes:
        return struct.pack(self.order + form, *values)

    def text(self, text: str) -> bytes:
        return self.pack(self.long, len(text.encode())) + text.encode()

    def pair(self, key: str, kind: int, value: bytes) -> "Gguf":
        self.pairs.append(self.text(key) + self.pack("I", kind) + value)
        return self

    def u32(self, key: str, value: int) -> "Gguf":
        return self.pair(key, 4, self.pack("I", value))

    def string(self, key: str, value: str) -> "Gguf":
        return self.pair(key, 8, self.text(value))

    def u32s(self, key: str, values: Sequence[int]) -> "Gguf":
        return self.pair(key, 9, self.pack("I" + self.long, 4, len(values)) + self.pack(f"{len(values)}I", *values))

    def strings(self, key: str, values: Sequence[str]) -> "Gguf":
        head = self.pack("I" + self.long, 8, len(values))
        return self.pair(key, 9, head + b"".join(self.text(value) for value in values))

    def tensor(self, name: str, shape: Sequence[int], kind: int, offset: int) -> "Gguf":
        shaped = self.pack("I", len(shape)) + self.pack(f"{len(shape)}{self.long}", *shape)
        self.tensors.append(self.text(name) + shaped + self.pack("IQ", kind, offset))
        return self

    def file(self, data_bytes: int = 0) -> bytes:
        counts = self.pack("I" + self.long * 2, self.version, len(self.tensors), len(self.pairs))
        head = b"GGUF" + counts + b"".join(self.pairs) + b"".join(self.tensors)
        return head + bytes(-len(head) % 32) + bytes(data_bytes)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, value: int | bytes) -> bytes:
    """One field of a protobuf message: a varint, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(*graph: bytes) -> bytes:
    """An ONNX file whose graph has these fields."""
    return field(1, 8) + field(2, b"test") + field(7, b"".join(graph))


def initializer(dims: Sequence[int], kind: int, raw: bytes = b"") -> bytes:
    return typed(dims, kind, field(9, raw) if raw else b"")


def typed(dims: Sequence[int], kind: int, data: bytes = b"") -> bytes:
    """An initializer with its data in these fields."""
    dimensions = b"".join(field(1, dim) for dim in dims)
    return field(5, dimensions + field(2, kind) + field(8, b"name") + data)


def node(operator: str) -> bytes:
    return field(1, field(1, b"x") + field(2, b"y") + field(4, operator.encode()))
