"""In which frames do the agent and its helper processes talk?

A frame is four bytes of length, most significant first, and that many bytes of JSON.
"""

import struct
from typing import Protocol

FRAME_LIMIT_BYTES = 1 << 20
_LENGTH = struct.Struct("!I")
HEADER_BYTES = _LENGTH.size


class BadFrame(Exception):  # noqa: N818 - what the other side did
    """The other side broke the protocol: a frame too long, cut short or not of a known message."""


def framed(body: bytes) -> bytes:
    """Raises BadFrame if the body does not fit into one frame."""
    if len(body) > FRAME_LIMIT_BYTES:
        raise BadFrame(f"message of {len(body)} bytes is longer than a frame may be ({FRAME_LIMIT_BYTES})")
    return _LENGTH.pack(len(body)) + body


def frame_bytes(header: bytes | bytearray) -> int:
    """Length of the body that `header` announces. Raises BadFrame if it is empty or over the limit."""
    (length,) = _LENGTH.unpack_from(header)
    if not 0 < length <= FRAME_LIMIT_BYTES:
        raise BadFrame(f"frame of {length} bytes; 1 to {FRAME_LIMIT_BYTES} are allowed")
    return int(length)


class Stream(Protocol):
    """What is read of a socket."""

    def recv(self, count: int, /) -> bytes: ...


def receive(connection: Stream) -> bytes | None:
    """The body of the next frame; None at the end of the stream. Blocks as long as the socket's timeout says; raises
    BadFrame, and OSError as recv(2) does."""
    header = _exactly(connection, HEADER_BYTES)
    if not header:
        return None
    body = _exactly(connection, frame_bytes(header))
    if not body:
        raise BadFrame("the stream ended inside a frame")
    return body


def _exactly(connection: Stream, count: int) -> bytes:
    """`count` bytes, or none if the stream ends before the first. Raises BadFrame if it ends later."""
    received = bytearray()
    while len(received) < count:
        chunk = connection.recv(count - len(received))
        if not chunk and not received:
            return b""
        if not chunk:
            raise BadFrame("the stream ended inside a frame")
        received += chunk
    return bytes(received)
