"""What has to be kept of a service's process, so that it is known again after the agent was restarted?

An orphan often does not say whose worker it was: that was seen while its front-end ran.
"""

from collections.abc import Iterable
from zlib import crc32

import msgspec

from collectors.discover.identity import Identity
from collectors.entities import Process, Role, WorkerKey
from collectors.reading import Instant


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a service. `fingerprint` is that of its command line, which a process in its place would not have;
    `orphaned_ns`: since when it is seen without its front-end (None = it has one), on the clock that `kept` or `recalled`
    names."""

    key: WorkerKey
    fingerprint: int
    framework: str
    role: Role
    leader: WorkerKey | None
    identity: Identity
    orphaned_ns: int | None


def fingerprint(process: Process) -> int:
    """A number that says nothing of the command line and differs for another one."""
    return crc32("\0".join(process.argv).encode("utf-8", "surrogateescape"))


def kept(found: Iterable[Remembered], now: Instant) -> tuple[Remembered, ...]:
    """With wall times in place of monotonic ones, which mean nothing to another process."""
    return _moved(found, now.wall_ns - now.mono_ns)


def recalled(found: Iterable[Remembered], now: Instant) -> tuple[Remembered, ...]:
    """With monotonic times in place of wall times; none later than now."""
    back = _moved(found, now.mono_ns - now.wall_ns)
    return tuple(
        each
        if each.orphaned_ns is None or each.orphaned_ns <= now.mono_ns
        else msgspec.structs.replace(each, orphaned_ns=now.mono_ns)
        for each in back
    )


def _moved(found: Iterable[Remembered], by_ns: int) -> tuple[Remembered, ...]:
    return tuple(
        each if each.orphaned_ns is None else msgspec.structs.replace(each, orphaned_ns=each.orphaned_ns + by_ns)
        for each in found
    )
