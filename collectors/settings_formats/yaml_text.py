"""What does a YAML file say that holds no more than maps, lists and values of one line?

Anchors, aliases, tags, several documents, and texts or collections over several lines are not read: a file that has
them is a problem. The value of a block text (`|`, `>`) is unknown.
"""

import re
from typing import Final

from collectors.settings_formats.values import NotUnderstood, Unknown, Value, text_of
from collectors.settings_formats.yaml_flow import Flow, quoted_at
from collectors.settings_formats.yaml_scalar import plain

_DEPTH_LIMIT: Final = 32
_LINES_LIMIT: Final = 1 << 15
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\u2028\u2029]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_END = re.compile(r":(?= |$)| #")
"""Where a plain text ends: it is a key, or a comment follows."""
_BLOCK_TEXT = re.compile(r"[|>](?:[1-9][-+]?|[-+][1-9]?)?(?: +#.*)?")
_NO_PLAIN_BEGIN: Final = frozenset(",[]{}#&*!|>'\"%@`")
_BLOCK: Final = Unknown("has a block text at")


class _Line:
    __slots__ = ("indent", "number", "text")

    def __init__(self, number: int, raw: str) -> None:
        self.number = number
        self.text = raw.strip(" ")
        self.indent = len(raw) - len(raw.lstrip(" "))


def parse_yaml(content: bytes) -> Value:
    """The one document, by the rules of YAML 1.1. Raises NotUnderstood, with the line."""
    text = text_of(content)
    if _CONTROL.search(text):
        raise NotUnderstood("it has control characters")
    raw = _LINE_END.split(text)
    if len(raw) > _LINES_LIMIT:
        raise NotUnderstood(f"more than {_LINES_LIMIT} lines")
    parser = _Parser([_Line(number, each) for number, each in enumerate(raw, 1)])
    try:
        return parser.document()
    except NotUnderstood as no:
        raise NotUnderstood(f"line {parser.number}: {no.reason}") from no


class _Parser:
    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._at = 0

    @property
    def number(self) -> int:
        """Of the line that was read last."""
        return self._lines[min(self._at, len(self._lines) - 1)].number

    def document(self) -> Value:
        line = self._peek(first=True)
        if line is not None and line.indent == 0 and re.fullmatch(r"---(?: +#.*)?", line.text):
            self._at += 1
            line = self._peek()
        if line is not None and not _is_item(line.text) and _key(line.text) is None:
            raise NotUnderstood("no map and no list")
        found = self._block(0) if line else None
        if self._peek() is not None:
            raise NotUnderstood("not indented as what is before it")
        return found

    def _peek(self, first: bool = False) -> _Line | None:
        """The next line that is not blank or a comment."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.text and not line.text.startswith("#"):
                if "\t" in line.text:
                    raise NotUnderstood("a tab")
                if line.indent == 0 and line.text[:3] in ("---", "...") and not first:
                    raise NotUnderstood("several documents")
                return line
            self._at += 1
        return None

    def _block(self, depth: int) -> Value:
        """What begins at the next line."""
        if depth > _DEPTH_LIMIT:
            raise NotUnderstood("nested too deep")
        line = self._peek()
        assert line is not None
        if _is_item(line.text):
            return self._list(line.indent, depth)
        if _key(line.text) is not None:
            return self._map(line.indent, depth)
        self._at += 1
        return self._one_line(line.text, line.indent - 1)

    def _map(self, indent: int, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while (line := self._peek()) is not None and line.indent == indent:
            pair = _key(line.text)
            if pair is None or _is_item(line.text):
                raise NotUnderstood("a key is missing")
            name, rest = pair
            if name in found or name == "<<":
                raise NotUnderstood("a key twice, or a merge")
            self._at += 1
            found[name] = self._value(rest, indent, depth, False)
        self._check(line, indent)
        return found

    def _list(self, indent: int, depth: int) -> list[Value]:
        found: list[Value] = []
        while (line := self._peek()) is not None and line.indent == indent and _is_item(line.text):
            rest = line.text[1:].lstrip(" ")
            if rest and (_is_item(rest) or _key(rest) is not None):
                line.indent += len(line.text) - len(rest)
                line.text = rest
                found.append(self._block(depth + 1))
            else:
                self._at += 1
                found.append(self._value(rest, indent, depth, True))
        self._check(line, indent)
        return found

    def _check(self, line: _Line | None, indent: int) -> None:
        if line is not None and line.indent > indent:
            raise NotUnderstood("not indented as what is before it")

    def _value(self, rest: str, indent: int, depth: int, of_item: bool) -> Value:
        """What follows a key or a dash that is indented by `indent`."""
        if rest and not rest.startswith("#"):
            return self._one_line(rest, indent)
        line = self._peek()
        if line is not None and line.indent > indent:
            return self._block(depth + 1)
        if line is not None and line.indent == indent and not of_item and _is_item(line.text):
            return self._list(indent, depth + 1)
        return None

    def _one_line(self, text: str, indent: int) -> Value:
        """A value that ends in its line; lines behind it that are indented deeper than `indent` would belong to it."""
        if text[0] in "|>":
            if not _BLOCK_TEXT.fullmatch(text):
                raise NotUnderstood("a value that is not read")
            while self._at < len(self._lines) and (
                not self._lines[self._at].text or self._lines[self._at].indent > indent
            ):
                self._at += 1
            return _BLOCK
        value = _inline(text)
        line = self._peek()
        if line is not None and line.indent > indent:
            raise NotUnderstood("a value over several lines")
        return value


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _begins_plain(text: str) -> bool:
    first = text[0]
    return first not in _NO_PLAIN_BEGIN and not (first in "-?:" and text[1:2] in ("", " "))


def _key(text: str) -> tuple[str, str] | None:
    """(key as written, what follows it) of a line of a map; None if it is none."""
    if text[0] in "\"'":
        name, end = quoted_at(text)
        after = text[end:].lstrip(" ")
        return (name, after[1:].lstrip(" ")) if after == ":" or after.startswith(": ") else None
    if not _begins_plain(text):
        return None
    end_of = _END.search(text)
    if end_of is None or end_of[0] != ":":
        return None
    return text[: end_of.start()].rstrip(" "), text[end_of.end() :].lstrip(" ")


def _inline(text: str) -> Value:
    if text[0] in "\"'":
        value, end = quoted_at(text)
        _nothing_behind(text, end)
        return value
    if text[0] in "[{":
        flow = Flow(text)
        found = flow.value()
        _nothing_behind(text, flow.at)
        return found
    if not _begins_plain(text):
        raise NotUnderstood("an anchor, an alias, a tag, or a value that is not read")
    end_of = _END.search(text)
    if end_of is not None and end_of[0] == ":":
        raise NotUnderstood("two keys in one line")
    return plain(text[: end_of.start()].rstrip(" ") if end_of else text)


def _nothing_behind(text: str, end: int) -> None:
    rest = text[end:]
    if rest and not rest.lstrip(" ").startswith("#"):
        raise NotUnderstood("a value that is not read")
    if rest.startswith("#"):
        raise NotUnderstood("a value that is not read")
