"""What does a file in `collectors/frameworks/` say about one serving framework?

Everything here is pure: processes and facts go in, roles, settings and places come out.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import msgspec

from collectors.entities import Calls, Model, Process, Role, Service
from collectors.facts import Facts, ProcessFacts
from collectors.guarded import guard
from collectors.knobs import Knob, knob_places, knob_setting
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import MetricMap
from collectors.shared_levers import shared_places, shared_setting

__all__ = ["Facts", "Framework", "Gap", "ModelRequest", "Request", "SettingsRequest", "Traits"]


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True, tag="settings"):
    """A settings file that the reader of facts should look for.

    `pattern` is relative to the process's working folder or to `folder`, with `*` for one path part; absolute paths are
    taken inside the process's root. Its ending says how it is read: .json, .toml, .yaml, .properties, .pbtxt (also .config
    and .txt), .py (plain assignments only; nothing is run). `keys` are the only (dotted) keys that leave the reader; `*`
    in one stands for any one index or name.
    """

    name: str
    pattern: str
    keys: tuple[str, ...]


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True, tag="model"):
    """A model whose header the reader of facts should read: a file or a folder, relative to the process's working
    folder inside its root, or, with `hub`, a name such as `org/model` in the process's Hugging Face cache."""

    location: str
    hub: bool = False


Request = SettingsRequest | ModelRequest


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a framework reads off the processes of one service."""

    application: str
    port: int | None = None
    models: tuple[Model, ...] = ()
    metrics_urls: tuple[str, ...] = ()
    """Where its metrics page may be, the likeliest first; only addresses that answer without doing work."""
    request_threads: int | None = None
    calls: Calls | None = None
    """How the server calls the code of a model; None = not visible."""
    chains: tuple[tuple[str, ...], ...] = ()
    """Pipelines, each as the names of its models in order."""
    sets: tuple[tuple[str, str | None], ...] = ()
    """Variables that the server itself sets for its workers after their start, so that no environment shows them; None =
    to a value that is not visible, unless it was set at start."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a server could tell and does not. `turn_on` is the exact flag, variable or line."""

    missing: str
    turn_on: str
    where: str


class Framework(ABC):
    """One serving framework. The file's name is its id."""

    name: ClassVar[str]
    """The name of its file."""
    order: ClassVar[int] = 50
    """Frameworks are asked in this order; the first that recognises a process has it."""
    evidence: ClassVar[Literal["live", "captured", "documented"]]
    """On what this file was proven: a real server in a test, a captured one, or documentation only."""
    versions: ClassVar[str] = ""
    """Of which version of the server that is: `mlserver 1.7.1`."""
    recognised_by: ClassVar[str] = ""
    """How its processes are told, in one line for the docs."""
    metrics: ClassVar[MetricMap | None] = None
    json_page: ClassVar[bool] = False
    """Whether its page is JSON, which `page_text` turns into series."""
    knobs: ClassVar[tuple[Knob, ...]] = ()
    claims: ClassVar[frozenset[str]] = frozenset()
    """Names of frameworks whose processes are its own below one of its own: the engine that it starts. `recognise` gives
    them their roles there."""

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2].replace("_", "-")
        guard(cls, _WITHOUT)

    @abstractmethod
    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        """The role of `process`, or None if it is not of this framework. `parent` is the role that this framework gave
        to its parent: spawned workers are anonymous and inherit their class."""

    def share(self, process: Process) -> str | None:
        """For which of the services below one front-end a process works, by a name that only tells them apart; None =
        for all of them. A front-end for which nothing works by name is no service."""
        return ""

    def worth_a_look(self, process: Process, role: Role) -> bool:
        """Whether something is to be learned inside a recognised process; a resource tracker tells nothing."""
        return role is not Role.SUPPORT

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        """The roles of a whole group, in its order, where a process's own depends on the others."""
        return [role for _, role in processes]

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        """Settings files to read beside a recognised process."""
        return ()

    def candidate_requests(self, process: Process) -> Sequence[SettingsRequest]:
        """Files to read beside a Python process of no service, where only they tell whether it is of this framework."""
        return ()

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        """Models whose headers to read beside a recognised process, as its command line, or what is known of it by now,
        names them. Mapped and open model files are read without being asked for."""
        return ()

    @abstractmethod
    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        """Application, port, models of one service, from its processes (front-end first)."""

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        """The present value of a lever; None if the framework has no such lever."""
        knob = self.knob(lever)
        return knob_setting(knob, service, facts) if knob else shared_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        """Every place in which `lever` can be set to `value`, the one that wins first; empty if it has no such lever."""
        knob = self.knob(lever)
        return knob_places(knob, value, service, facts) if knob else shared_places(lever, value, service, facts)

    def knob(self, lever: Lever) -> Knob | None:
        return next((knob for knob in self.knobs if knob.lever is lever), None)

    def metrics_of(self, service: Service) -> MetricMap | None:
        """What the page says of this service, where several services have one page."""
        return self.metrics

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        """What the server could tell and does not, with the exact switch; empty where nothing is missing, or where that
        cannot be told."""
        return ()

    def page_text(self, body: str) -> str:
        """The page in Prometheus's text format. Raises Unreadable if it is no page of this server."""
        return body


_WITHOUT: dict[str, Callable[..., Any]] = {
    "recognise": lambda framework, *_: None,
    "share": lambda framework, *_: None,
    "worth_a_look": lambda framework, *_: False,
    "settled_roles": lambda framework, processes: [role for _, role in processes],
    "settings_requests": lambda framework, *_: (),
    "candidate_requests": lambda framework, *_: (),
    "model_requests": lambda framework, *_: (),
    "traits": lambda framework, *_: Traits(application=framework.name),
    "setting": lambda framework, *_: None,
    "places": lambda framework, *_: (),
    "metrics_of": lambda framework, *_: framework.metrics,
    "gaps": lambda framework, *_: (),
}
"""What is answered in place of a method that has a fault."""
guard(Framework, {name: _WITHOUT[name] for name in ("setting", "places")})
