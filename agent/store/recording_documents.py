"""How are the parts of a recording that repeat themselves stored once?"""

from collections.abc import Callable, Sequence
from sqlite3 import Connection

from collectors.sample import Sample

_MOST_REMEMBERED = 5_000


class Documents:
    """The table `document` of an open recording."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers: dict[bytes, int] = {}

    def number(self, body: bytes) -> int:
        """The number of a text, given at first sight. Raises sqlite3.Error."""
        known = self._numbers.get(body)
        if known is not None:
            return known
        if len(self._numbers) >= _MOST_REMEMBERED:
            self._numbers.clear()
        text = body.decode()
        self._connection.execute("INSERT OR IGNORE INTO document (body) VALUES (?)", (text,))
        found: int = self._connection.execute("SELECT id FROM document WHERE body = ?", (text,)).fetchone()[0]
        self._numbers[body] = found
        return found


def ordering(samples: Sequence[Sample], entity: Callable[[str, str], int]) -> list[int] | None:
    """Where each sample stands once they are sorted by kind and entity, as a replay reads them; None: they are sorted.

    `entity` gives the number of an entity by its kind and key.
    """
    keys = [(sample.kind, entity(sample.kind, sample.entity)) for sample in samples]
    sorted_from = sorted(range(len(keys)), key=keys.__getitem__)
    if all(position == origin for position, origin in enumerate(sorted_from)):
        return None
    places = [0] * len(keys)
    for position, origin in enumerate(sorted_from):
        places[origin] = position
    return places
