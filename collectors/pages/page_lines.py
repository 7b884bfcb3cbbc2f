"""How is one line of a page in Prometheus's text format read?

As prometheus_client's parser reads it, which costs ten times as much and gives counters other names than were printed.
"""

import re
from typing import NamedTuple

from collectors.reading import Unreadable

_LINE = re.compile(r'\s*+([^\s{}"#]++)[ \t]*(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*+")*+)\}|[ \t])[ \t]*(\S++)')
_LABEL = re.compile(r'[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*+)"[ \t]*(?:,|$)')
_ESCAPE = re.compile(r'\\[\\n"]')
_HINT = "ask it by hand and look"


class Line(NamedTuple):
    """One series of a page, as printed. `labels` is their text, see `labels_of`; a timestamp and an exemplar are left
    out."""

    name: str
    labels: str
    value: float


def parse_line(line: str) -> Line:
    """Raises Unreadable if it is no line of a series."""
    found = _LINE.match(line)
    if found is None:
        raise _damaged(line)
    name, labels, number = found.groups()
    try:
        if "_" in number:  # float() takes 1_000
            raise ValueError(number)
        return Line(name, labels or "", float(number))
    except ValueError as error:
        raise _damaged(line) from error


def labels_of(text: str) -> dict[str, str]:
    """`a="1",b="2"` by name, without the escapes. Raises Unreadable if they are none."""
    labels: dict[str, str] = {}
    place, end = 0, len(text.rstrip(" \t"))
    while place < end:
        found = _LABEL.match(text, place)
        if found is None or found[1] in labels:
            raise _damaged(text)
        value = found[2]
        labels[found[1]] = _ESCAPE.sub(_unescaped, value) if "\\" in value else value
        place = found.end()
    return labels


def _unescaped(found: re.Match[str]) -> str:
    character = found[0][1]
    return "\n" if character == "n" else character


def _damaged(text: str) -> Unreadable:
    return Unreadable(f"the page is damaged: {text[:120]!r}", _HINT)
