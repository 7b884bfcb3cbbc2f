"""How much does a service answer in a second, in the best measure that there is, and do two times share one?

A server that counts its requests is believed. Of others their connections tell, in numbers that grow as the requests do: good
for comparing a service with itself, not for naming its rate. Each measure misleads where what it stands on changes:

- connections opened: if clients begin to keep theirs, or send more requests over each; then it is not offered, as long as
  connections live longer than CONNECTION_SECONDS;
- both, where clients kept their connections on one side only: segments of so many a request, as long as requests stay as they
  are;
- segments received, and bytes sent: if requests or answers get another size. `comparable` refuses where the bytes sent for a
  segment received have changed; if both grew alike (larger inputs that bring larger outputs) it cannot tell;
- all of them: if clients send more that is refused, as answers with an error count like others.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from advisor.trend import Stretches
from advisor.view import View

CONNECTION_SECONDS = 5.0
"""A connection that lives shorter, on average, is taken to be one of a single request."""
SAME_PAYLOAD = 1.25
MOST_SEGMENTS = 3.0
"""Of one request: one that comes in more of them may not have been there as a whole when it was seen."""
KNOWN_SHARE = 0.5
"""A number of which less of the time is known is not known."""

What = Literal["requests", "tokens", "connections", "segments", "bytes"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a service in some time. Names and units are those of `advisor.trend.FIELDS`; None = not known."""

    requests_per_second: float | None = None
    tokens_out_per_second: float | None = None
    opened_per_second: float | None = None
    received_segments_per_second: float | None = None
    sent_bytes_per_second: float | None = None
    established: float | None = None
    segments_each: float | None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """So many `what` a second. `exact`: they are what they are called; else they stand for requests, in proportion.
    `field`: where in `Seen` and in a trend they are, in units of which `each` are one of them."""

    value: float
    what: What
    field: str
    exact: bool
    each: float = 1.0


Pair = tuple[Answered, Answered]


def seen_of(view: View) -> Seen:
    """In the view's window."""
    connections = view.connections
    return Seen(
        requests_per_second=view.requests_per_second,
        tokens_out_per_second=view.tokens_out_per_second,
        opened_per_second=connections.opened_per_second,
        received_segments_per_second=connections.received_segments_per_second,
        sent_bytes_per_second=connections.sent_bytes_per_second,
        established=view.established,
    )


def seen_by(mean: Callable[[str], float | None]) -> Seen:
    """Of whatever has a mean for each field."""
    return Seen(**{name: mean(name) for name in Seen.__struct_fields__})


def seen_in(stretches: Stretches, since: float = 0.0, until: float = float("inf")) -> Seen:
    """In the stretches that ended from `since` to `until` (Unix seconds), loaded or not."""
    rows = list(stretches.rows(since, until))
    whole = sum(row["seconds"] or 0.0 for row in rows)

    def mean(field: str) -> float | None:
        known = [(value, row["seconds"] or 0.0) for row in rows if (value := row[field]) is not None]
        seconds = sum(each for _, each in known)
        return sum(v * each for v, each in known) / seconds if seconds and seconds >= KNOWN_SHARE * whole else None

    return seen_by(mean)


def answered_per_second(seen: Seen) -> Answered | None:
    """The best measure of requests that there is; None where nothing tells of them."""
    return next(iter(_measures(seen)), None)


def tokens_per_second(seen: Seen) -> Answered | None:
    """Tokens that the server counts as generated: where requests take minutes the number that says how it is doing now."""
    return _of(seen, "tokens", "tokens_out_per_second", exact=True)


def comparable(before: Seen, after: Seen) -> Pair | None:
    """The best measure that both have; None where there is none, or where it means something else afterwards."""
    later = {one.what: one for one in _measures(after)}
    for one in _measures(before):
        if (other := later.get(one.what)) is not None:
            return (one, other) if one.what in ("requests", "connections") or _same_payload(before, after) else None
    return _over_kept_connections(before, after)


def _over_kept_connections(before: Seen, after: Seen) -> Pair | None:
    """Where clients kept their connections on one side only: there the segments, of which one request on the other side, alone
    on its connection, had so many."""
    sides = [
        _of(seen, "connections", "opened_per_second") if _one_request_each(seen) else None for seen in (before, after)
    ]
    alone, kept = (before, after) if sides[0] is not None else (after, before)
    each, came = alone.segments_each, kept.received_segments_per_second
    if (sides[0] is None) == (sides[1] is None) or not came or each is None or not 1 <= each <= MOST_SEGMENTS:
        return None
    segments = Answered(
        value=came / each, what="segments", field="received_segments_per_second", exact=False, each=each
    )
    first, second = (one or segments for one in sides)
    return first, second


def _measures(seen: Seen) -> list[Answered]:
    found = (
        _of(seen, "requests", "requests_per_second", exact=True),
        _of(seen, "connections", "opened_per_second") if _one_request_each(seen) else None,
        _of(seen, "segments", "received_segments_per_second"),
        _of(seen, "bytes", "sent_bytes_per_second"),
    )
    return [one for one in found if one is not None]


def _of(seen: Seen, what: What, field: str, *, exact: bool = False) -> Answered | None:
    """What stands for requests and does not move tells nothing: it may be that another thing does."""
    value: float | None = getattr(seen, field)
    return None if value is None or not (exact or value) else Answered(value=value, what=what, field=field, exact=exact)


def _one_request_each(seen: Seen) -> bool:
    """By Little's law a connection lives for as long as those that are open are to those that are opened in a second."""
    opened, established = seen.opened_per_second, seen.established
    return opened is not None and established is not None and established < CONNECTION_SECONDS * opened


def _same_payload(before: Seen, after: Seen) -> bool:
    sizes = [
        seen.sent_bytes_per_second / seen.received_segments_per_second
        for seen in (before, after)
        if seen.sent_bytes_per_second and seen.received_segments_per_second
    ]
    return len(sizes) == 2 and max(sizes) <= SAME_PAYLOAD * min(sizes)
