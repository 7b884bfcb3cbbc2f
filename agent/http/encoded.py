"""What are the bytes of a document, and how often are they made?"""

from typing import Any

import msgspec

from advisor.documents import PastStatus, Problem, Snapshot


def encode(document: object) -> bytes:
    """JSON. A name that came from the kernel with bytes that are no UTF-8 is written with `?` in their place."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(msgspec.to_builtins(document)))


def data_body(document: object, past: PastStatus | None = None) -> bytes:
    """`{"data": document}`, or `{"data": document, "past": past}`."""
    beside = b"" if past is None else b',"past":' + encode(past)
    return b'{"data":' + encode(document) + beside + b"}"


def error_body(problem: Problem) -> bytes:
    """`{"error": problem}`."""
    return b'{"error":' + encode(problem) + b"}"


class EncodedSnapshot:
    """The bodies made from one snapshot, each made once: readers of the same second share them."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._bodies: dict[str, bytes] = {}

    def body(self, snapshot: Snapshot, name: str) -> bytes:
        """The enveloped bytes of a part, kept until another snapshot comes."""
        if snapshot is not self._snapshot:
            self._snapshot, self._bodies = snapshot, {}
        body = self._bodies.get(name)
        if body is None:
            body = self._bodies[name] = data_body(getattr(snapshot, name))
        return body


def _clean(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_clean(key): _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
        case _:
            return value
