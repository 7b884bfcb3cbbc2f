"""What does the text of a frame say: `name (file:line)`, `symbol (library)`, or a bare name?"""

_LINE_DIGITS = 9
"""A longer number is no line."""


def split_frame(text: str) -> tuple[str, str | None, int | None]:
    """Name, file or library, line. A text of another form is all name."""
    name, opened, place = text[:-1].rpartition(" (")
    if not opened or not place or text[-1] != ")":
        return text, None, None
    file, colon, line = place.rpartition(":")
    if not colon or not line.isdecimal() or len(line) > _LINE_DIGITS:
        return name, place, None
    return (name, file, int(line)) if file else (text, None, None)


def printable(text: str) -> str:
    """One line, with nothing in it that a terminal would obey: names of functions and threads are anyone's."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())) or "?"
