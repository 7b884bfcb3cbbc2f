"""What is a knob of a server, where is it set, and which of several places wins?

A framework declares its knobs as data; their present value, the places to set them, and the docs follow from that.
"""

import re
from collections.abc import Sequence
from os.path import basename
from typing import Literal

import msgspec

from collectors.command_line import option, parse_command
from collectors.entities import Service, WorkerKey
from collectors.facts import Facts
from collectors.learned import server_environment, settings_files
from collectors.levers import Lever, Place, Setting, Value

Kind = Literal["argument", "flag", "env", "file", "code", "api"]
Each = Literal["pool", "model", "device"]
_TITLE = re.compile(r"[ :]")
"""A title says more than the path of a program that was started without options."""
_UNSEEN = frozenset(("code", "api"))
"""What these set is not visible from outside."""


class Source(msgspec.Struct, frozen=True):
    """One place in which a knob may be set. `names` are spellings of one thing, the first is proposed; a `flag` is an
    option without a value. `file` is the name of a settings request; its values are read at the dotted keys `names`."""

    kind: Kind
    names: tuple[str, ...]
    file: str = ""

    @property
    def origin(self) -> str:
        return f"file {self.file}" if self.kind == "file" else f"{self.kind} {self.names[0]}"


def argument(*names: str) -> Source:
    """An option of the front-end's command line: `argument("--workers", "-w")`."""
    return Source("argument", names)


def flag(*names: str) -> Source:
    """An option that takes no value: it is True where it is given."""
    return Source("flag", names)


def env(*names: str) -> Source:
    """A variable of the server's environment."""
    return Source("env", names)


def file(name: str, *keys: str) -> Source:
    """A dotted key of the settings file that the framework requests under `name`."""
    return Source("file", keys, name)


def code(text: str) -> Source:
    """The application's own source: never visible, only named: `code("@serve.deployment(num_replicas=…)")`."""
    return Source("code", (text,))


class Knob(msgspec.Struct, frozen=True, kw_only=True):
    """One lever of one server.

    `sources`: the place that wins first. `default`: what holds where none of them sets it; None = the server decides
    (`default_text` says how). `advise`: when to turn it, for the docs. `unit_seconds`: of a time, the seconds in one of the
    server's units. `of_each`: of a number, what has so many each; None = the whole server has.
    """

    lever: Lever
    sources: tuple[Source, ...]
    default: Value = None
    default_text: str = ""
    restart: bool = True
    advise: str = ""
    unit_seconds: float = 1.0
    of_each: Each | None = None


class Held(msgspec.Struct, frozen=True):
    """What one source says now. `doubt`: it could not be read, so that it may set anything."""

    source: Source
    value: Value = None
    doubt: str = ""


def knob_setting(knob: Knob, service: Service, facts: Facts) -> Setting:
    """The present value of a knob. None where a place that wins over it could not be read; `origin` then says which."""
    for held in held_by(knob, service, facts):
        if held.value is not None:
            return Setting(lever=knob.lever, value=held.value, origin=held.source.origin)
        if held.doubt:
            return Setting(lever=knob.lever, value=None, origin=held.doubt)
    unseen = next((source.names[0] for source in knob.sources if source.kind in _UNSEEN), None)
    if unseen is not None:
        default = knob.default_text or knob.default
        return Setting(lever=knob.lever, value=None, origin=f"{unseen} may set it; default {default}")
    text = f"default ({knob.default_text})" if knob.default_text else "default"
    return Setting(lever=knob.lever, value=knob.default, origin=text)


def knob_places(knob: Knob, value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """Every place in which the knob can be set to `value`: the one that sets it now first, then by who wins."""
    found: list[Place] = []
    wins: Held | None = None
    doubt = ""
    for held in held_by(knob, service, facts):
        effective: bool | None = True
        because = "nothing that wins over it sets it"
        if wins is not None:
            effective, because = False, f"{wins.source.origin} sets {wins.value} and wins"
        elif doubt:
            effective, because = None, doubt
        if held.source.kind == "code":
            effective, because = (
                (None, "whether the code sets it is not visible from outside") if effective else (effective, because)
            )
        place = _place(knob, held, value, service, facts, effective, because)
        if held.value is not None and wins is None:
            wins = held
            found.insert(0, place)
        else:
            found.append(place)
        doubt = doubt or held.doubt
    return tuple(found)


def held_by(knob: Knob, service: Service, facts: Facts) -> Sequence[Held]:
    """What each source of a knob says now, in its order."""
    return [_held(source, service, facts) for source in knob.sources]


def _held(source: Source, service: Service, facts: Facts) -> Held:
    match source.kind:
        case "argument" | "flag":
            return _on_command_line(source, service)
        case "env":
            environment = server_environment(service, facts)
            if environment.values is None:
                return Held(source, doubt=environment.reason)
            values = (environment.values.get(name) for name in source.names)
            text = next((text for text in values if text is not None), None)
            if text is not None and not text.strip():
                return Held(source, doubt=f"{source.origin} is set to nothing")
            return Held(source, None if text is None else plain(text))
        case "file":
            return _in_file(source, service, facts)
        case _:
            return Held(source)


def _on_command_line(source: Source, service: Service) -> Held:
    process = (service.front_end or service.workers[0]).process
    if not process.argv or (len(process.argv) == 1 and _TITLE.search(process.argv[0])):
        return Held(source, doubt="its title replaced the command line")
    command = parse_command(process.argv)
    if command.code:  # a spawned worker whose front-end is gone, or a server that is started from code
        return Held(source, doubt="its command line is code and holds no options")
    arguments = command.arguments
    if source.kind == "flag":
        return Held(source, True if any(item in source.names for item in arguments) else None)
    text = option(arguments, *source.names)
    return Held(source, None if text is None else plain(text))


def _in_file(source: Source, service: Service, facts: Facts) -> Held:
    files = settings_files(_front(service), facts, source.file)
    if not files:
        return Held(source, doubt=f"{source.file} is not readable")
    for each in files:
        for key in source.names:
            if each.values.get(key) is not None:
                return Held(source, each.values[key])
    problem = next((each.problem for each in files if each.problem), None)
    return Held(source, doubt=f"{source.file}: {problem}" if problem else "")


def _front(service: Service) -> WorkerKey:
    return (service.front_end or service.workers[0]).key


def _place(
    knob: Knob, held: Held, value: Value, service: Service, facts: Facts, effective: bool | None, because: str
) -> Place:
    source = held.source
    target: str = service.framework
    written: Value = value
    kind: str = source.kind
    if source.kind == "file":
        files = settings_files(_front(service), facts, source.file)
        target = files[0].path if files else basename(source.file)
    elif source.kind == "flag":
        kind, written = "argument", None
    elif source.kind in ("argument", "env"):
        written = str(value)
    return Place(
        kind=kind, target=target, key=source.names[0], value=written, effective=effective, because=because,
        restart=knob.restart,
    )  # fmt: skip


def plain(text: str) -> Value:
    """A setting's text as a number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
