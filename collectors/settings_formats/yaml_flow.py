"""What do quoted texts, `[…]` and `{…}` of YAML hold, written in one line?"""

import re
from typing import Final

from collectors.settings_formats.values import NotUnderstood, Value
from collectors.settings_formats.yaml_scalar import double_quoted, plain

_DEPTH_LIMIT: Final = 16
_QUOTED = re.compile(r"\"((?:[^\"\\]++|\\.)*+)\"|'((?:[^']++|'')*+)'(?!')")
_PLAIN_END = re.compile(r"[,\[\]{}?]|:(?=[ ,\[\]{}]|$)| #")
_NO_PLAIN_BEGIN: Final = frozenset("?:,[]{}#&*!|>'\"%@`")
_WRONG: Final = "a collection over several lines, or none that is read"


def quoted_at(text: str, at: int = 0) -> tuple[str, int]:
    """The quoted text that begins at `at`, and where it ends. Raises NotUnderstood if it does not end there."""
    match = _QUOTED.match(text, at)
    if match is None:
        raise NotUnderstood("a quoted text over several lines")
    inner = double_quoted(match[1]) if match[1] is not None else match[2].replace("''", "'")
    return inner, match.end()


class Flow:
    """Reads one collection; `at` is where it goes on."""

    def __init__(self, text: str, at: int = 0) -> None:
        self._text = text
        self.at = at

    def value(self, depth: int = 0) -> Value:
        """The value at `at`. Raises NotUnderstood."""
        if depth > _DEPTH_LIMIT:
            raise NotUnderstood("nested too deep")
        if self._accept("["):
            return self._list(depth)
        if self._accept("{"):
            return self._map(depth)
        text, is_quoted = self._text_here()
        return text if is_quoted else plain(text)

    def _list(self, depth: int) -> list[Value]:
        found: list[Value] = []
        while not self._accept("]"):
            found.append(self.value(depth + 1))
            self._between("]")
        return found

    def _map(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while not self._accept("}"):
            name, _ = self._text_here()
            if not self._accept(":") or name in found or name == "<<":
                raise NotUnderstood("a map without values, or with a key twice")
            self._blanks()
            found[name] = None if self._text[self.at : self.at + 1] in (",", "}") else self.value(depth + 1)
            self._between("}")
        return found

    def _text_here(self) -> tuple[str, bool]:
        """(text, whether it was quoted)"""
        self._blanks()
        first = self._text[self.at : self.at + 1]
        if first in ('"', "'") and first:
            text, self.at = quoted_at(self._text, self.at)
            return text, True
        end = _PLAIN_END.search(self._text, self.at)
        text = self._text[self.at : end.start()] if end else ""
        if not text or first in _NO_PLAIN_BEGIN or (first == "-" and text[1:2] in ("", " ")):
            raise NotUnderstood(_WRONG)
        self.at += len(text)
        return text.rstrip(" "), False

    def _between(self, closing: str) -> None:
        self._blanks()
        if not self._accept(",") and self._text[self.at : self.at + 1] != closing:
            raise NotUnderstood(_WRONG)

    def _accept(self, mark: str) -> bool:
        self._blanks()
        if self._text.startswith(mark, self.at):
            self.at += 1
            return True
        return False

    def _blanks(self) -> None:
        while self._text.startswith(" ", self.at):
            self.at += 1
