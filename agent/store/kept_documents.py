"""How is what repeats itself from tick to tick stored once in a raw shard?"""

import zlib
from hashlib import blake2b
from sqlite3 import Connection


class KeptDocuments:
    """The table `kept_document` of an open shard."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def number(self, body: bytes) -> int:
        """The number of a text, given at first sight. Raises sqlite3.Error."""
        digest = blake2b(body, digest_size=16).digest()
        query = "SELECT id FROM kept_document WHERE digest = ?"
        found = self._connection.execute(query, (digest,)).fetchone()
        if found is None:
            values = (digest, zlib.compress(body, 6))
            found = (
                self._connection.execute("INSERT INTO kept_document (digest, body) VALUES (?, ?)", values).lastrowid,
            )
        return int(found[0])
