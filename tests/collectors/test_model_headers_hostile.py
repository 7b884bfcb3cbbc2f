"""Headers that lie, end early, nest deep or grow without end give a reason, and nothing else."""

import os
import pickle
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model_headers import Budget, read_model_file
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

F16 = tensor("F16", (4,), 0, 8)


def problem(folder: Path, name: str, content: bytes) -> str | None:
    (folder / name).write_bytes(content)
    file = read(folder / name)
    assert file.size_bytes == len(content)
    assert file.problem is None or file.parameters is None
    return file.problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x10", "cut short"),
        (safetensors({}, length=2**63), "cut short: a header of 9223372036854775808 bytes was promised, the file has 10"),
        (safetensors(b"{}" + b" " * (9 << 20)), "its header is longer than 8388608 bytes"),
        (safetensors({"a": F16}, 7), "cut short: tensors of 8 bytes, data of 7"),
        (safetensors({"a": F16}, 9), "too long: tensors of 8 bytes, data of 9"),
        (safetensors({"a": F16, "b": tensor("F16", (4,), 4, 12)}, 12), "its tensors overlap"),
        (safetensors({"a": F16, "b": tensor("F16", (4,), 10, 18)}, 18), "there is a hole between its tensors"),
        (safetensors(b'{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},'
                     b'"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}', 8), "its tensors overlap"),
        (safetensors({"a": tensor("F16", (5,), 0, 8)}, 8), "a tensor's place is not of its shape"),
        (safetensors(b'{"a":{"x":' + b"[" * 1900 + b"]" * 1900 + b"}}"), "a tensor has no type, shape or place"),
        (safetensors({"a": tensor("F16", (2**40, 2**40), 0, 8)}, 8), "a tensor has an impossible shape"),
        (safetensors({"a": tensor("F16", (-4,), 0, 8)}, 8), "a tensor has no type, shape or place"),
        (safetensors({"a": tensor("F16", (4,), 8, 0)}, 8), "a tensor's place is not of its shape"),
        (safetensors({"a": tensor("a b", (4,), 0, 8)}, 8), "a tensor has no type, shape or place"),
        (safetensors({"a": 1}), "its header is no JSON of tensors"),
        (safetensors([]), "its header is no JSON of tensors"),
        (safetensors({"a": {}}), "a tensor has no type, shape or place"),
        (safetensors(b'{"a":' + b"[" * 100_000), "its header is no JSON of tensors"),
        (safetensors(b'{"a":{"dtype":"F16","shape":[' + b"1," * 9000 + b'4],"data_offsets":[0,8]}}', 8),
         "a tensor's description is longer than 4096 bytes"),
    ],
)  # fmt: skip
def test_safetensors(tmp_path: Path, content: bytes, expected: str) -> None:
    assert problem(tmp_path, "m.safetensors", content) == expected


def test_too_many_types_are_not_told(tmp_path: Path) -> None:
    header = {f"t{n}": tensor(f"T{n}", (), 0, 0) for n in range(40)}
    assert problem(tmp_path, "m.safetensors", safetensors(header)) == "its tensors are impossibly many"


