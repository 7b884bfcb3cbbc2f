"""What fields does a protobuf message hold, without its schema compiled?"""

from collections.abc import Iterator

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_VARINT_BYTES = 10


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field in turn: bytes for strings, messages and packed numbers, else an unsigned number.
    Raises ValueError for what is no message."""
    offset = 0
    while offset < len(message):
        key, offset = _varint(message, offset)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, offset = _varint(message, offset)
            yield number, value
            continue
        if kind == _BYTES:
            size, offset = _varint(message, offset)
        elif kind in (_EIGHT, _FOUR):
            size = 8 if kind == _EIGHT else 4
        else:
            raise ValueError(f"wire type {kind} at byte {offset}")
        if size > len(message) - offset:
            raise ValueError(f"field {number} ends after the message")
        data = message[offset : offset + size]
        offset += size
        yield number, data if kind == _BYTES else int.from_bytes(data, "little")


def messages(message: bytes, number: int) -> Iterator[bytes]:
    """The fields of that number that hold bytes. Raises ValueError as `fields` does."""
    return (value for found, value in fields(message) if found == number and isinstance(value, bytes))


def texts(message: bytes, number: int) -> tuple[str, ...]:
    """As `messages`, decoded."""
    return tuple(value.decode("utf-8", "backslashreplace") for value in messages(message, number))


def text(message: bytes, number: int) -> str:
    """The last of that number; empty where there is none, as protobuf has it."""
    return (texts(message, number) or ("",))[-1]


def numbers(message: bytes, number: int) -> tuple[int, ...]:
    """The numbers of that field, packed or one by one."""
    found: list[int] = []
    for each, value in fields(message):
        if each != number:
            continue
        if isinstance(value, int):
            found.append(value)
            continue
        offset = 0
        while offset < len(value):
            one, offset = _varint(value, offset)
            found.append(one)
    return tuple(found)


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[offset : offset + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, offset + index + 1
    raise ValueError(f"no number at byte {offset}")
