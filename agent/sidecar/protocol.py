"""What do agent and sidecar say to each other? The agent asks, the sidecar answers each question once and in order."""

import msgspec

from agent.framing import BadFrame, framed
from collectors.entities import WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Request as FileRequest
from collectors.inside.memory import ProcessMemory
from collectors.profiles.profile import ProfileSpec
from collectors.reading import Unsupported


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


class MemoryRequest(msgspec.Struct, frozen=True, tag="memory"):
    """Which part of the memory of the process `key` is its own? Its pages are counted, so ask seldom."""

    key: WorkerKey


class MemoryReply(msgspec.Struct, frozen=True, tag="memory-reply"):
    key: WorkerKey
    memory: ProcessMemory | Unsupported


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


Request = Hello | FactsRequest | MemoryRequest | CostRequest | ProfileRequest | ProfilePoll
Reply = HelloReply | FactsReply | MemoryReply | CostReply | ProfileStarted | ProfilePending | ProfilePart | Refusal


def to_frame(message: Request | Reply) -> bytes:
    """Raises BadFrame if the message does not fit into one frame."""
    return framed(msgspec.json.encode(message))


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
