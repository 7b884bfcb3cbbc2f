"""What would be seen of a service at another load: how many requests, and how long does one take?"""

from msgspec.structs import replace

from advisor.migration.result import Situation
from advisor.queueing import wait_of_many

TAIL = (1.0, 3.0)
"""What was seen of a request's time / what the guide says of its mean, at least and at most: a slow one may take three times as
long, and what is beyond that is a queue which another load does not have."""
MOST_SERVERS = 1024.0
"""Of which each is counted."""


def at_load(now: Situation, per_second: float) -> Situation:
    """With fewer requests they queue less (Erlang); with more nobody knows by how much longer they take."""
    work = replace(now.work, per_second=per_second)
    seen = now.latency_seconds
    if seen is not None and per_second < now.work.per_second:
        seen = min(seen, tail_of(now, seen) * _mean(now, per_second))
    return replace(now, work=work, latency_seconds=seen)


def tail_of(now: Situation, seen: float) -> float:
    """By how much slow requests take longer by themselves, as seconds of `seen` ones tell that waited as well."""
    return min(TAIL[1], max(TAIL[0], seen / _mean(now, now.work.per_second)))


def _mean(now: Situation, per_second: float) -> float:
    servers = min(MOST_SERVERS, now.cores * now.work.wall_seconds / now.work.cpu_seconds)
    return now.work.wall_seconds * (1 + wait_of_many(servers, per_second * now.work.wall_seconds))
