"""Where does a Python frame come from: the application, or which file of which library?"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

Origin = Literal["own", "library", "standard"]
"""`own`: the application's files. `library`: installed packages. `standard`: what comes with Python."""
_FOLDERS = re.compile(
    r".*/(?:(?P<library>site-packages|dist-packages|[^/]+\.whl)|lib(?:64)?/(?:python|pypy)[\d.]+t?|python\d+\.zip)/"
)


class Place(msgspec.Struct, frozen=True, gc=False):
    """`path` is relative to the folder of imports, for files of the application as it was given."""

    origin: Origin
    path: str


def place_of(file: str) -> Place:
    """Of the file of a frame as Python knows it. `<frozen …>` is Python's own; other `<…>` was compiled from text."""
    match = _FOLDERS.match(file)
    if match is not None:
        return Place("library" if match["library"] else "standard", file[match.end() :])
    if file.startswith("<frozen "):
        return Place("standard", file)
    return Place("own", file)


class PlaceIndex:
    """Finds what the table says of a function, by entries `folder/`, `folder/file.py` and `folder/file.py:Class.function`.

    The most specific entry wins. Python before 3.11 does not tell a function's class: a frame without one also fits
    entries that have one.
    """

    def __init__(self, lists: Mapping[str, tuple[str, ...]]) -> None:
        self._functions: dict[tuple[str, str], str] = {}
        self._bare: dict[tuple[str, str], str] = {}
        self._paths: dict[str, str] = {}
        self._patterns: list[tuple[str, str, str]] = []
        for value, entries in lists.items():
            for entry in entries:
                self._add(value, entry)
        self._patterns.sort(key=lambda pattern: (not pattern[1], -len(pattern[0])))

    def find(self, place: Place, name: str) -> str | None:
        """What is said of the function `name` (qualified or not) in a file of a library; None if nothing is."""
        if place.origin == "own":
            return None
        bare = name.rpartition(".")[2]
        path = place.path
        found = self._functions.get((path, name)) or self._functions.get((path, bare))
        if found is None and bare == name:
            found = self._bare.get((path, name))
        if found is None:
            found = self._by_pattern(path, name, bare)
        return found or next((self._paths[part] for part in _parts(path) if part in self._paths), None)

    def _add(self, value: str, entry: str) -> None:
        path, _, function = entry.partition(":")
        if "*" in entry:
            self._patterns.append((f"{path}*" if path.endswith("/") else path, function, value))
        elif not function:
            self._paths[path] = value
        else:
            self._functions[path, function] = value
            self._bare.setdefault((path, function.rpartition(".")[2]), value)

    def _by_pattern(self, path: str, name: str, bare: str) -> str | None:
        for pattern, function, value in self._patterns:
            if fnmatchcase(path, pattern) and (
                not function or fnmatchcase(name, function) or fnmatchcase(bare, function.rpartition(".")[2])
            ):
                return value
        return None


def _parts(path: str) -> Iterator[str]:
    """The file, then its folders, the deepest first."""
    yield path
    end = path.rfind("/")
    while end >= 0:
        yield path[: end + 1]
        end = path.rfind("/", 0, end)
