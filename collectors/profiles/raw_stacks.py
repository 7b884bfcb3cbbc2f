"""What does `py-spy record --format raw --threads` write?

A line is `thread (TID): name;frame;frame;… N`, root first; a frame is `name (file:line)`. Names of threads, files and
functions may hold spaces and semicolons, so a piece that does not end like a frame belongs to the next one.
"""

import re
from collections.abc import Iterator

from collectors.profiles.profile import Frame

LINE_LIMIT_BYTES = 1 << 20
_PIECES_LIMIT = 32
_DIGITS_LIMIT = 9
"""Of a count or a line's number: a name that holds a line feed can write any line here."""
_THREAD = re.compile(r"thread \((?:0x([0-9A-Fa-f]{1,16})|(\d{1,20}))\)(?:: (.*))?", re.DOTALL)


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
    if not _is_number(digits):
        return None
    pieces = body.split(";")
    first = next((at for at in range(1, len(pieces)) if " (" in pieces[at]), len(pieces))
    # what comes before the first frame belongs to the thread's name, which may hold semicolons
    head = _THREAD.fullmatch(";".join(pieces[:first])) or _THREAD.fullmatch(pieces[0])
    if head is None:
        return None
    tid = int(head[1], 16) if head[1] else int(head[2])
    return RawStack(tid, head[3], tuple(_frames(pieces[first:], known)), int(digits))


def _frames(pieces: list[str], known: dict[str, Frame]) -> Iterator[Frame]:
    """Names and paths are the target's own, and may hold semicolons: a frame may be several pieces, few of them."""
    begun: list[str] = []
    for piece in pieces:
        begun.append(piece)
        if piece.endswith(")"):
            text = ";".join(begun)
            frame = known.get(text)
            if frame is None:
                name, found, place = text.rpartition(" (")
                if name and found:
                    file, colon, line = place[:-1].rpartition(":")
                    numbered = bool(colon) and _is_number(line)
                    frame = to_frame(name, file if numbered else place[:-1], int(line) if numbered else None)
                    known[text] = frame
            if frame is not None:
                yield frame
                begun = []
        if len(begun) >= _PIECES_LIMIT:
            yield Frame(";".join(begun), "")
            begun = []
    if begun:
        yield Frame(";".join(begun), "")


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_LIMIT


def to_frame(name: str, file: str, line: int | None) -> Frame:
    """py-spy writes a native frame as `symbol (library)`, with a line only where debug information gives one."""
    native = line is None or not (file.endswith((".py", ".pyx", ".pyi")) or file.startswith("<"))
    return Frame(name, file, None if native else line, native)
