"""Which number stands for an entity or a field in one file?"""

from collections.abc import Mapping
from sqlite3 import Connection

from collectors.sample import FieldSpec, Sample, fields_of

_MOST_REMEMBERED = 20_000
"""Short-lived processes make new entities without end; beyond this the numbers are looked up again."""


def clean_text(text: str) -> str:
    """Text as SQLite takes it: bytes that were not UTF-8 become `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Names:
    """The tables `entity` and `field` of an open file. After a rollback, make a new one: its numbers may be gone."""

    def __init__(self, connection: Connection, labels: Mapping[str, str]) -> None:
        self._connection = connection
        self._labels = labels
        self._entities: dict[tuple[str, str], int] = {}
        self._fields: dict[tuple[str, str], int] = {}

    def entity(self, kind: str, key: str) -> int:
        """The number of an entity, given at first sight."""
        known = self._entities.get((kind, key))
        if known is not None:
            return known
        if len(self._entities) >= _MOST_REMEMBERED:
            self._entities.clear()
        stored = clean_text(key)
        self._connection.execute(
            "INSERT INTO entity (kind, key, label) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET label = coalesce(excluded.label, label)",
            (kind, stored, self._labels.get(key)),
        )
        number = self._number("SELECT id FROM entity WHERE kind = ? AND key = ?", kind, stored)
        self._entities[kind, key] = number
        return number

    def field(self, kind: str, name: str) -> int:
        """The number of a declared field. KeyError if `declare` did not see its kind."""
        return self._fields[kind, name]

    def declare(self, kind: type[Sample]) -> None:
        """Document the fields of a sample type in the file."""
        for spec in fields_of(kind):
            self._fields[kind.kind, spec.name] = self._declare_field(kind.kind, spec)

    def _declare_field(self, kind: str, spec: FieldSpec) -> int:
        self._connection.execute(
            "INSERT INTO field (kind, name, unit, scale, counter, text, help) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, name) DO UPDATE SET unit = excluded.unit, scale = excluded.scale,"
            " counter = excluded.counter, text = excluded.text, help = excluded.help",
            (kind, spec.name, spec.unit, spec.scale, spec.counter, spec.text, spec.help),
        )
        return self._number("SELECT id FROM field WHERE kind = ? AND name = ?", kind, spec.name)

    def _number(self, query: str, kind: str, name: str) -> int:
        number: int = self._connection.execute(query, (kind, name)).fetchone()[0]
        return number
