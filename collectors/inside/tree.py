"""How is a path opened inside a process's root without ever leaving it?

Each part is opened from the descriptor of the one before, and the kernel follows no link: links are resolved here as
the process itself would see them, with its own root. The kernel's links below /proc are taken by their text like any
other, so they lead nowhere else.
"""

import errno
import os
import stat
from collections.abc import Callable, Sequence

LINKS_LIMIT = 40
PARTS_LIMIT = 512


def parts_of(path: bytes) -> list[bytes]:
    """The parts of a path; `..` stays, for it can be resolved only on the way."""
    return [part for part in path.split(b"/") if part not in (b"", b".")]


MayEnter = Callable[[os.stat_result], bool]
"""Whether a process may look a name up in a folder."""


def open_inside(root: int, parts: Sequence[bytes], may_enter: MayEnter | None = None, entered: int = 0) -> int:
    """An O_PATH descriptor of the file at `parts` below the folder `root`. With `may_enter` each folder on the way but
    the first `entered` is checked. Raises OSError as open(2) does, ELOOP for too many links, EINVAL for a NUL."""
    if any(b"\0" in part for part in parts):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    way = [os.dup(root)]
    try:
        _walk(way, parts, may_enter, entered)
        return way.pop()
    finally:
        for descriptor in way:
            os.close(descriptor)


def _walk(way: list[int], parts: Sequence[bytes], may_enter: MayEnter | None, entered: int) -> None:
    """Follow `parts`; `way` holds the descriptors from the root to where we are."""
    left = list(reversed(parts))
    links = steps = 0
    while left:
        part = left.pop()
        steps += 1
        if links > LINKS_LIMIT or steps > PARTS_LIMIT:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if may_enter is not None and steps > entered and not may_enter(os.fstat(way[-1])):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if part == b"..":
            _go_back(way, 1)
            continue
        descriptor = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way[-1])
        way.append(descriptor)
        if stat.S_ISLNK(os.fstat(descriptor).st_mode):
            target = os.readlink(b"", dir_fd=descriptor)
            _go_back(way, len(way) if target.startswith(b"/") else 1)
            left.extend(reversed(parts_of(target)))
            links += 1


def _go_back(way: list[int], count: int) -> None:
    """Leave `count` folders, but never the root."""
    while count > 0 and len(way) > 1:
        os.close(way.pop())
        count -= 1


def reopen(descriptor: int, flags: int) -> int:
    """A descriptor of the same file for reading. Only for what `fstat` showed to be a folder or a plain file: opening a
    device or a FIFO has effects of its own."""
    return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
