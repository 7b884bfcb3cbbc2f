"""What does a TOML file say?"""

import tomllib
from collections.abc import Mapping

from collectors.settings_formats.values import NotUnderstood, Unknown, Value, text_of

LIMIT_BYTES = 64 * 1024
_DOTS_LIMIT = 24
"""In one line: the library's time grows with the square of the parts of a key."""


def parse_toml(content: bytes) -> Value:
    """Dates and times are not told. Raises NotUnderstood."""
    if len(content) > LIMIT_BYTES:
        raise NotUnderstood(f"longer than {LIMIT_BYTES} bytes")
    text = text_of(content)
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _DOTS_LIMIT:
            raise NotUnderstood(f"line {number}: more than {_DOTS_LIMIT} dots")
    try:
        return _known(tomllib.loads(text))
    except (ValueError, RecursionError) as error:
        raise NotUnderstood("not TOML") from error


def _known(value: object) -> Value:
    if isinstance(value, Mapping):
        return {name: _known(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_known(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return Unknown("has a time at")
