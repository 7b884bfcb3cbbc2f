"""What does the text of a frame say: `name (file:line)`, `symbol (library)`, or a bare name?"""

import re

_PLACED = re.compile(r"(?P<name>.*) \((?P<file>.*?)(?::(?P<line>\d{1,9}))?\)", re.DOTALL)


def split_frame(text: str) -> tuple[str, str | None, int | None]:
    """Name, file or library, line. A text of another form is all name."""
    match = _PLACED.fullmatch(text)
    if match is None or not match["file"]:
        return text, None, None
    return match["name"], match["file"], int(match["line"]) if match["line"] else None


def printable(text: str) -> str:
    """One line, with nothing in it that a terminal would obey: names of functions and threads are anyone's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())) or "?"
