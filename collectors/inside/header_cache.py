"""Which headers were read before? A file that has not changed is not read again."""

import os

from collectors.model_file import ModelFile

ENTRIES_LIMIT = 256

Key = tuple[int, int, int, int, str]


def cache_key(status: os.stat_result, name: str) -> Key:
    """Device, inode, size and time of change of a file, and its name, by whose ending it may be read."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, name


class HeaderCache:
    """The headers read last, the oldest first; at most `ENTRIES_LIMIT`."""

    def __init__(self) -> None:
        self._held: dict[Key, ModelFile] = {}

    def get(self, key: Key) -> ModelFile | None:
        """The header, which counts as used now."""
        found = self._held.pop(key, None)
        if found is not None:
            self._held[key] = found
        return found

    def put(self, key: Key, file: ModelFile) -> None:
        self._held[key] = file
        while len(self._held) > ENTRIES_LIMIT:
            del self._held[next(iter(self._held))]
