"""What does a settings file hold at the keys that are asked for?"""

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from collectors.procfs import safe_text
from collectors.redaction import is_secret_name, looks_secret
from collectors.settings_formats.values import Message, Scalar, Unknown, Value

KEYS_LIMIT = 256
PARTS_LIMIT = 16
MATCHES_LIMIT = 64
STARS_LIMIT = 2
"""Each multiplies the work by as much as a list may be long."""
TEXT_LIMIT_CHARACTERS = 1024
ROOM_CHARACTERS = 256 * 1024
_NAME_LIMIT_CHARACTERS = 128
_PROBLEM_KEYS = 8
_WHOLE_LIMIT = 1 << 63


class Room:
    """How much of all files of one look may still be told, in characters."""

    def __init__(self, characters: int = ROOM_CHARACTERS) -> None:
        self.left = characters

    def take(self, key: str, value: Scalar) -> bool:
        self.left -= len(key) + (len(value) if isinstance(value, str) else 8)
        return self.left >= 0


def asked_for(document: Value, keys: Sequence[str], room: Room) -> tuple[dict[str, Scalar], str | None]:
    """(dotted key -> plain value, why some are missing). In a key `*` stands for any one index or name. What is no
    plain value, or looks secret, is left out."""
    values: dict[str, Scalar] = {}
    missing: dict[str, list[str]] = {}
    for asked in keys[:KEYS_LIMIT]:
        if asked.count("*") > STARS_LIMIT:
            missing.setdefault("has too many * in", []).append(asked)
            continue
        matches = 0
        for key, found in _find(document, asked.split(".")[:PARTS_LIMIT], ""):
            if isinstance(found, Mapping | list | tuple) and (not found or _is_asked_by_parts(asked, keys)):
                continue
            value = _plain(found)
            if "*" in asked and looks_secret(key):
                pass  # a name in the file may be the secret: it is not told that it is there
            elif isinstance(value, Unknown):
                missing.setdefault(value.why, []).append(key)
            elif is_secret_name(key) or (isinstance(value, str) and _is_withheld(value)):
                missing.setdefault("withholds", []).append(key)
            elif not room.take(key, value):
                return values, "more is asked for than may be told"
            else:
                values[key] = value
            matches += 1
            if matches >= MATCHES_LIMIT:
                break
    problem = "; ".join(f"{why} {', '.join(names[:_PROBLEM_KEYS])}" for why, names in missing.items())
    return values, problem or None


def _is_asked_by_parts(asked: str, keys: Sequence[str]) -> bool:
    """Whether what is in a map or a list is asked for too, or only what is plain beside it."""
    return asked.endswith("*") or any(key.startswith(f"{asked}.") for key in keys)


def _find(node: Value, parts: Sequence[str], prefix: str) -> Iterator[tuple[str, Value]]:
    """What is at `parts` below `node`, with its key. A name in the file may hold dots."""
    if not parts:
        yield prefix, True if isinstance(node, Message) else node
        return
    if isinstance(node, Unknown):
        yield prefix, node
        return
    if isinstance(node, str):
        node = _inner(node)
    if isinstance(node, Mapping):
        for used, name in _names(node, parts):
            before = len(prefix)
            for key, value in _find(node[name], parts[used:], f"{prefix}.{name}" if before else name):
                yield key, value
                if "*" not in parts:
                    return
    elif isinstance(node, list | tuple):
        for index in _indexes(node, parts[0]):
            yield from _find(node[index], parts[1:], f"{prefix}.{index}" if prefix else str(index))


def _names(node: Mapping[str, Value], parts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(parts used, name) of what `parts` may mean in a map, the shortest name first."""
    if parts[0] == "*":
        for name in list(node)[:MATCHES_LIMIT]:
            if len(name) <= _NAME_LIMIT_CHARACTERS and name.isprintable():
                yield 1, name
        return
    for used in range(1, len(parts) + 1):
        name = ".".join(parts[:used])
        if name in node:
            yield used, name


def _indexes(node: Sequence[Value], part: str) -> Sequence[int]:
    if part == "*":
        return range(min(len(node), MATCHES_LIMIT))
    return (int(part),) if part.isascii() and part.isdigit() and len(part) < 6 and int(part) < len(node) else ()


def _inner(text: str) -> Value:
    """The object that a text holds as JSON: `models={"iris": {…}}` in a properties file."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        inner: Value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return inner


def _plain(value: Value) -> Scalar | Unknown:
    """The value in a form that can be sent on."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -_WHOLE_LIMIT <= value < _WHOLE_LIMIT else Unknown("has too large a number at")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return safe_text(value.encode("utf-8", "backslashreplace"))
    return value if isinstance(value, Unknown) else Unknown("has no plain value at")


def _is_withheld(value: str) -> bool:
    return len(value) > TEXT_LIMIT_CHARACTERS or looks_secret(value)
