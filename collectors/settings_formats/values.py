"""What may stand in a settings file, as all of its formats give it?"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

Scalar = bool | int | float | str | None


class Unknown(msgspec.Struct, frozen=True):
    """A key is set to something that cannot be told. `why` stands before the key: `computes`."""

    why: str


class Message(dict[str, "Value"]):
    """A message of protobuf's text format: that it is there says something by itself, so it counts as True."""


Value: TypeAlias = "Scalar | Unknown | Mapping[str, Value] | Sequence[Value]"


class NotUnderstood(Exception):  # noqa: N818 - it is a state of the file
    """The file is not of its format, or not of the part of it that is read. `reason` holds nothing of the file but
    numbers; `certain` is what can be told all the same."""

    def __init__(self, reason: str, certain: Value = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.certain = certain


def text_of(content: bytes) -> str:
    """The text of a file in UTF-8. Raises NotUnderstood."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUnderstood("not UTF-8") from error
