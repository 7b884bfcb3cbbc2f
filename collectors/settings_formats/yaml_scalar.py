"""What is a plain or quoted text of YAML 1.1, as the common readers of it say?"""

import re

from collectors.settings_formats.values import NotUnderstood, Unknown, Value

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_HEX = re.compile(r"[-+]?0x[0-9a-fA-F]{1,16}")
_DECIMAL = re.compile(r"(?:[-+]?[0-9]{1,32}\.[0-9]{0,32}|\.[0-9]{1,32})(?:[eE][-+][0-9]{1,3})?")
_INFINITE = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_UNSURE = re.compile(
    r"[-+]?[0-9][0-9_]*+(?:(?::[0-5]?[0-9])++(?:\.[0-9_]*+)?|\.[0-9_]*+(?:[eE][-+]?[0-9]++)?)?"
    r"|[-+]?\.[0-9][0-9_]*+(?:[eE][-+]?[0-9]++)?"
    r"|[-+]?0x[0-9a-fA-F_]++|[-+]?0[bo][0-7_]++"
    r"|\d{4}-\d\d?-\d\d?(?:[Tt ].*)?|<<|="
)
"""What looks like a number or a time and is read in different ways: octal, with `_`, base 60, dates."""
_UNCLEAR = Unknown("has an unclear number or time at")
_ESCAPE = re.compile(r'\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0abtnvfre "/\\]))|\\')
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
}  # fmt: skip
_LAST_CODE_POINT = 0x10FFFF


def plain(text: str) -> Value:
    """The value of a text without quotes."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _WHOLE.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return float(f"{infinite[1]}inf")
    if text in _NAN:
        return float("nan")
    return _UNCLEAR if _UNSURE.fullmatch(text) else text


def double_quoted(inner: str) -> str:
    """The text between double quotes. Raises NotUnderstood for an escape that is not read."""
    return _ESCAPE.sub(_character, inner) if "\\" in inner else inner


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits:
        code = int(digits, 16)
        if code > _LAST_CODE_POINT:
            raise NotUnderstood("a broken escape")
        return chr(code)
    if not match[4]:
        raise NotUnderstood("a broken escape")
    return _ESCAPED.get(match[4], match[4])
