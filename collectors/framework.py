"""What does a file in `collectors/frameworks/` say about one serving framework?

Everything here is pure: processes and facts go in, roles, settings and places come out.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.entities import Model, Process, Role, Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.levers import Lever, Place, Setting, Value

Facts = Mapping[WorkerKey, ProcessFacts]


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A settings file that the reader of facts should look for.

    `pattern` is relative to the process's working folder or to `folder`, with `*` for one path part; absolute paths are
    taken inside the process's root. `keys` are the only (dotted) keys that leave the reader.
    """

    name: str
    pattern: str
    keys: tuple[str, ...]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a framework reads off the processes of one service."""

    application: str
    port: int | None = None
    models: tuple[Model, ...] = ()
    metrics_url: str | None = None
    request_threads: int | None = None


class MetricMap(msgspec.Struct, frozen=True, kw_only=True):
    """Which series of a server's Prometheus page mean what. Names without a trailing `_total`; a histogram or summary by
    its base name; several names are added up. `latency_unit_seconds` turns its latency into seconds."""

    requests: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    latency: tuple[str, ...] = ()
    latency_unit_seconds: float = 1.0
    queue: tuple[str, ...] = ()
    """Histogram or gauge of requests that wait inside the server."""
    in_flight: tuple[str, ...] = ()
    batch: tuple[str, ...] = ()


class Framework(ABC):
    """One serving framework. The file's name is its id."""

    order: ClassVar[int] = 50
    """Frameworks are asked in this order; the first that recognises a process has it."""
    evidence: ClassVar[Literal["live", "captured", "documented"]]
    """On what this file was proven: a real server in a test, a captured one, or documentation only."""
    metrics: ClassVar[MetricMap | None] = None

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        """The role of `process`, or None if it is not of this framework. `parent` is the role that this framework gave
        to its parent: spawned workers are anonymous and inherit their class."""

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        """Settings files to read beside a recognised process."""
        return ()

    @abstractmethod
    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        """Application, port, models of one service, from its processes (front-end first)."""

    @abstractmethod
    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        """The present value of a lever; None if the framework has no such lever."""

    @abstractmethod
    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        """Every place in which `lever` can be set to `value`, the one that wins first; empty if it has no such lever."""
