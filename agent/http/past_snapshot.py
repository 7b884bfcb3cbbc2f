"""How is a moment of the past answered from, without making objects of all that was said then?

It comes as JSON and mostly leaves as JSON: only what somebody asks a part of is understood.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Protocol, TypeVar

import msgspec

from advisor.documents import (
    AdviceDocument,
    ModelStatus,
    NodeStatus,
    PastStatus,
    SelfStatus,
    ServiceStatus,
    Snapshot,
    WorkerStatus,
)
from advisor.migration.result import MigrationEstimate
from advisor.view import ThreadView

T = TypeVar("T")


class Threads(Protocol):
    """All threads of each process, by its pid."""

    def get(self, pid: int, /) -> Sequence[ThreadView] | None: ...


class _Parts(msgspec.Struct, frozen=True):
    """Of a `Snapshot`, as JSON."""

    node: msgspec.Raw
    services: msgspec.Raw
    workers: msgspec.Raw
    models: msgspec.Raw
    migrations: msgspec.Raw
    self_status: msgspec.Raw
    advice: msgspec.Raw
    threads: msgspec.Raw


class _Node(msgspec.Struct, frozen=True):
    past: PastStatus | None = None


class PastSnapshot:
    """The parts of a `Snapshot`, by the same names."""

    def __init__(self, body: bytes) -> None:
        """`body`: its JSON. Raises msgspec.DecodeError."""
        self._parts = msgspec.json.decode(body, type=_Parts)

    def raw(self, name: str) -> msgspec.Raw:
        """A part as JSON."""
        found: msgspec.Raw = getattr(self._parts, name)
        return found

    @cached_property
    def past(self) -> PastStatus | None:
        return msgspec.json.decode(self._parts.node, type=_Node).past

    @property
    def node(self) -> NodeStatus:
        return self._read(self._parts.node, NodeStatus)

    @property
    def services(self) -> tuple[ServiceStatus, ...]:
        return self._read(self._parts.services, tuple[ServiceStatus, ...])

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        return self._read(self._parts.workers, tuple[WorkerStatus, ...])

    @property
    def models(self) -> tuple[ModelStatus, ...]:
        return self._read(self._parts.models, tuple[ModelStatus, ...])

    @property
    def migrations(self) -> tuple[MigrationEstimate, ...]:
        return self._read(self._parts.migrations, tuple[MigrationEstimate, ...])

    @property
    def self_status(self) -> SelfStatus:
        return self._read(self._parts.self_status, SelfStatus)

    @property
    def advice(self) -> AdviceDocument:
        return self._read(self._parts.advice, AdviceDocument)

    @property
    def threads(self) -> Threads:
        return _Threads(msgspec.json.decode(self._parts.threads, type=dict[int, msgspec.Raw]))

    def _read(self, part: msgspec.Raw, kind: type[T]) -> T:
        return msgspec.json.decode(part, type=kind)


class _Threads:
    def __init__(self, by_pid: Mapping[int, msgspec.Raw]) -> None:
        self._by_pid = by_pid

    def get(self, pid: int, /) -> Sequence[ThreadView] | None:
        found = self._by_pid.get(pid)
        return None if found is None else msgspec.json.decode(found, type=tuple[ThreadView, ...])


AnySnapshot = Snapshot | PastSnapshot
