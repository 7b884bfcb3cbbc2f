"""uvicorn: which processes are its front-end and workers, and where are its settings?

Alone it is one process. With `--workers N` a supervisor spawns N anonymous children and a resource tracker. Options win
over UVICORN_* variables, those over WEB_CONCURRENCY. `fastapi run` is uvicorn in the same process, with fewer options.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from collectors.command_line import Command, option, parse_command, positionals, role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.knobs import Knob, argument, env
from collectors.learned import environment_of, listening_port, mapped_models, server_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.servers.asgi_arguments import application_item, application_name
from collectors.shared_levers import (
    argument_place,
    counted_workers,
    env_place,
    shared_places,
    shared_setting,
    whole_number,
)

_FLAGS = frozenset((
    "--reload", "--http2", "--access-log", "--no-access-log", "--use-colors", "--no-use-colors", "--proxy-headers",
    "--no-proxy-headers", "--server-header", "--no-server-header", "--date-header", "--no-date-header", "--version",
    "--reset-contextvars", "--factory", "--help", "--no-reload", "--verbose", "-v",
))  # fmt: skip
_FASTAPI = frozenset(("fastapi", "fastapi_cli"))
_DEFAULT_PORT = 8000
_LIMIT = "--limit-concurrency"
_OF_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_HIDDEN = "the file of --env-file may set it"


class Uvicorn(Framework):
    order: ClassVar[int] = 30
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "uvicorn 0.54.0, fastapi-cli 0.0.34"
    recognised_by: ClassVar[str] = (
        "`uvicorn`, `python -m uvicorn`, `fastapi run`, `fastapi dev`; workers by their parent"
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(argument("--workers"), env("UVICORN_WORKERS"), env("WEB_CONCURRENCY")),
            default=1,
            advise="requests wait while cores are free: raise; workers × threads exceed the cores: lower",
        ),
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(argument(_LIMIT), env("UVICORN_LIMIT_CONCURRENCY")),
            default_text="no limit",
            advise="under overload every request gets slow: beyond the limit a request is answered 503 at once",
        ),
        Knob(
            lever=Lever.RECYCLE_AFTER,
            sources=(argument("--limit-max-requests"), env("UVICORN_LIMIT_MAX_REQUESTS")),
            default_text="no limit",
            advise="its workers leak memory: replaced after so many requests, they give it back; without --workers the whole "
            "server ends then, and something has to start it again",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        role = role_of_program(process, parent, "uvicorn", "uvicorn.main", *_FASTAPI)
        command = parse_command(process.argv)
        return role if command.program not in _FASTAPI or _fastapi_words(command) else None

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        command = parse_command(process.argv)
        values = environment_of((p for p, _ in processes), facts).values or {}
        if command.program in _FASTAPI:
            entry = option(command.arguments, "--entrypoint", "-e")
            item = entry or "".join(_fastapi_words(command)[1:2]).removesuffix(".py").rstrip("/").rpartition("/")[2]
        else:
            words = positionals(command.arguments, _FLAGS)
            item = application_item(words)
            item = item if ":" in item else values.get("UVICORN_APP") or item
        # Endpoints that are plain functions run in a pool of 40 threads, coroutines in the main thread: not visible.
        return Traits(
            application=application_name(item, process.key, facts, "uvicorn"),
            port=_port(process, command, values, facts),
            models=mapped_models((p for p, _ in processes), facts),
            sets=tuple((name, None) for name in _OF_LIBRARIES) if _has_env_file(command.arguments) else (),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self.knob(lever)
        if knob is None:
            return shared_setting(lever, service, facts)
        command = _command(service)
        if command.program in _FASTAPI and lever is not Lever.WORKERS:
            return None
        given = whole_number(option(command.arguments, *knob.sources[0].names))
        if given is not None:
            return Setting(lever=lever, value=given, origin=f"argument {knob.sources[0].names[0]}")
        environment = server_environment(service, facts)
        if environment.values is None:
            unknown = Setting(lever=lever, value=None, origin=environment.reason)
            return counted_workers(service, environment.reason) if lever is Lever.WORKERS else unknown
        name = _variable(knob, command, environment.values)
        number = whole_number(environment.values[name]) if name else None
        if number is None and lever is Lever.WORKERS and _has_env_file(command.arguments):
            return counted_workers(service, _HIDDEN)
        default = "default (no limit)" if knob.default is None else "default"
        return Setting(lever=lever, value=number or knob.default, origin=f"env {name}" if number else default)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self.knob(lever)
        if knob is None:
            return shared_places(lever, value, service, facts)
        command = _command(service)
        if command.program in _FASTAPI and lever is not Lever.WORKERS:
            return ()
        name, own = knob.sources[0].names[0], knob.sources[1].names[0]
        variable = "WEB_CONCURRENCY" if lever is Lever.WORKERS else own
        environment = server_environment(service, facts)
        wins: bool | None = True
        because = "no option and no other variable sets it"
        if option(command.arguments, name) is not None:
            wins, because = False, f"argument {name} wins"
        elif environment.values is None:
            wins, because = None, environment.reason
        elif variable != own and environment.values.get(own) and command.program not in _FASTAPI:
            wins, because = False, f"env {own} wins"
        first = argument_place(service, name, value, "the command line wins over the environment")
        return (first, env_place(service, variable, value, wins, because))


def _fastapi_words(command: Command) -> list[str]:
    """`run` or `dev` and what follows; empty for its other verbs."""
    words = positionals(command.arguments, _FLAGS)
    return words if words[:1] in (["run"], ["dev"]) else []


def _command(service: Service) -> Command:
    return parse_command((service.front_end or service.workers[0]).process.argv)


def _has_env_file(arguments: Sequence[str]) -> bool:
    """Whether a file of variables is read at start: they count for WEB_CONCURRENCY and for the workers."""
    return option(arguments, "--env-file") is not None


def _variable(knob: Knob, command: Command, values: Mapping[str, str]) -> str | None:
    """The variable that counts; one that is set to nothing does not. fastapi's own command hands uvicorn no UVICORN_*
    variable."""
    names = [name for source in knob.sources[1:] for name in source.names]
    own = not command.program.startswith("fastapi")
    return next((name for name in names if values.get(name) and (own or not name.startswith("UVICORN_"))), None)


def _port(process: Process, command: Command, values: Mapping[str, str], facts: Facts) -> int | None:
    """The TCP port; None for a Unix socket. Port 0 lets the kernel choose, so only the socket itself tells it."""
    if option(command.arguments, "--uds") is not None:
        return None
    given = whole_number(option(command.arguments, "--port"))
    if given:
        return given
    listening = listening_port(process.key, facts)
    if listening is not None or given == 0 or option(command.arguments, "--fd") is not None:
        return listening
    variable = "PORT" if command.program in _FASTAPI else "UVICORN_PORT"
    return whole_number(values.get(variable)) or _DEFAULT_PORT
