"""What does `py-spy dump --json` say of each Python thread at one moment?"""

import msgspec

from collectors.profiles.profile import Frame


class _DumpFrame(msgspec.Struct, frozen=True):
    name: str
    filename: str
    line: int = 0


class DumpThread(msgspec.Struct, frozen=True):
    """One thread. `frames` are leaf first, as written; use `stack`."""

    thread_id: int
    os_thread_id: int | None
    thread_name: str | None
    active: bool
    owns_gil: bool
    frames: tuple[_DumpFrame, ...]

    @property
    def number(self) -> int:
        """The kernel's number as the process itself sees it, from Python 3.11 on; before, its pthread_t."""
        return self.os_thread_id if self.os_thread_id is not None else self.thread_id

    @property
    def stack(self) -> tuple[Frame, ...]:
        """Root first."""
        return tuple(Frame(f.name, f.filename, f.line or None) for f in reversed(self.frames))


def parse_dump(text: bytes) -> tuple[DumpThread, ...]:
    """The threads. Raises msgspec.DecodeError for what is no dump."""
    return msgspec.json.decode(text, type=tuple[DumpThread, ...])
