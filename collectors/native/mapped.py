"""Which file, and which place in it, does an instruction pointer of a process mean, and how is that file opened?"""

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from collectors.inside.folder import ProcessFolder
from collectors.inside.tree import open_inside, parts_of, reopen
from collectors.procfs import safe_text

MAPPINGS_LIMIT = 16_384
ANONYMOUS = "[anonymous]"
"""Memory with code that no file holds: written by a compiler at run time (oneDNN, XNNPACK, numba, PyPy)."""
_DELETED = b" (deleted)"
_LINE = re.compile(rb"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)", re.DOTALL)
_NO_FILE = re.compile(rb"\[(?:heap|stack|anon|anon_shmem)\b|//anon|/dev/zero|/memfd:|/SYSV|/dev/shm/")
_NEWLINE = rb"\012"


class Mapping(msgspec.Struct, frozen=True, gc=False):
    """One executable piece of a process's memory. `device` as in /proc/PID/maps (`fe:00`), `inode` 0 = no file."""

    begin: int
    end: int
    offset: int
    device: bytes
    inode: int
    path: bytes

    @property
    def name(self) -> str:
        """The file's path as the process sees it, `[anonymous]`, or the kernel's own name (`[vdso]`)."""
        if not self.path or _NO_FILE.match(self.path):
            return ANONYMOUS
        return safe_text(self.path.removesuffix(_DELETED))

    @property
    def is_file(self) -> bool:
        return self.inode != 0 and self.path.startswith(b"/") and self.name != ANONYMOUS

    def file_offset(self, address: int) -> int:
        return address - self.begin + self.offset


class Mappings:
    """The executable memory of one process at one moment, in order of address."""

    def __init__(self, found: Sequence[Mapping]) -> None:
        self._found = found
        self._begins = [one.begin for one in found]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._found)

    def at(self, address: int) -> Mapping | None:
        """The piece that holds `address`."""
        place = bisect_right(self._begins, address) - 1
        if place < 0 or address >= self._found[place].end:
            return None
        return self._found[place]


def read_mappings(folder: ProcessFolder) -> Mappings:
    """From /proc/PID/maps, at most `MAPPINGS_LIMIT` pieces. Raises OSError as open(2) and read(2) do."""
    return Mappings(sorted(parse_mappings(folder.lines("maps")), key=lambda one: one.begin))


def parse_mappings(lines: Iterator[bytes]) -> Iterator[Mapping]:
    """The executable ones among the lines of a maps file."""
    left = MAPPINGS_LIMIT
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        left -= 1
        if left < 0:
            return
        begin, end, offset = (int(match[at], 16) for at in (1, 2, 3))
        yield Mapping(begin, end, offset, match[4], int(match[5]), match[6])


def open_mapped(folder: ProcessFolder, mapping: Mapping) -> int:
    """A descriptor of the mapped file for reading.

    First the kernel's own link to it, which needs CAP_CHECKPOINT_RESTORE and also leads to deleted files; else the path
    inside the process's root. Raises OSError: ENOENT where the file is gone, EINVAL where it is no plain one.
    """
    try:
        found = folder.open(f"map_files/{mapping.begin:x}-{mapping.end:x}", os.O_PATH)
    except OSError:
        found = _open_path(folder, mapping)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return reopen(found, 0)
    finally:
        os.close(found)


def _open_path(folder: ProcessFolder, mapping: Mapping) -> int:
    if mapping.path.endswith(_DELETED):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    root = folder.open("root", os.O_PATH | os.O_DIRECTORY)
    try:
        return open_inside(root, parts_of(mapping.path.replace(_NEWLINE, b"\n")))
    finally:
        os.close(root)
