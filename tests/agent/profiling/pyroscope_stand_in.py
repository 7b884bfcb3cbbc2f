"""What Pyroscope makes of a request to /ingest, written after its source. A stand-in, not the server.

Version 2: pkg/ingester/pyroscope/ingest_handler.go and ingest_adapter.go, api/model/labelset, pkg/og/convert/parser.go.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

MOST_LINE_BYTES = 64 << 10
_IN_LABEL = set(string.ascii_letters + string.digits + "_.")
_IN_NAME = _IN_LABEL | set("-/")
_TYPES = {"cpu": "process_cpu", "wall": "wall", "itimer": "process_cpu"}


class Refused(Exception):
    """Answered with 400."""


@dataclass(frozen=True)
class Ingested:
    """What was stored. `start`, `end` in Unix seconds; `nanoseconds` of each stack."""

    service_name: str
    type: str
    labels: dict[str, str]
    start: float
    end: float
    nanoseconds: dict[str, int]


def ingest(target: str, body: bytes) -> Ingested:
    """Raises Refused."""
    query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
    if query.get("format") in {"trie", "tree", "lines", "jfr", "pprof", "speedscope"}:
        raise AssertionError(f"{query['format']} is not what we send")
    name, labels = _label_set(query.get("name", ""))
    parts = name.split(".")
    kind, application = (parts[-1], ".".join(parts[:-1])) if len(parts) > 1 else ("cpu", name)
    if kind not in _TYPES:
        raise Refused(f"unknown profile type: {kind}")
    period = 1_000_000_000 // int(query.get("sampleRate", "100"))
    stacks = {stack: count * period for stack, count in _groups(body).items()}
    return Ingested(application, _TYPES[kind], labels, _time(query["from"]), _time(query["until"]), stacks)


def _label_set(text: str) -> tuple[str, Mapping[str, str]]:
    name, _, rest = text.partition("{")
    name = name.strip()
    if not name or set(name) - _IN_NAME:
        raise Refused(f"invalid service name: {name}")
    labels = {}
    for pair in rest.partition("}")[0].split(","):
        key, _, value = pair.partition("=")
        if not key.strip() or set(key.strip()) - _IN_LABEL:
            raise Refused(f"invalid label name: {key}")
        labels[key.strip()] = value.strip()
    return name, labels


def _groups(body: bytes) -> dict[str, int]:
    """The scanner ends without an error at a line that is too long for it."""
    found: dict[str, int] = {}
    for line in body.splitlines():
        if len(line) >= MOST_LINE_BYTES:
            break
        stack, separator, count = line.rpartition(b" ")
        if not separator:
            continue
        if not re.fullmatch(rb"[+-]?\d+", count):
            raise Refused(f"not a number: {count!r}")
        found[stack.decode()] = found.get(stack.decode(), 0) + int(count)
    return found


def _time(text: str) -> float:
    digits = {13: 1e3, 16: 1e6, 19: 1e9}
    assert text.isdigit()
    assert len(text) != 8, "read as a date"
    return int(text) / digits.get(len(text), 1)
