"""How much went over the connections to a port between two looks at it, and was that about all?"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from collectors.tcp_connections import Accepted, Counted

SEEN_SHARE = 0.95
"""Bytes and segments are told where at least this share of them was seen."""
SEGMENTS_OF_ONE = 2.0
"""What is assumed of a connection that nobody saw: head and body of one request."""


class Moved(NamedTuple):
    """Between two looks. `opened`: connections that are there and were not; `gone`: were there and are not; `segments`:
    received; `each`: segments of one connection, in this or the look before."""

    opened: int
    gone: int
    segments: int
    each: float


@dataclass(slots=True)
class PortCounters:
    """Counters of one port since the first look at it. A connection's own counters end with it: what came over it after the
    last look is not seen, and of one that began and ended between two looks nothing is."""

    opened: float = 0.0
    received_bytes: int = 0
    sent_bytes: int = 0
    received_segments: int = 0
    young: int = 0
    """Connections with something received when they were seen for the first time; the next: segments that it came in."""
    young_segments: int = 0
    _known: dict[int, Counted] | None = None
    _each: float = field(default=0.0)

    def look(self, now: Accepted) -> Moved:
        """Take in the connections that are there. Those of the first look count from what they had by then."""
        there, before = now.counted, now.counted if self._known is None else self._known
        self._known = there
        stayed = [before[cookie] for cookie in there.keys() & before.keys()]
        received, sent, segments = (a - b for a, b in zip(_sums(there.values()), _sums(stayed), strict=True))
        self.received_bytes += received
        self.sent_bytes += sent
        self.received_segments += segments
        opened = len(there) - len(stayed)
        if opened:
            came = [segs for cookie, (_, _, segs) in there.items() if cookie not in before and segs]
            self.young += len(came)
            self.young_segments += sum(came)
        self.opened += opened
        each = segments / len(there) if there else 0.0
        moved = Moved(opened, len(before) - len(stayed), segments, max(each, self._each))
        self._each = each
        return moved


def is_seen(moved: Moved, unseen: float) -> bool:
    """Whether a look saw about all that came. `unseen`: connections that began and ended since the look before. One that is
    gone is taken to have brought half of what the others did."""
    missed = SEGMENTS_OF_ONE * unseen + 0.5 * moved.gone * moved.each
    return missed <= (1 - SEEN_SHARE) * (moved.segments + missed)


def _sums(counted: Iterable[Counted]) -> tuple[int, int, int]:
    received, sent, segments = map(sum, zip((0, 0, 0), *counted, strict=True))
    return received, sent, segments
