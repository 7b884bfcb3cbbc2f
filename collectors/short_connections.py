"""To which ports went the connections that began and ended between two looks?

The kernel counts how many connections it accepted, not at which port (PassiveOpens). Two things tell the port: new
connections are seen at one port alone, look after look; or the rest that a connection leaves on this machine for a minute
where this side closed it first, or where its client is here too.
"""

from collections.abc import Mapping

from collectors.port_counters import Moved
from collectors.tcp_connections import TIME_WAIT_SECONDS, Families, TcpTables

REST_LIMIT, FIRST_LIMIT = 60_000, 4_000
"""More rests than this are not looked at: those take 60 ms, once in half a minute. In the first looks, when one port alone may
soon be known to have them all, fewer."""
EXPLAINED = 0.9
"""The rests must be at least this share of what the kernel counted: a client that comes again from the same port takes
away what it had left."""
ALONE_LOOKS = 5
"""In as many looks no other port had a new connection before one port alone is taken to have nearly all."""
REMEMBERED_LOOKS = 12


class ShortConnections:
    """Remembers at which ports new connections were seen."""

    def __init__(self, tables: TcpTables) -> None:
        self._tables = tables
        self._looks = 0
        self._seen: dict[int, int] = {}
        """Port to the last look at which it had a new connection."""
        self.read = 0
        """About how many rests the last look went through."""

    def by_port(
        self, unseen: float, seconds: float, listening: Families, moved: Mapping[int, Moved], rests: int
    ) -> Mapping[int, float] | None:
        """`unseen` connections of the last `seconds` by port; None where that cannot be told. `moved`: by listening port;
        `rests`: how many connections are in TIME_WAIT."""
        self.read = 0
        self._looks += 1
        self._seen |= {port: self._looks for port, one in moved.items() if one.opened}
        self._seen = {port: look for port, look in self._seen.items() if port in listening}
        if unseen < 1:
            return {}
        if len(listening) == 1:
            return dict.fromkeys(listening, unseen)
        if seconds >= TIME_WAIT_SECONDS:
            return None
        alone = self._alone()
        limit = REST_LIMIT if self._looks > ALONE_LOOKS else FIRST_LIMIT
        if alone is None and rests > limit:
            return None
        self.read = rests if alone is None else 0
        try:
            ended = self._tables.closed(listening, seconds, limit, alone)
        except OverflowError:
            return None
        left = {port: max(0.0, n - moved[port].gone) for port, n in ended.items()}
        total = sum(left.values())
        if alone is not None:
            return {**left, alone: max(0.0, unseen - total)}
        if total < EXPLAINED * unseen:
            return None
        return {port: unseen * n / total for port, n in left.items()}

    def _alone(self) -> int | None:
        """The only port that had new connections lately."""
        lately = [port for port, look in self._seen.items() if look > self._looks - REMEMBERED_LOOKS]
        return lately[0] if len(lately) == 1 and self._looks > ALONE_LOOKS else None
