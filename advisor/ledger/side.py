"""What did a service do in the loaded stretches before, or after, a change?"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from advisor.answered import Seen
from advisor.trend import Stretches

LOOK_SECONDS = 60.0
"""Longer ago than that does not count as what a look at the connections covers."""
_OVER_CONNECTIONS = ("opened_per_second", "sent_bytes_per_second", "received_segments_per_second")
RATES = tuple(name for name in Seen.__struct_fields__ if name.endswith("_per_second"))


class Side(msgspec.Struct, frozen=True):
    """The loaded stretches before, or after, a change: for each field its values, oldest first."""

    fields: dict[str, tuple[float, ...]]
    ends: tuple[float, ...]
    """When each stretch ended, in Unix seconds."""

    @property
    def count(self) -> int:
        return len(self.ends)

    def values(self, field: str) -> tuple[float, ...]:
        return self.fields.get(field, ())

    def mean(self, field: str) -> float | None:
        found = self.values(field)
        return sum(found) / len(found) if found else None


def side_of(stretches: Stretches, since: float, until: float, newest: int) -> Side:
    """The newest loaded stretches that ended within; a number that did not move between two of them, as from one metrics
    page, counts once. What was counted of connections at the first look in a time of load also covers what was before it."""
    found = _whole(stretches.rows(since - LOOK_SECONDS, until))
    rows = [row for row in found if (row["end"] or 0.0) >= since][-newest:]
    names = [name for name in (rows[0] if rows else ()) if name != "end"]
    columns = {name: [value for row in rows if (value := row[name]) is not None] for name in names}
    ends = tuple(end for row in rows if (end := row["end"]) is not None)
    return Side({name: _moved(name, values) for name, values in columns.items()}, ends)


def _whole(rows: Iterable[dict[str, float | None]]) -> list[dict[str, float | None]]:
    """Those under load, without what may cover time in which there was none: many connections are looked at rarely."""
    found, spans = [], True
    for row in rows:
        if not _loaded(row):
            spans = True
            continue
        counted = any(row[name] is not None for name in _OVER_CONNECTIONS)
        looked = counted or row["segments_each"] is not None
        if spans and looked:
            row = row | dict.fromkeys(_OVER_CONNECTIONS)
        spans = spans and not looked
        found.append(row)
    return found


def _loaded(row: Mapping[str, float | None]) -> bool:
    """Most of it under load, and something answered: a server that loads its model is busy, too."""
    rates = [row[name] for name in RATES if row[name] is not None]
    return (row["loaded_seconds"] or 0.0) >= 0.6 * (row["seconds"] or 1.0) and (not rates or any(rates))


def _moved(name: str, values: Sequence[float]) -> tuple[float, ...]:
    if not name.startswith(("requests", "latency", "tokens")):
        return tuple(values)
    return tuple(value for position, value in enumerate(values) if position == 0 or value != values[position - 1])