LIES = {
    "version": (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "version 9 is not known"),
    "tensors": (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), f"it has {2**63} tensors; at most 65536 are read"),
    "keys": (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**63), f"it has {2**63} keys; at most 65536 are read"),
    "key": (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**40), "a name is longer than 65536 bytes"),
    "text": (Gguf().pair("a", 8, struct.pack("<Q", 2**62)).file(), None),
    "array": (Gguf().pair("a", 9, struct.pack("<IQ", 5, 2**62)).file(), None),
    "texts": (Gguf().pair("a", 9, struct.pack("<IQ", 8, 2**62)).file(), None),
    "kind": (Gguf().pair("a", 77, b"").file(), "type 77 is not known"),
    "kind of an array": (Gguf().pair("a", 9, struct.pack("<IQ", 77, 1)).file(), "type 77 is not known"),
    "nested": (Gguf().pair("a", 9, struct.pack("<IQ", 9, 1) * 9).file(), "its arrays are nested too deep"),
    "dimensions": (Gguf().tensor("a", (1,) * 9, 0, 0).file(), "a tensor has 9 dimensions"),
    "elements": (Gguf().tensor("a", (2**60, 2**60), 0, 0).file(), "a tensor has an impossible shape"),
    "sum": (Gguf().tensor("a", (2**62,), 0, 0).tensor("b", (2**62,), 0, 0).file(), "its tensors are impossibly many"),
    "sum of types": (
        Gguf().tensor("a", (2**62,), 100, 0).tensor("b", (2**62,), 101, 0).file(), "its tensors are impossibly many"
    ),
    "data": (Gguf().tensor("a", (1024,), 0, 0).file(64), "cut short: its tensors end at byte 4160, the file has 128"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_gguf(tmp_path: Path, lie: str) -> None:
    content, expected = LIES[lie]
    found = problem(tmp_path, "m.gguf", content)
    assert found == expected if expected else found is not None and found.startswith("cut short")


def test_a_gguf_header_over_the_limit_is_given_up(tmp_path: Path) -> None:
    many = struct.pack("<IQ", 8, 5_000_000) + bytes(40_000_000)
    assert problem(tmp_path, "m.gguf", Gguf().pair("a", 9, many).file()) == "its header is longer than 33554432 bytes"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no ONNX model: it has no version or no graph"),
        (b"\x08\x07", "no ONNX model: it has no version or no graph"),
        (b"\x08\x07\x3a\xff\xff\x7f", "cut short, or no protobuf: a field is longer than what it is in"),
        (b"\x08\x07\x3a" + b"\xff" * 10, "no protobuf"),
        (b"\x08\x07\x3b", "no protobuf"),
        (b"\x00\x07", "no protobuf"),
        (onnx(initializer((2**62, 2), 1)), "a tensor has an impossible shape"),
        (onnx(initializer((2**63,), 1)), "a tensor has an impossible shape"),
        (onnx(initializer((4,), 1, bytes(15))), "a tensor's data is not of its shape"),
        (onnx(initializer((2**62,), 1)), "a tensor's data is not of its shape"),
        (onnx(initializer((1,), 7)), "a tensor's data is not of its shape"),
        (onnx(initializer((), 1)), "a tensor's data is not of its shape"),
        (onnx(initializer((2**40,), 99, bytes(8))), "a tensor's data is not of its shape"),
        (onnx(initializer((2**40,), 99)), "a tensor's data is not of its shape"),
        (onnx(typed((2**62,), 1, field(4, bytes(8)))), "a tensor's data is not of its shape"),
        (onnx(typed((3,), 1, field(4, bytes(8)))), "a tensor's data is not of its shape"),
        (onnx(typed((9,), 7, field(7, bytes(8)))), "a tensor's data is not of its shape"),
        (onnx(typed((2,), 7, field(7, bytes(21)))), "a tensor's data is not of its shape"),
        (onnx(typed((3,), 8, field(6, b"a") * 2)), "a tensor's data is not of its shape"),
        (onnx(typed((4,), 1, field(14, 0))), "a tensor's data is not of its shape"),
        (onnx(typed((2**62, 2), 1, field(14, 1))), "a tensor has an impossible shape"),
        (onnx(initializer((1,) * 65, 1)), "a tensor has more than 64 dimensions"),
        (onnx(field(5, b"\x0a\x01\x80\x10\x01")), "no protobuf"),
        (onnx(*[node("Add")] * 5, field(1, b"") * 270_000), "it has more than 262144 fields"),
    ],
)
def test_onnx(tmp_path: Path, content: bytes, expected: str) -> None:
    assert problem(tmp_path, "m.onnx", content) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", None),
        (b"\x80\x04.", "no pickle"),
        (b"\x80\x04\xff", "no pickle"),
        (b"\x80\x04h\x07.", "no pickle"),
        (b"\x80\x04g99999999999999999999999\n.", "no pickle"),
        (b"\x80\x04e", "no pickle"),
        (b"\x80\x04NN\x93.", "no pickle"),
        (b"\x80\x04(" + b"(" * 200_000, "it has more than 131072 opcodes"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**63), None),
        (b"\x80\x04\x8d" + struct.pack("<Q", 2**63), None),
        (b"\x80\x04" + (b"X\x00\x01\x00\x00" + b"a" * 256) * 9000,
         "it was not read to its end: an array of objects, or too many texts"),
    ],
)  # fmt: skip
def test_pickle(tmp_path: Path, content: bytes, expected: str | None) -> None:
    found = problem(tmp_path, "m.pkl", content)
    assert found == expected if expected else found is not None and found.startswith("cut short")


class Trap:
    """Unpickling it would run a function."""

    def __reduce__(self) -> tuple[object, ...]:
        return (exec, ("raise SystemExit('unpickled')",))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    assert problem(tmp_path, "m.pkl", pickle.dumps([Trap(), Trap()])) is None


