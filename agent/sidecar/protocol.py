"""What do agent and sidecar say to each other, and in which frames?

A frame is four bytes of length, most significant first, and that many bytes of JSON. The agent asks, the sidecar
answers each question once and in order.
"""

import struct
from typing import Protocol

import msgspec

from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Request as FileRequest
from collectors.profiles.profile import ProfileSpec

FRAME_LIMIT_BYTES = 1 << 20
_LENGTH = struct.Struct("!I")
HEADER_BYTES = _LENGTH.size


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Who are you and what can you do?"""


class HelloReply(msgspec.Struct, frozen=True, kw_only=True, tag="hello-reply"):
    """`capabilities`: the verbs that it knows. `missing`: privileges without which it sees its own user's processes
    alone."""

    version: str
    capabilities: tuple[str, ...]
    missing: tuple[str, ...]


class FactsRequest(msgspec.Struct, frozen=True, tag="facts"):
    """Look inside the process `key`, and at the settings files `requests`."""

    key: WorkerKey
    requests: tuple[FileRequest, ...] = ()


class FactsReply(msgspec.Struct, frozen=True, tag="facts-reply"):
    facts: ProcessFacts


class CostRequest(msgspec.Struct, frozen=True, tag="cost"):
    """What do you cost?"""


class CostReply(msgspec.Struct, frozen=True, kw_only=True, tag="cost-reply"):
    """CPU time since it started, and memory now. None = not readable."""

    cpu_seconds: float
    resident_bytes: int | None


class ProfileRequest(msgspec.Struct, frozen=True, tag="profile"):
    """Begin to profile the process `key`."""

    key: WorkerKey
    spec: ProfileSpec


class ProfileStarted(msgspec.Struct, frozen=True, tag="profile-started"):
    """It began; ask for it by `id`."""

    id: str


class ProfilePoll(msgspec.Struct, frozen=True, tag="profile-poll"):
    """Is it finished? If so, piece `part` of it. `end`: stop it now, with what was seen."""

    id: str
    part: int = 0
    end: bool = False


class ProfilePending(msgspec.Struct, frozen=True, tag="profile-pending"):
    """Not yet."""

    id: str


class ProfilePart(msgspec.Struct, frozen=True, kw_only=True, tag="profile-part"):
    """A piece of a `Profile` as JSON, `parts` of them in all. After the last it is forgotten."""

    id: str
    part: int
    parts: int
    data: bytes


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """No: a stable key, why, and what to do."""

    key: str
    message: str
    hint: str


Request = Hello | FactsRequest | CostRequest | ProfileRequest | ProfilePoll
Reply = HelloReply | FactsReply | CostReply | ProfileStarted | ProfilePending | ProfilePart | Refusal


class BadFrame(Exception):  # noqa: N818 - what the other side did
    """The other side broke the protocol: a frame too long, cut short or not of a known message."""


def to_frame(message: Request | Reply) -> bytes:
    """Raises BadFrame if the message does not fit into one frame."""
    body = msgspec.json.encode(message)
    if len(body) > FRAME_LIMIT_BYTES:
        raise BadFrame(f"message of {len(body)} bytes is longer than a frame may be ({FRAME_LIMIT_BYTES})")
    return _LENGTH.pack(len(body)) + body


def frame_bytes(header: bytes | bytearray) -> int:
    """Length of the body that `header` announces. Raises BadFrame if it is empty or over the limit."""
    (length,) = _LENGTH.unpack_from(header)
    if not 0 < length <= FRAME_LIMIT_BYTES:
        raise BadFrame(f"frame of {length} bytes; 1 to {FRAME_LIMIT_BYTES} are allowed")
    return int(length)


def to_request(body: bytes | bytearray) -> Request:
    """Raises BadFrame if it is no known request."""
    try:
        request: Request = msgspec.json.decode(body, type=Request)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame(f"no request: {error}") from error
    return request


def to_reply(body: bytes | bytearray) -> Reply:
    """Raises BadFrame if it is no known reply."""
    try:
        reply: Reply = msgspec.json.decode(body, type=Reply)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadFrame(f"no reply: {error}") from error
    return reply


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
