"""What does a Java properties file say? One map of names and texts; whole numbers, decimals, `true` and `false` are made
values."""

import re

from collectors.settings_formats.values import NotUnderstood, Scalar, Value

_LINE_END = re.compile(r"\r\n|\r|\n")
_BLANKS = " \t\f"
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_KEY = re.compile(r"((?:[^\\=: \t\f]|\\.)*+)[ \t\f]*+[=:]?[ \t\f]*+", re.DOTALL)
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,15}\.\d{1,15}", re.ASCII)
_TRUTH = {"true": True, "false": False}


def parse_properties(content: bytes) -> Value:
    """The last of several equal names counts. Raises NotUnderstood for a broken escape."""
    found: dict[str, Value] = {}
    pieces: list[str] = []
    for piece in _LINE_END.split(content.decode("latin-1")):
        piece = piece.lstrip(_BLANKS)
        if not pieces and piece[:1] in ("", "#", "!"):
            continue
        goes_on = (len(piece) - len(piece.rstrip("\\"))) % 2 == 1
        pieces.append(piece[:-1] if goes_on else piece)
        if not goes_on:
            _add(found, "".join(pieces))
            pieces = []
    _add(found, "".join(pieces))
    return found


def _add(found: dict[str, Value], line: str) -> None:
    if not line:
        return
    match = _KEY.match(line)
    assert match is not None, "it matches nothing too"
    found[_unescaped(match[1])] = _value(_unescaped(line[match.end() :]))


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return chr(int(match[1], 16))
    if match[2] == "u":
        raise NotUnderstood("a broken \\u escape")
    return _ESCAPED.get(match[2], match[2])


def _value(text: str) -> Scalar:
    text = text.rstrip(_BLANKS)
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return _TRUTH.get(text, text)