def test_a_pickle_that_holds_itself_ends(tmp_path: Path) -> None:
    endless: list[object] = []
    endless.append(endless)
    assert problem(tmp_path, "m.pkl", pickle.dumps(endless)) is None


def test_only_eight_megabytes_are_inflated(tmp_path: Path) -> None:
    bomb = zlib.compress(b"\x80\x04B" + struct.pack("<I", 50 << 20) + bytes(50 << 20) + b".")
    assert (
        problem(tmp_path, "m.joblib", bomb)
        == f"cut short: {(50 << 20) + 7} bytes or more were promised, 8388608 are there"
    )
    assert problem(tmp_path, "m.joblib", bomb[:-9]) is not None
    assert problem(tmp_path, "m.joblib", b"\x78\x9c\xff\xff\xff") == "its compressed data is broken"
    assert problem(tmp_path, "m.joblib", zlib.compress(b"\x80\x04N")) == "cut short, or changed while it was read"


def test_steps_of_a_pipeline_that_are_odd_leave_its_name_alone(tmp_path: Path) -> None:
    head = b"\x80\x04\x8c\x10sklearn.pipeline\x8c\x08Pipeline\x93)\x81}\x8c\x05steps"
    for steps in (b"]", b"](\x8c\x01aN\x86e", b"N", b"](NNNe", b"](\x8c\x01a\x8c\x02no\x86e"):
        (tmp_path / "m.pkl").write_bytes(head + steps + b"sb.")
        assert read(tmp_path / "m.pkl").architecture == "Pipeline"
    (tmp_path / "m.pkl").write_bytes(head + b"](\x8c\x01a\x8c\x04drop\x86esb.")
    assert read(tmp_path / "m.pkl").architecture == "Pipeline(drop)"


def test_a_name_that_is_no_name_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"\x80\x04csklearn.x\nEvil\x1b[31m\n.")
    (tmp_path / "m.gguf").write_bytes(Gguf().string("general.architecture", "x\x1b[31m").file())
    assert (read(tmp_path / "m.pkl").architecture, read(tmp_path / "m.gguf").architecture) == (None, None)


@pytest.mark.parametrize(
    "name", ["tiny.safetensors", "tiny.gguf", "linear.onnx", "forest.joblib", "pipeline-zlib.joblib"]
)
def test_what_a_look_may_read_or_take_is_bounded(name: str) -> None:
    assert read(FIXTURES / name, Budget(bytes_left=100)).problem == "not read: budget"
    ticks = iter(range(100))
    assert read(FIXTURES / name, Budget(seconds=1, clock=lambda: next(ticks))).problem == "not read: budget"


def test_a_file_that_is_shorter_than_it_was_gives_a_reason(tmp_path: Path) -> None:
    for name in ("tiny.safetensors", "tiny.gguf", "linear.onnx", "forest.joblib"):
        (tmp_path / name).write_bytes((FIXTURES / name).read_bytes()[:60])
        descriptor = os.open(tmp_path / name, os.O_RDONLY)
        try:
            file = read_model_file(descriptor, name, 4_000, Budget())
        finally:
            os.close(descriptor)
        assert file.problem is not None
        assert file.parameters is None


NAMES = (
    "m.safetensors",
    "m.gguf",
    "m.onnx",
    "m.pkl",
    "m.joblib",
    "config.json",
    "model.safetensors.index.json",
    "m.pt",
)
SEEDS = [path.read_bytes() for path in sorted(FIXTURES.iterdir()) if path.stat().st_size < 5000]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_in_a_file_its_header_is_read_without_an_exception(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    seed = data.draw(st.sampled_from([b"", *SEEDS]))
    content = bytearray(seed[: data.draw(st.integers(0, len(seed)))])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8)):
        if at < len(content):
            content[at] = byte
    content += data.draw(st.binary(max_size=200))
    (tmp_path / name).write_bytes(content)
    file = read(tmp_path / name)
    assert (file.path, file.format != "") == (str(tmp_path / name), True)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(0, 2**64 - 1), max_size=6), fields=st.lists(st.integers(0, 20), max_size=6))
def test_any_protobuf_is_walked_without_an_exception(tmp_path: Path, numbers: list[int], fields: list[int]) -> None:
    body = b"".join(
        varint(number << 3 | number % 8) + varint(value) for number, value in zip(fields, numbers, strict=False)
    )
    (tmp_path / "m.onnx").write_bytes(onnx(field(5, body), field(1, body), body))
    assert read(tmp_path / "m.onnx").format == "onnx"
