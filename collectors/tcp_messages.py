"""How are the kernel's messages on a thousand sockets unpacked in a millisecond?

They are mostly alike, so that a whole datagram of them is unpacked at once: one after the other takes five times as long.
"""

import struct
from collections.abc import Sequence
from typing import Any

from collectors.sock_diag import sockets_in

_LENGTH = struct.Struct("=I")
_ATTRIBUTE = struct.Struct("=HH")  # length with this header, type
_HEADER_BYTES = 16
_FIXED_BYTES = 88
"""Header and struct inet_diag_msg, which the attributes follow."""

Row = tuple[Any, ...]


class MessageParts:
    """Unpacks the same parts of every message.

    `fixed`: format of the header and of struct inet_diag_msg, without byte order; its first item is the message's length.
    `attribute` and `parts`: type of an attribute, and format of its beginning without its header of four bytes.
    """

    def __init__(self, fixed: str, attribute: int | None = None, parts: str = "") -> None:
        self._fixed, self._attribute, self._parts = fixed, attribute, parts
        self._least = struct.calcsize("=" + parts)
        self._type_at = len(struct.unpack("=" + fixed, bytes(_FIXED_BYTES))) + 1
        self._layouts: dict[tuple[int, int], struct.Struct] = {}
        self._newest: dict[int, struct.Struct] = {}

    def rows(self, data: bytes) -> tuple[Sequence[Row], bool]:
        """Of each message in a datagram its fixed items, then length and type of the attribute and its parts; and whether the
        answer ends with it. A message without the attribute is left out. OSError where the kernel refuses, or where its
        attribute is shorter than the parts."""
        (size,) = _LENGTH.unpack_from(data)
        layout = self._newest.get(size)
        if layout is not None and len(data) % size == 0:
            rows = list(layout.iter_unpack(data))
            if self._alike(rows, size):
                return rows, False
        bodies, last = sockets_in(data)
        found = (self._row(data, body - _HEADER_BYTES, end) for body, end in bodies)
        return [row for row in found if row is not None], last

    def _alike(self, rows: Sequence[Row], size: int) -> bool:
        at = self._type_at
        return {row[0] for row in rows} == {size} and (
            self._attribute is None or {row[at] for row in rows} == {self._attribute}
        )

    def _row(self, data: bytes, begin: int, end: int) -> Row | None:
        at = begin + _FIXED_BYTES
        if self._attribute is not None:
            while True:
                if at + _ATTRIBUTE.size > end:
                    return None
                length, kind = _ATTRIBUTE.unpack_from(data, at)
                if kind == self._attribute:
                    break
                at += max(_ATTRIBUTE.size, (length + 3) & ~3)
            if length < _ATTRIBUTE.size + self._least or at + length > end:
                raise OSError("this kernel counts less of a connection than is needed")
        layout = self._layout(end - begin, at - begin)
        return layout.unpack_from(data, begin)

    def _layout(self, size: int, at: int) -> struct.Struct:
        """For messages of this many bytes with the attribute there."""
        layout = self._layouts.get((size, at))
        if layout is None:
            rest = size - _FIXED_BYTES
            attribute = ""
            if self._attribute is not None:
                rest = size - at - _ATTRIBUTE.size - self._least
                attribute = f"{at - _FIXED_BYTES}xHH{self._parts}"
            layout = self._layouts[size, at] = struct.Struct(f"={self._fixed}{attribute}{rest}x")
        self._newest[size] = layout
        return layout
