"""What does `py-spy record --format raw --threads` write?

A line is `thread (TID): name;frame;frame;… N`, root first; a frame is `name (file:line)`. Names of threads, files and
functions may hold spaces and semicolons, so a piece that does not end like a frame belongs to the next one.
"""

import re
from collections.abc import Iterator

from collectors.profiles.profile import Frame

LINE_LIMIT_BYTES = 1 << 20
_THREAD = re.compile(r"thread \((?:0x([0-9A-Fa-f]+)|(\d+))\)(?:: (.*))?", re.DOTALL)
_PYTHON = re.compile(r"(.+) \((.*?)(?::(\d+))?\)", re.DOTALL)


class RawStack:
    """One line: the thread's number and Python name, its frames root first, and how often it was seen."""

    __slots__ = ("count", "frames", "name", "tid")

    def __init__(self, tid: int, name: str | None, frames: tuple[Frame, ...], count: int) -> None:
        self.tid = tid
        self.name = name
        self.frames = frames
        self.count = count


def parse_raw(text: bytes) -> Iterator[RawStack]:
    """The stacks of a raw profile; a line that is not like one is left out."""
    known: dict[str, Frame] = {}
    for line in text.split(b"\n"):
        if line and len(line) <= LINE_LIMIT_BYTES and (found := _parse_line(line, known)) is not None:
            yield found


def _parse_line(line: bytes, known: dict[str, Frame]) -> RawStack | None:
    body, _, digits = line.decode("utf-8", "replace").rpartition(" ")
    if not digits.isascii() or not digits.isdigit():
        return None
    pieces = body.split(";")
    head = _THREAD.fullmatch(pieces[0])
    first = 1
    while head is not None and first < len(pieces) and " (" not in pieces[first]:
        head = _THREAD.fullmatch(";".join(pieces[: first + 1])) or head  # a semicolon in the thread's name
        first += 1
    if head is None:
        return None
    tid = int(head[1], 16) if head[1] else int(head[2])
    return RawStack(tid, head[3], tuple(_frames(pieces[first:], known)), int(digits))


def _frames(pieces: list[str], known: dict[str, Frame]) -> Iterator[Frame]:
    text = ""
    for piece in pieces:
        text = f"{text};{piece}" if text else piece
        frame = known.get(text)
        if frame is None:
            match = _PYTHON.fullmatch(text)
            if match is None:
                continue
            frame = known[text] = to_frame(match[1], match[2], int(match[3]) if match[3] else None)
        yield frame
        text = ""
    if text:
        yield Frame(text, "")


def to_frame(name: str, file: str, line: int | None) -> Frame:
    """py-spy writes a native frame as `symbol (library)`, with a line only where debug information gives one."""
    native = line is None or not (file.endswith((".py", ".pyx", ".pyi")) or file.startswith("<"))
    return Frame(name, file, None if native else line, native)
