"""What does a file in protobuf's text format say, without the description of its messages?

Which fields are repeated is not written in it, so those of Triton's and TensorFlow Serving's files are known here; they
are lists, also with one value. Another field that comes twice is `x` and `x.1`. A map entry is under its own key.
"""

import re
from typing import Final

from collectors.settings_formats.values import Message, NotUnderstood, Value, text_of

_DEPTH_LIMIT: Final = 32
_TOKENS_LIMIT: Final = 1 << 16
_REPEATED: Final = frozenset((
    "agents", "allowed_batch_sizes", "batch_input", "batch_output", "bool_false_true", "buckets", "config", "control",
    "control_input", "cpu_execution_accelerator", "dim", "dims", "fp32_false_true", "gpu_execution_accelerator", "gpus",
    "graph_spec", "initial_state", "input", "instance_group", "int32_false_true", "metric_control", "model_warmup",
    "op_library_filename", "output", "preferred_batch_size", "profile", "resources", "secondary_devices", "shape",
    "source_input", "state", "step", "target_name", "versions",
))  # fmt: skip
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f\v]++|\#[^\n]*+)
    |(?P<name>[A-Za-z_][\w]*+)
    |(?P<number>(?:0[xX][0-9a-fA-F]++|(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?[fF]?)(?![\w.]))
    |(?P<text>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    |(?P<mark>[{}<>\[\]:,;-])""",
    re.VERBOSE | re.ASCII,
)
_NUMBERS_LIMIT_CHARACTERS: Final = 64
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|([abfnrtv\\'\"?]))|\\", re.ASCII)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ASCII_END: Final = 0x80
_ESCAPED_BYTE: Final = 0xDC00
"""How Python keeps a byte that is not text by itself."""
_CLOSING = {"{": "}", "<": ">"}
_TRUTH = {"true": True, "True": True, "false": False, "False": False}
_ENTRY = {"key", "value"}


def parse_pbtxt(content: bytes) -> Value:
    """Nested messages; an enum's value is its name. Raises NotUnderstood, with the line."""
    return _Parser(text_of(content)).message("", 0)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def message(self, closing: str, depth: int) -> Message:
        """The fields up to `closing`; of the file, if that is empty."""
        if depth > _DEPTH_LIMIT:
            raise self._wrong("nested too deep")
        fields: dict[str, list[Value]] = {}
        listed: set[str] = set()
        while self._kind or closing:
            if closing and self._accept(closing):
                break
            name = self._take("name")
            values = fields.setdefault(name, [])
            coloned = self._accept(":")
            if self._accept("["):
                listed.add(name)
                self._list(values, depth, coloned)
            else:
                values.append(self._value(depth, coloned))
            if not self._accept(","):
                self._accept(";")
        return _message(fields, listed)

    def _list(self, values: list[Value], depth: int, scalar_too: bool) -> None:
        """A list of messages may stand without a colon, one of plain values may not."""
        if self._accept("]"):
            return
        while True:
            values.append(self._value(depth, scalar_too))
            if self._accept("]"):
                return
            self._expect(",")

    def _value(self, depth: int, scalar_too: bool) -> Value:
        for opening, closing in _CLOSING.items():
            if self._accept(opening):
                return self.message(closing, depth + 1)
        if not scalar_too:
            raise self._wrong("a value is missing")
        if self._kind == "text":
            return self._text()
        sign = -1 if self._accept("-") else 1
        if self._kind == "number":
            return sign * self._number()
        name = self._take("name")
        if name.lower() in ("inf", "infinity", "nan"):
            return sign * float(name)
        if sign < 0:
            raise self._wrong("a number is missing")
        return _TRUTH.get(name, name)

    def _text(self) -> str:
        """One text, also if it is written in several pieces."""
        pieces = []
        while self._kind == "text":
            pieces.append(_ESCAPE.sub(self._character, self._take("text")[1:-1]))
        raw = "".join(pieces).encode("utf-8", "surrogateescape")
        return raw.decode("utf-8", "backslashreplace")

    def _character(self, match: re.Match[str]) -> str:
        if match[1] or match[2]:
            byte = int(match[1], 16) if match[1] else int(match[2], 8) & 0xFF
            return chr(byte if byte < _ASCII_END else _ESCAPED_BYTE + byte)
        if not match[3]:
            raise self._wrong("an escape that is not read")
        return _ESCAPED.get(match[3], match[3])

    def _number(self) -> int | float:
        text = self._take("number")
        if len(text) > _NUMBERS_LIMIT_CHARACTERS:
            raise self._wrong("a number is too long")
        if text[:2] in ("0x", "0X"):
            return int(text, 16)
        if text.isdigit():
            if len(text) > 1 and text[0] == "0":
                if text.strip("01234567"):
                    raise self._wrong("a number is broken")
                return int(text, 8)
            return int(text)
        return float(text.rstrip("fF"))

    @property
    def _kind(self) -> str:
        """Of the next token; empty at the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _accept(self, mark: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][:2] == ("mark", mark):
            self._at += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise self._wrong(f"`{mark}` is missing")

    def _take(self, kind: str) -> str:
        if self._kind != kind:
            raise self._wrong(f"a {kind} is missing")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _wrong(self, what: str) -> NotUnderstood:
        line = self._tokens[min(self._at, len(self._tokens) - 1)][2] if self._tokens else 1
        return NotUnderstood(f"line {line}: {what}")


def _tokens(text: str) -> list[tuple[str, str, int]]:
    """(kind, text, line) of each token. Raises NotUnderstood."""
    found: list[tuple[str, str, int]] = []
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise NotUnderstood(f"line {line}: not protobuf's text format")
        if match.lastgroup != "blank":
            found.append((match.lastgroup, match[0], line))
            if len(found) > _TOKENS_LIMIT:
                raise NotUnderstood(f"more than {_TOKENS_LIMIT} words")
        line += match[0].count("\n")
        at = match.end()
    return found


def _message(fields: dict[str, list[Value]], listed: set[str]) -> Message:
    found = Message()
    for name, values in fields.items():
        keyed = [value for value in values if isinstance(value, Message) and "key" in value]
        if keyed and all(_may_be_entry(value) for value in values):
            found[name] = dict(_entry(value) for value in keyed)
        elif name in _REPEATED or name in listed:
            found[name] = values
        else:
            found.update({f"{name}.{at}" if at else name: value for at, value in enumerate(values)})
    return found


def _may_be_entry(value: Value) -> bool:
    """Whether a message may be an entry of a map: a plain key and a value, of which one may be left out; but not
    the key of all."""
    if not isinstance(value, Message) or not value or not value.keys() <= _ENTRY:
        return False
    return isinstance(value.get("key"), str | int | None)


def _entry(entry: Message) -> tuple[str, Value]:
    value = entry.get("value")
    if isinstance(value, Message) and value.keys() == {"string_value"}:
        value = value["string_value"]
    key = entry["key"]
    return (str(key).lower() if isinstance(key, bool) else str(key)), value
