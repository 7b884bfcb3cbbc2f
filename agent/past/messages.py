"""What do the agent and the process that works out the past say to each other?

One question, then frames: a letter, four bytes of length, most significant first, and the body.
"""

import struct
import zlib

import msgspec

from advisor.documents import Problem, Snapshot
from agent.http.encoded import encode
from agent.http.past_snapshot import PastSnapshot

PROGRESS, MOMENT, TROUBLE, DONE = b"P", b"M", b"T", b"D"
FRAME_LIMIT_BYTES = 32 << 20
HEADER = struct.Struct("!cI")
_INSTANT = struct.Struct("!q")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The moments of the store at `db` from `since_ns` to before `until_ns` (Unix time)."""

    db: str
    since_ns: int
    until_ns: int


class Progress(msgspec.Struct, frozen=True):
    """So many ticks are done, of how many."""

    done: int
    of: int


def frame(kind: bytes, body: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(body)) + body


def moment(wall_ns: int, snapshot: Snapshot) -> bytes:
    """The frame of a moment at that instant (Unix time)."""
    return frame(MOMENT, _INSTANT.pack(wall_ns) + zlib.compress(encode(snapshot), 1))


def parts(body: bytes) -> tuple[int, bytes]:
    """Instant of a moment in Unix milliseconds, and the moment, packed. Raises struct.error."""
    return _INSTANT.unpack_from(body)[0] // 1_000_000, body[_INSTANT.size :]


def unpacked(packed: bytes) -> PastSnapshot:
    return PastSnapshot(zlib.decompress(packed))


def trouble(body: bytes) -> Problem:
    return msgspec.json.decode(body, type=Problem)
