"""uvicorn: which processes are its front-end and workers, and where are its settings?

Alone it is one process. With `--workers N` a supervisor spawns N anonymous children and a resource tracker. Options win
over UVICORN_* variables, those over WEB_CONCURRENCY.
"""

from collections.abc import Mapping, Sequence
from os.path import basename
from typing import ClassVar, Literal

from collectors.command_line import option, parse_command, positionals, role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.learned import environment_of, listening_port, mapped_models, server_environment, working_folder
from collectors.levers import Lever, Place, Setting, Value
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
    "--reset-contextvars", "--factory", "--help",
))  # fmt: skip
_DEFAULT_PORT = 8000
_VARIABLES = ("UVICORN_WORKERS", "WEB_CONCURRENCY")


class Uvicorn(Framework):
    order: ClassVar[int] = 30
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        return role_of_program(process, parent, "uvicorn", "uvicorn.main")

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        values = environment_of((p for p, _ in processes), facts).values or {}
        arguments = parse_command(process.argv).arguments
        items = positionals(arguments, _FLAGS)
        item = next((item for item in items if ":" in item), values.get("UVICORN_APP") or "".join(items[-1:]))
        folder = basename((working_folder(process.key, facts) or "").rstrip("/"))
        # Endpoints that are plain functions run in a pool of 40 threads, coroutines in the main thread: not visible.
        return Traits(
            application=item.partition(":")[0] or folder or "uvicorn",
            port=_port(process, arguments, values, facts),
            models=mapped_models((p for p, _ in processes), facts),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever is not Lever.WORKERS:
            return shared_setting(lever, service, facts)
        given = whole_number(option(_arguments(service), "--workers"))
        if given is not None:
            return Setting(lever=lever, value=given, origin="argument --workers")
        environment = server_environment(service, facts)
        if environment.values is None:
            return counted_workers(service, environment.reason)
        name = _variable(environment.values)
        number = whole_number(environment.values[name]) if name else None
        return Setting(lever=lever, value=number or 1, origin=f"env {name}" if number else "default")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever is not Lever.WORKERS:
            return shared_places(lever, value, service, facts)
        environment = server_environment(service, facts)
        wins: bool | None = True
        because = "no option and no other variable sets it"
        if option(_arguments(service), "--workers") is not None:
            wins, because = False, "argument --workers wins"
        elif environment.values is None:
            wins, because = None, environment.reason
        elif "UVICORN_WORKERS" in environment.values:
            wins, because = False, "env UVICORN_WORKERS wins"
        first = argument_place(service, "--workers", value, "the command line wins over the environment")
        return (first, env_place(service, "WEB_CONCURRENCY", value, wins, because))


def _arguments(service: Service) -> tuple[str, ...]:
    return parse_command((service.front_end or service.workers[0]).process.argv).arguments


def _variable(values: Mapping[str, str]) -> str | None:
    return next((name for name in _VARIABLES if name in values), None)


def _port(process: Process, arguments: Sequence[str], values: Mapping[str, str], facts: Facts) -> int | None:
    """The TCP port; None for a Unix socket. Port 0 lets the kernel choose, so only the socket itself tells it."""
    if option(arguments, "--uds") is not None:
        return None
    given = whole_number(option(arguments, "--port"))
    if given:
        return given
    listening = listening_port(process.key, facts)
    if listening is not None or given == 0 or option(arguments, "--fd") is not None:
        return listening
    return whole_number(values.get("UVICORN_PORT")) or _DEFAULT_PORT
