"""What do a server's settings files say about the keys that its framework asks for?

A request names the file and the keys; nothing else of a file leaves this module, and no value that looks secret does.
"""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from collectors.facts import SettingsFile
from collectors.framework import SettingsRequest
from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, parts_of, reopen
from collectors.procfs import safe_text
from collectors.redaction import is_secret_name, looks_secret

REQUESTS_LIMIT = 16
FILES_LIMIT = 32
CANDIDATES_LIMIT = 1024
FILE_LIMIT_BYTES = 256 * 1024
TEXT_LIMIT_CHARACTERS = 1024
_NAMES_PER_FOLDER = 256

Scalar = bool | int | float | str | None


def settings_files(folder: ProcessFolder, requests: Sequence[SettingsRequest]) -> tuple[SettingsFile, ...]:
    """The files that `requests` name, relative to the process's working folder inside its root. A file that may not be
    read is left out. Raises OSError if the root or the working folder cannot be entered."""
    here = _working_folder(folder)
    may_read = Reader.of(folder)
    root = folder.open("root", os.O_PATH | os.O_DIRECTORY)
    try:
        found = (file for request in requests[:REQUESTS_LIMIT] for file in _files(root, here, request, may_read))
        return tuple(islice(found, FILES_LIMIT))
    finally:
        os.close(root)


class Reader(msgspec.Struct, frozen=True):
    """As whom a process reads. We may read more than it may, so a link that it cannot follow is not followed for it."""

    uid: int | None
    groups: frozenset[int]

    @classmethod
    def of(cls, folder: ProcessFolder) -> "Reader":
        groups = frozenset((*folder.ids("Gid")[-1:], *folder.ids("Groups")))
        return cls(next(reversed(folder.ids("Uid")), None), groups)

    def may_read(self, status: os.stat_result) -> bool:
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IRUSR)
        if status.st_gid in self.groups:
            return bool(status.st_mode & stat.S_IRGRP)
        return bool(status.st_mode & stat.S_IROTH)


def _working_folder(folder: ProcessFolder) -> list[bytes]:
    """The parts of the working folder as the process itself would write it. The kernel writes both links from where we
    stand, so a root of its own is cut off."""
    here = folder.link("cwd")
    try:
        root = folder.link("root")
    except OSError:  # a plain folder stands in for the link
        root = b"/"
    if root != b"/" and (here == root or here.startswith(root + b"/")):
        here = here.removeprefix(root)
    return parts_of(here)


def _files(root: int, here: list[bytes], request: SettingsRequest, reader: Reader) -> Iterator[SettingsFile]:
    pattern = os.fsencode(request.pattern)
    parts = parts_of(pattern)
    if not parts or not pattern.endswith(b".json") or any(p.startswith(b".") and p != b".." for p in parts):
        return
    base = [] if pattern.startswith(b"/") else here
    several = any(b"*" in part for part in parts)
    for candidate in islice(_candidates(root, base, parts), CANDIDATES_LIMIT):
        path = safe_text(b"/" + b"/".join(candidate))
        try:
            content = _content(root, candidate, reader)
        except (FileNotFoundError, NotADirectoryError):
            if not several:
                yield SettingsFile(request.name, path, False)
        except OSError:
            continue
        else:
            yield SettingsFile(request.name, path, True, _asked_for(content, request.keys))


def _candidates(root: int, base: list[bytes], parts: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The paths that a pattern may mean: `*` stands for (a piece of) one part, hidden names are left out."""
    for at, part in enumerate(parts):
        if b"*" in part:
            for name in _names(root, [*base, *parts[:at]], part):
                yield from _candidates(root, [*base, *parts[:at], name], parts[at + 1 :])
            return
    yield [*base, *parts]


def _names(root: int, folder: list[bytes], pattern: bytes) -> list[bytes]:
    try:
        path = open_inside(root, folder)
    except OSError:
        return []
    try:
        listing = reopen(path, os.O_DIRECTORY)
    except OSError:
        return []
    finally:
        os.close(path)
    try:
        names = [os.fsencode(name) for name in os.listdir(listing)]
    except OSError:
        return []
    finally:
        os.close(listing)
    return sorted(n for n in names if not n.startswith(b".") and fnmatch.fnmatchcase(n, pattern))[:_NAMES_PER_FOLDER]


def _content(root: int, parts: Sequence[bytes], reader: Reader) -> bytes:
    """The file's bytes; none if it is no plain file or too long. Raises PermissionError if the process could not read
    it itself, OSError as open(2) does."""
    path = open_inside(root, parts)
    try:
        status = os.fstat(path)
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= FILE_LIMIT_BYTES:
            return b""
        if not reader.may_read(status):
            raise PermissionError
        descriptor = reopen(path, 0)
    finally:
        os.close(path)
    with open(descriptor, "rb", buffering=0) as file:
        return file.read(FILE_LIMIT_BYTES) or b""


def _asked_for(content: bytes, keys: Sequence[str]) -> dict[str, Scalar]:
    """The plain values at `keys` (dotted). Nothing if it is not a JSON object."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    values: dict[str, Scalar] = {}
    for key in keys:
        value = document
        for part in key.split("."):
            value = value.get(part, msgspec.UNSET) if isinstance(value, dict) else msgspec.UNSET
        if (value is None or isinstance(value, bool | int | float | str)) and not _is_secret(key, value):
            values[key] = value
    return values


def _is_secret(key: str, value: Scalar) -> bool:
    if is_secret_name(key):
        return True
    return isinstance(value, str) and (len(value) > TEXT_LIMIT_CHARACTERS or looks_secret(value))
