"""Fields of protobuf messages on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.containers.protobuf_wire import fields, messages, numbers, text, texts


def test_each_kind_of_field_is_read() -> None:
    message = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x19\x01" + bytes(7) + b"\x25\x02" + bytes(3) + b"\xf8\x07\x05"
    assert list(fields(message)) == [(1, 150), (2, b"abc"), (3, 1), (4, 2), (127, 5)]


def test_strings_messages_and_numbers_are_picked_by_field() -> None:
    message = b"\x0a\x01a" + b"\x0a\x02bc" + b"\x18\x07" + b"\x1a\x03\x01\x96\x01" + b"\x12\x01\xff"
    assert texts(message, 1) == ("a", "bc")
    assert text(message, 1) == "bc"
    assert text(message, 9) == ""
    assert text(message, 2) == "\\xff"
    assert numbers(message, 3) == (7, 1, 150)
    assert list(messages(message, 3)) == [b"\x01\x96\x01"]
    assert numbers(b"", 1) == ()


@pytest.mark.parametrize(
    "message", [b"\x08", b"\x0a\x05ab", b"\x0b", b"\x0c", b"\x08" + b"\xff" * 11, b"\x19\x01", b"\x80"]
)
def test_a_damaged_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"byte|ends after"):
        list(fields(message))


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        found = list(fields(message))
    except ValueError:
        return
    assert sum(len(value) for _, value in found if isinstance(value, bytes)) <= len(message)
