"""Which line of a stream is the newest that is complete? Reads what is there, waits for nothing, and keeps a bounded part."""

import os

_PIECE = 1 << 16


class NewestLine:
    """The lines that come in on a descriptor. One that is longer than `limit` is left out, one that does not begin with
    `begins` as well."""

    def __init__(self, descriptor: int, limit: int, begins: bytes = b"") -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._limit = limit
        self._begins = begins
        self._begun = bytearray()
        """Of the line that is not complete yet."""
        self._too_long = False
        """What comes belongs to a line that is left out."""

    def read(self) -> bytes | None:
        """The newest line that came since the call before, without its end; None where none did, or empty ones.

        At most `limit` bytes and a piece are taken at once: who writes without end waits for the next call.
        """
        newest: bytes | None = None
        left = self._limit
        while left > 0 and (piece := self._piece()):
            left -= len(piece)
            newest = self._take(piece) or newest
        return newest

    def _piece(self) -> bytes:
        try:
            return os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return b""

    def _take(self, piece: bytes) -> bytes | None:
        """The last line that ends in `piece`."""
        first, *others = piece.split(b"\n")
        self._begin(first)
        if not others:
            return None
        rest = others.pop()
        ended = [*others[::-1], b"" if self._too_long else bytes(self._begun)]
        self._begun.clear()
        self._too_long = False
        self._begin(rest)
        return next((line for line in ended if line and line.startswith(self._begins)), None)

    def _begin(self, part: bytes) -> None:
        """Add to the line that is not complete."""
        if self._too_long:
            return
        self._begun += part
        if len(self._begun) > self._limit:
            self._begun.clear()
            self._too_long = True
