"""The share of weights that are zero, of files with so many of them, of others, and of files that lie about their data."""

import os
import struct
from pathlib import Path

import pytest

from collectors.model_headers import Budget, read_model_file
from collectors.model_headers.zeros import PAGE_BYTES, PAGES
from tests.collectors.model_bytes import FIXTURES, read, safetensors, tensor

NUMBERS = {"F32": struct.pack("<f", 0.25), "F16": struct.pack("<e", 0.25), "BF16": b"\x80\x3e"}
MINUS_ZERO = {"F32": b"\0\0\0\x80", "F16": b"\0\x80", "BF16": b"\0\x80"}
MIB = 1 << 20


def one_tensor(dtype: str, data: bytes) -> bytes:
    count = len(data) // len(NUMBERS[dtype])
    return safetensors({"w": tensor(dtype, (count,), 0, len(data))}) + data


def share(folder: Path, content: bytes, budget: Budget | None = None) -> float | None:
    (folder / "m.safetensors").write_bytes(content)
    file = read(folder / "m.safetensors", budget)
    assert file.problem is None, "what is read of its data changes nothing of what its header says"
    return file.zero_share


@pytest.mark.parametrize("dtype", NUMBERS)
def test_scattered_zeros_are_counted_with_either_sign(tmp_path: Path, dtype: str) -> None:
    number, minus = NUMBERS[dtype], MINUS_ZERO[dtype]
    data = (number + minus + bytes(len(number)) + number + bytes(len(number))) * (MIB // len(number))
    assert share(tmp_path, one_tensor(dtype, data)) == pytest.approx(0.6, abs=0.001)


def test_a_trained_model_has_next_to_none(tmp_path: Path) -> None:
    assert share(tmp_path, one_tensor("F32", NUMBERS["F32"] * MIB)) == 0.0


def test_blocks_of_zeros_are_seen_to_within_a_tenth(tmp_path: Path) -> None:
    block = bytes(70_000) + NUMBERS["F16"] * 15_000
    assert share(tmp_path, one_tensor("F16", block * 20)) == pytest.approx(0.7, abs=0.1)


def test_numbers_of_other_types_are_left_out(tmp_path: Path) -> None:
    ones = NUMBERS["F32"] * (MIB // 4)
    header = {"table": tensor("I64", (MIB // 8,), 0, MIB), "w": tensor("F32", (MIB // 4,), MIB, 2 * MIB)}
    assert share(tmp_path, safetensors(header) + bytes(MIB) + ones) == 0.0
    header = {
        "table": tensor("I64", (15 * MIB // 8,), 0, 15 * MIB),
        "w": tensor("F32", (MIB // 4,), 15 * MIB, 16 * MIB),
    }
    assert share(tmp_path, safetensors(header) + bytes(15 * MIB) + ones) is None, "two pages are too few"


def test_tensors_in_any_order_of_the_header_are_found(tmp_path: Path) -> None:
    header = {"b": tensor("F32", (MIB // 4,), MIB, 2 * MIB), "a": tensor("F16", (MIB // 2,), 0, MIB)}
    content = safetensors(header) + bytes(MIB) + NUMBERS["F32"] * (MIB // 4)
    assert share(tmp_path, content) == pytest.approx(2 / 3), "half of the bytes, twice as many numbers"


def test_a_small_file_is_not_sampled(tmp_path: Path) -> None:
    assert share(tmp_path, one_tensor("F32", bytes(PAGES * PAGE_BYTES))) == 1.0
    assert share(tmp_path, one_tensor("F32", bytes(PAGES * PAGE_BYTES - 4))) is None
    assert read(FIXTURES / "tiny.safetensors").zero_share is None


def test_packed_weights_are_not_sampled(tmp_path: Path) -> None:
    header = {"l.qweight": tensor("I32", (MIB // 4,), 0, MIB), "l.scales": tensor("F16", (MIB // 2,), MIB, 2 * MIB)}
    (tmp_path / "m.safetensors").write_bytes(safetensors(header, 2 * MIB))
    assert read(tmp_path / "m.safetensors").zero_share is None


def test_no_more_than_32_pages_are_read_whatever_the_size(tmp_path: Path) -> None:
    content = one_tensor("F16", bytes(8 * MIB))
    head = 16 + 8 + len(content) - 8 - 8 * MIB  # what tells the format, the length, the header
    assert share(tmp_path, content, Budget(bytes_left=head + PAGES * PAGE_BYTES)) == 1.0
    assert share(tmp_path, content, Budget(bytes_left=head + PAGES * PAGE_BYTES - 1)) is None


def test_a_look_that_may_take_no_longer_leaves_the_header_told(tmp_path: Path) -> None:
    ticks = iter([0.0, 0.1, 0.2, 0.3, 0.4, *[2.0] * 100])
    assert share(tmp_path, one_tensor("F16", bytes(8 * MIB)), Budget(clock=lambda: next(ticks))) is None


def test_data_that_is_not_of_its_header_is_not_read(tmp_path: Path) -> None:
    content = one_tensor("F32", bytes(MIB))
    for wrong in (content[:-1], content + b"\0"):
        (tmp_path / "m.safetensors").write_bytes(wrong)
        file = read(tmp_path / "m.safetensors")
        assert file.problem is not None
        assert file.zero_share is None


def test_a_file_that_got_shorter_meanwhile_counts_for_what_is_left(tmp_path: Path) -> None:
    content = one_tensor("F32", bytes(4 * MIB))
    (tmp_path / "m.safetensors").write_bytes(content[: 2 * MIB + 3])
    descriptor = os.open(tmp_path / "m.safetensors", os.O_RDONLY)
    try:
        file = read_model_file(descriptor, "m.safetensors", len(content))
    finally:
        os.close(descriptor)
    assert (file.problem, file.zero_share) == (None, 1.0)
