"""Which names were found before in which file, so that a hot function is not looked for again?"""

import threading
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Collection, Iterable

import msgspec

FUNCTIONS_LIMIT = 8192
FILES_LIMIT = 256


class FileKey(msgspec.Struct, frozen=True, gc=False):
    """A file as it is now: another content has another size or time."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int


class Function(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """The addresses `begin` to `end` (not included) of a file, and the name to show; empty = no symbol holds them."""

    begin: int
    end: int
    name: str


class SymbolCache:
    """Functions by file, at most `FUNCTIONS_LIMIT` in all: about 2 MB. The files used least recently go first. Several
    profiles may use it at once."""

    def __init__(self, limit: int = FUNCTIONS_LIMIT) -> None:
        self._files: OrderedDict[FileKey, list[Function]] = OrderedDict()
        self._limit = limit
        self._count = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    def known(self, key: FileKey, addresses: Collection[int]) -> dict[int, str]:
        """The names of those addresses that are known."""
        with self._lock:
            return self._known(key, addresses)

    def add(self, key: FileKey, functions: Iterable[Function]) -> None:
        """Keep them. Of a file with more than the limit only so many are kept."""
        with self._lock:
            self._add(key, functions)

    def _known(self, key: FileKey, addresses: Collection[int]) -> dict[int, str]:
        functions = self._files.get(key)
        if functions is None:
            return {}
        self._files.move_to_end(key)
        found = {}
        for address in addresses:
            place = bisect_right(functions, address, key=lambda function: function.begin) - 1
            if place >= 0 and address < functions[place].end:
                found[address] = functions[place].name
        return found

    def _add(self, key: FileKey, functions: Iterable[Function]) -> None:
        kept = self._files.setdefault(key, [])
        self._files.move_to_end(key)
        for function in sorted(set(functions)):
            place = bisect_right(kept, function.begin, key=lambda one: one.begin)
            before = kept[place - 1] if place else None
            if before is not None and before.begin == function.begin:
                kept[place - 1] = max(before, function)  # one without a size reaches as far as it was asked for
            elif (before is None or before.end <= function.begin) and len(kept) < self._limit:
                insort(kept, function)
                self._count += 1
        while len(self._files) > 1 and (self._count > self._limit or len(self._files) > FILES_LIMIT):
            _, gone = self._files.popitem(last=False)
            self._count -= len(gone)
