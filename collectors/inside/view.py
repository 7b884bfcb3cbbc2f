"""What does a process see of its own files? Nothing outside its root, and nothing that it could not read itself."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Self

import msgspec

from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, parts_of, reopen

_LISTED_LIMIT = 8192
_NAMES_LIMIT = 256
_LISTINGS_LIMIT = 2048


class Reader(msgspec.Struct, frozen=True):
    """As whom a process reads. We may read more than it may, so a link that it cannot follow is not followed for it."""

    uid: int | None
    groups: frozenset[int]

    @classmethod
    def of(cls, folder: ProcessFolder) -> "Reader":
        groups = frozenset((*folder.ids("Gid")[-1:], *folder.ids("Groups")))
        return cls(next(reversed(folder.ids("Uid")), None), groups)

    def may_read(self, status: os.stat_result) -> bool:
        return self._may(status, stat.S_IROTH)

    def may_enter(self, status: os.stat_result) -> bool:
        """Whether it may look a name up in a folder."""
        return self._may(status, stat.S_IXOTH)

    def _may(self, status: os.stat_result, right: int) -> bool:
        """`right` as it stands for all others."""
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            right <<= 6
        elif status.st_gid in self.groups:
            right <<= 3
        return bool(status.st_mode & right)


class NotPlain(OSError):  # noqa: N818 - it is a state of the file
    """A folder, a device, a pipe: opening some of them has effects, so it is not done."""


class View:
    """The files below one process's root, by paths as the process would write them. Raises OSError if the root or the
    working folder cannot be entered."""

    def __init__(self, folder: ProcessFolder) -> None:
        self.chroot = _root_of(folder)
        self._here = parts_of(self.as_inside(folder.link("cwd")))
        self._reader = Reader.of(folder)
        self._listings_left = _LISTINGS_LIMIT
        self._root = folder.open("root", os.O_PATH | os.O_DIRECTORY)

    def as_inside(self, path: bytes) -> bytes:
        """A path as the kernel writes it to us, as the process itself would write it: a root of its own is cut off."""
        root = self.chroot
        return path.removeprefix(root) if root != b"/" and (path == root or path.startswith(root + b"/")) else path

    def parts(self, path: bytes) -> list[bytes]:
        """The parts of `path` from the root on; a relative one begins at the working folder."""
        return [*([] if path.startswith(b"/") else self._here), *parts_of(path)]

    def matches(self, parts: Sequence[bytes], begin: int = 0) -> Iterator[list[bytes]]:
        """The paths that a pattern may mean: from part `begin` on `*` stands for (a piece of) one part. Hidden names
        are left out."""
        for at in range(begin, len(parts)):
            if b"*" in parts[at]:
                for name in self.names(parts[:at], parts[at]):
                    yield from self.matches([*parts[:at], name, *parts[at + 1 :]], at + 1)
                return
        yield list(parts)

    def names(self, folder: Sequence[bytes], pattern: bytes = b"*") -> list[bytes]:
        """The names in a folder that are not hidden, sorted, at most 256; empty if it cannot be listed, and after
        2048 folders."""
        self._listings_left -= 1
        if self._listings_left < 0:
            return []
        try:
            path = self._find(folder)
        except OSError:
            return []
        try:
            status = os.fstat(path)
            if not stat.S_ISDIR(status.st_mode) or not self._reader.may_read(status):
                return []
            listing = reopen(path, os.O_DIRECTORY)
        except OSError:
            return []
        finally:
            os.close(path)
        try:
            with os.scandir(listing) as entries:
                names = [os.fsencode(entry.name) for entry in islice(entries, _LISTED_LIMIT)]
        except OSError:
            return []
        finally:
            os.close(listing)
        return sorted(n for n in names if not n.startswith(b".") and fnmatch.fnmatchcase(n, pattern))[:_NAMES_LIMIT]

    def status(self, parts: Sequence[bytes]) -> os.stat_result | None:
        """What is at `parts`; None if nothing is."""
        try:
            path = self._find(parts)
        except OSError:
            return None
        try:
            return os.fstat(path)
        finally:
            os.close(path)

    def read(self, parts: Sequence[bytes], limit: int) -> bytes | None:
        """The first `limit` bytes of a plain file; None if it is not there or not readable."""
        try:
            with open(self.open(parts), "rb", buffering=0) as file:
                return file.read(limit)
        except OSError:
            return None

    def open(self, parts: Sequence[bytes]) -> int:
        """A descriptor of the plain file at `parts`, for reading. Raises NotPlain, PermissionError if the process could
        not read it itself, OSError as open(2) does."""
        path = self._find(parts)
        try:
            status = os.fstat(path)
            if not stat.S_ISREG(status.st_mode):
                raise NotPlain
            if not self._reader.may_read(status):
                raise PermissionError
            return reopen(path, 0)
        finally:
            os.close(path)

    def _find(self, parts: Sequence[bytes]) -> int:
        """As `open_inside`, for what the process itself can reach. It is in its working folder already, so the folders
        above that are not checked."""
        here = len(self._here)
        return open_inside(self._root, parts, self._reader.may_enter, here if list(parts[:here]) == self._here else 0)

    def close(self) -> None:
        os.close(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _root_of(folder: ProcessFolder) -> bytes:
    """Where the process's root is, as we see it."""
    try:
        return folder.link("root")
    except OSError:  # a plain folder stands in for the link
        return b"/"
