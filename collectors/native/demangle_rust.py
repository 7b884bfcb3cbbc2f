"""What is a Rust function called whose symbol is in the old form (`_ZN…17h<hash>E`) or in v0 (RFC 2603, `_R…`)?

Crate and generic arguments' own details are left out: `<T as Trait>::method`, `module::function`.
"""

import re
from collections.abc import Callable

from collectors.native.mangled import BadName, Walk

_DIGITS = "0123456789"
_BASE62 = _DIGITS + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HASH = re.compile(r"h[0-9a-f]{16}")
_ESCAPE = re.compile(r"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,6})\$")
_ESCAPED = {"SP": "@", "BP": "*", "RF": "&", "LT": "<", "GT": ">", "LP": "(", "RP": ")", "C": ","}
_EARLIER_LIMIT = 256
"""Characters of a part that is meant again: a name of such parts could grow without end."""
_TYPES = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...", "x": "i64",
    "y": "u64", "z": "!",
}  # fmt: skip


def legacy_name(symbol: str) -> str:
    """The path of `symbol`, which begins with `_ZN`, without its hash. Raises BadName."""
    walk = Walk(symbol, 3)
    parts = []
    while not walk.take("E"):
        parts.append(walk.piece(walk.number()))
    if len(parts) > 1 and _HASH.fullmatch(parts[-1]):
        parts.pop()
    return "::".join(_ESCAPE.sub(_unescape, part.removeprefix("_") if part.startswith("_$") else part).replace("..", "::")
                     for part in parts)  # fmt: skip


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code in _ESCAPED:
        return _ESCAPED[code]
    point = int(code[1:], 16)
    return chr(point) if 0x20 <= point < 0x7F else match[0]


def v0_name(symbol: str) -> str:
    """The path of `symbol`, which begins with `_R`. Raises BadName."""
    walk = _V0(symbol, 2)
    walk.run(_DIGITS)  # a later version of the form
    return walk.path()


class _V0(Walk):
    def path(self) -> str:
        with self.deeper():
            kind = self.piece(1)
            match kind:
                case "C":
                    return self._identifier()
                case "M":
                    self._implementation()
                    return f"<{self._type()}>"
                case "X":
                    self._implementation()
                    return f"<{self._type()} as {self.path()}>"
                case "Y":
                    return f"<{self._type()} as {self.path()}>"
                case "N":
                    space = self.piece(1)
                    parent, name = self.path(), self._identifier()
                    if space.isupper():
                        name = "{closure}" if space == "C" else f"{{{name or space}}}"
                    return f"{parent}::{name}" if name else parent
                case "I":
                    path = self.path()
                    while not self.take("E"):
                        self._argument()
                    return path
                case "B":
                    return self._earlier(self.path)
        raise BadName(self.text)

    def _implementation(self) -> None:
        self._disambiguator()
        self.path()

    def _earlier(self, read: Callable[[], str]) -> str:
        """What `read` finds at an earlier place of the symbol."""
        begin = self.at - 1
        place = 2 + self._base62()
        if place >= begin:
            raise BadName(self.text)
        here, self.at = self.at, place
        try:
            return read()[:_EARLIER_LIMIT]
        finally:
            self.at = here

    def _base62(self) -> int:
        digits = self.run(_BASE62)
        self.need("_")
        if len(digits) > 16:
            raise BadName(self.text)
        value = 0
        for digit in digits:
            value = value * 62 + _BASE62.index(digit)
        return value + 1 if digits else 0

    def _disambiguator(self) -> None:
        if self.take("s"):
            self._base62()

    def _identifier(self) -> str:
        self._disambiguator()
        encoded = self.take("u")
        length = self.number()
        self.take("_")
        name = self.piece(length)
        return f"punycode{{{name}}}" if encoded else name

    def _argument(self) -> None:
        if self.take("L"):
            self._base62()
        elif self.take("K"):
            self._constant()
        else:
            self._type()

    def _constant(self) -> None:
        with self.deeper():
            if self.take("B"):
                self._base62()
            elif not self.take("p"):
                self._type()
                self.run("n" + _DIGITS + "abcdef")
                self.need("_")

    def _type(self) -> str:
        with self.deeper():
            if letter := self.take(*_TYPES):
                return _TYPES[letter]
            if self.take("R", "Q"):
                if self.take("L"):
                    self._base62()
                return f"&{self._type()}"
            if self.take("P", "O"):
                return f"*{self._type()}"
            if self.take("S"):
                return f"[{self._type()}]"
            if self.take("A"):
                kind = self._type()
                self._constant()
                return f"[{kind}]"
            if self.take("T"):
                parts = []
                while not self.take("E"):
                    parts.append(self._type())
                return f"({', '.join(parts)})"[:_EARLIER_LIMIT]
            if self.take("F"):
                return self._function()
            if self.take("D"):
                return self._dynamic()
            if self.take("B"):
                return self._earlier(self._type)
            return self.path()

    def _function(self) -> str:
        self._binder()
        self.take("U")
        if self.take("K") and not self.take("C"):
            self._identifier()
        while not self.take("E"):
            self._type()
        self._type()
        return "fn"

    def _dynamic(self) -> str:
        self._binder()
        parts = []
        while not self.take("E"):
            parts.append(self.path())
            while self.take("p"):
                self._identifier()
                self._type()
        self.need("L")
        self._base62()
        return f"dyn {' + '.join(parts)}"

    def _binder(self) -> None:
        if self.take("G"):
            self._base62()
