"""How do the rows of a recording become samples again, when all of them are read in order?

One cursor a table, each of which moves forward with the readings: a query for each reading would take most of a replay.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from sqlite3 import Connection
from typing import Any

from agent.store.columns import Kinds, producers, quoted
from collectors.sample import Sample, fields_of

_moment = itemgetter(0)


class RecordedSamples:
    """The samples of an open recording. Times have to be asked for about in order: what is passed over is kept in memory
    until it is asked for, as where the node's clock was set back."""

    def __init__(self, connection: Connection, kinds: Kinds) -> None:
        """`kinds`: those that are read; others are left out. Raises sqlite3.Error."""
        self._tables: dict[str, list[_Table]] = {}
        several = producers()
        for name, collector in connection.execute("SELECT name, collector FROM kind ORDER BY name").fetchall():
            if (kind := kinds.get(name)) is not None:
                table = _Table(connection, kind)
                for producer in sorted({collector, *several.get(name, ())}):
                    self._tables.setdefault(producer, []).append(table)

    def of(self, collector: str, time_ms: int, order: Sequence[int] | None) -> list[Sample]:
        """The samples of one reading. `order`: where each of them stood; None = by kind and entity."""
        found: list[Sample] = []
        for table in self._tables.get(collector, ()):
            found += table.at(time_ms)
        if order is None or len(order) != len(found):
            return found
        return [found[place] for place in order]


class _Table:
    def __init__(self, connection: Connection, kind: type[Sample]) -> None:
        rows = connection.execute("SELECT id, key FROM entity WHERE kind = ?", (kind.kind,))
        self._make = maker(kind, dict(rows.fetchall()))
        self._moments: Iterator[tuple[int, Iterator[tuple[Any, ...]]]] = groupby(
            connection.execute(_query(connection, kind)), key=_moment
        )
        self._passed: dict[int, list[Sample]] = {}
        self._last: tuple[int, list[Sample]] = (-1, [])
        self._reached: int | None = None

    def at(self, time_ms: int) -> list[Sample]:
        """The samples of one moment; several collectors of one kind may ask for the same."""
        if self._last[0] != time_ms:
            self._last = (time_ms, self._find(time_ms))
        return self._last[1]

    def _find(self, time_ms: int) -> list[Sample]:
        if time_ms in self._passed:
            return self._passed.pop(time_ms)
        while self._reached is None or self._reached < time_ms:
            moment, rows = next(self._moments, (None, iter(())))
            if moment is None:
                break
            self._reached = moment
            if moment == time_ms:
                return self._samples(rows)
            self._passed[moment] = self._samples(rows)
        return []

    def _samples(self, rows: Iterator[tuple[Any, ...]]) -> list[Sample]:
        make = self._make
        return [make(*row) for row in rows]


def maker(kind: type[Sample], keys: Mapping[int, str]) -> Callable[..., Sample]:
    """What makes a sample of a row: time, entity's number, fields. `keys`: entities by number.

    Written out, as a call with its keywords in the code takes a fifth of the time of one with a dict.
    """
    names = [spec.name for spec in fields_of(kind)]
    given = ", ".join(f"{name}={name}" for name in names)
    source = f"lambda _time, _entity, {', '.join(names)}: kind(entity=keys[_entity], {given})"
    made: Callable[..., Sample] = eval(source, {"kind": kind, "keys": keys})  # noqa: S307 - names of declared fields
    return made


def _query(connection: Connection, kind: type[Sample]) -> str:
    """All rows in order of time. A missing column reads as None."""
    table = quoted(kind.kind)
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    columns = [quoted(s.name) if s.name in present else "NULL" for s in fields_of(kind)]
    return f"SELECT time, entity, {', '.join(columns)} FROM {table} ORDER BY time, entity"  # noqa: S608
