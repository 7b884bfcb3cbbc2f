"""What is kept beside the samples, and how does such a document become a row?

Documents arrive as JSON, by kind and key: `finding` by its id, `acknowledgement` by the finding's id,
`service_facts` by the service's id, `finding_event` by its instant in nanoseconds of Unix time,
`capacity` and `configuration` by the service's id, `outcome` by its own, `vram` by the kind of model.
"""

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Literal

import msgspec

from advisor.finding import Acknowledgement

DocumentKind = Literal[
    "finding", "acknowledgement", "service_facts", "finding_event", "capacity", "configuration", "outcome", "vram"
]
Documents = dict[tuple[DocumentKind, str], bytes | None]
"""The newest body of each document; None = forget it."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A turn in the life of a finding, and which services it concerns; see `advisor.documents.FindingEvent`."""

    finding: str
    event: str
    rule: str
    subject: str
    services: tuple[str, ...]
    severity: str
    title: str
    owner: str | None = None
    note: str | None = None


class _Subject(msgspec.Struct, frozen=True):
    kind: str
    name: str


class _Finding(msgspec.Struct, frozen=True):
    """What of a finding has a column of its own."""

    rule: str
    subject: _Subject
    state: str
    severity: str
    first_seen: str
    last_seen: str


_KEY_COLUMN = {
    "finding": "id", "acknowledgement": "finding_id", "service_facts": "service", "finding_event": "at_ns",
    "capacity": "service", "configuration": "service", "outcome": "id",
    "vram": "kind",
}  # fmt: skip
_TYPES = {"finding": _Finding, "acknowledgement": Acknowledgement, "finding_event": StoredEvent}


def check(kind: DocumentKind, body: bytes) -> None:
    """Raises msgspec.DecodeError where `body` is no JSON of that kind, so that the caller hears of it at once."""
    msgspec.json.decode(body, type=_TYPES.get(kind, object))


def write_documents(connection: Connection, documents: Iterable[tuple[tuple[DocumentKind, str], bytes | None]],
                    at_unix_seconds: int) -> None:  # fmt: skip
    """Store or forget each of `documents` in the open transaction. Raises sqlite3.Error."""
    for (kind, key), body in documents:
        if body is None:
            connection.execute(f"DELETE FROM {kind} WHERE {_KEY_COLUMN[kind]} = ?", (key,))  # noqa: S608 - own names
        elif kind == "finding":
            _write_finding(connection, key, body)
        elif kind == "acknowledgement":
            _write_acknowledgement(connection, key, body)
        elif kind == "finding_event":
            _write_event(connection, int(key), body)
        elif kind in ("capacity", "configuration", "outcome", "vram"):
            row = (key, at_unix_seconds, body.decode())
            connection.execute(f"INSERT OR REPLACE INTO {kind} VALUES (?, ?, ?)", row)  # noqa: S608 - own names
        else:
            _write_facts(connection, key, body.decode(), at_unix_seconds)


def _write_finding(connection: Connection, key: str, body: bytes) -> None:
    finding = msgspec.json.decode(body, type=_Finding)
    connection.execute(
        "INSERT OR REPLACE INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (key, finding.rule, finding.subject.kind, finding.subject.name, finding.state, finding.severity,
         finding.first_seen, finding.last_seen, body.decode()),
    )  # fmt: skip


def _write_acknowledgement(connection: Connection, key: str, body: bytes) -> None:
    accepted = msgspec.json.decode(body, type=Acknowledgement)
    connection.execute(
        "INSERT OR REPLACE INTO acknowledgement (finding_id, state, reason, owner, until, at) VALUES (?, ?, ?, ?, ?, ?)",
        (key, accepted.state, accepted.reason, accepted.owner, accepted.until, accepted.at),
    )


def _write_event(connection: Connection, at_ns: int, body: bytes) -> None:
    event = msgspec.json.decode(body, type=StoredEvent)
    connection.execute(
        "INSERT OR REPLACE INTO finding_event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (at_ns, event.finding, event.event, event.rule, event.subject, msgspec.json.encode(event.services).decode(),
         event.severity, event.title, event.owner, event.note),
    )  # fmt: skip


def _write_facts(connection: Connection, service: str, body: str, at_unix_seconds: int) -> None:
    """A row only where the facts differ from the newest ones."""
    newest = connection.execute(
        "SELECT body FROM service_facts WHERE service = ? ORDER BY at DESC LIMIT 1", (service,)
    ).fetchone()
    if newest is None or newest[0] != body:
        connection.execute("INSERT OR REPLACE INTO service_facts VALUES (?, ?, ?)", (service, at_unix_seconds, body))
