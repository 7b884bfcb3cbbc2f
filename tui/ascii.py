"""What is drawn where a terminal has no more than ASCII? Every strip passes here last, and each cell stays one."""

import os
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_NO_GLYPHS = frozenset({"linux", "dumb", "vt100", "vt220"})
_SIGNS = str.maketrans(
    "▁▂▃▄▅▆▇█░▒▓▏▎▍▌▋▊▉▐▀▔·●○◌◆◇×÷→←↑↓⇒▸►▶◂◀▲▼△▽✓✗✔✘…–—‖µ°≥≤≈±“”‘’„«»•",
    "_.:-=+*#.:#|||#####'-.*o.*o" + "x/><^v>" + ">>><<^v^v" + "+!+!~--|uo><~+" + '""\'\'"<>*',
)
_HORIZONTAL = frozenset("─━┄┅┈┉╌╍═╴╶╸╺")
_VERTICAL = frozenset("│┃┆┇┊┋╎╏║╵╷╹╻")
_DOTS = " ..::++##"
"""For a braille cell, by how many of its eight dots are set."""


class AsciiFilter(LineFilter):
    """Replaces what is not ASCII by signs of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isascii() else Segment(plain_text(segment.text), segment.style, segment.control)
            for segment in segments
        ]


@lru_cache(4096)
def plain_text(text: str) -> str:
    """`text` in ASCII, as many cells wide."""
    return "".join(map(_sign, text.translate(_SIGNS)))


def wants_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal or the locale say that they have nothing else; an unset locale says nothing."""
    if environ.get("TERM", "").partition("-")[0] in _NO_GLYPHS:
        return True
    locale = next((found for name in ("LC_ALL", "LC_CTYPE", "LANG") if (found := environ.get(name))), "")
    return bool(locale) and "utf8" not in locale.lower().replace("-", "")


def _sign(char: str) -> str:
    if char.isascii():
        return char
    if "\u2800" <= char <= "\u28ff":
        return _DOTS[(ord(char) - 0x2800).bit_count()]
    if "\u2500" <= char <= "\u257f":
        return "-" if char in _HORIZONTAL else "|" if char in _VERTICAL else "+"
    if "\u2580" <= char <= "\u259f":
        return "#"
    base = unicodedata.normalize("NFKD", char)[:1]
    width = cell_len(char)
    return base if width == 1 and base.isascii() and base.isprintable() else "?" * width
