"""gunicorn: which processes are its master and workers, and where are its settings?

The master forks workers that keep its command line, or, where setproctitle is installed, give themselves a title that
erases both command line and environment. A command line option wins over GUNICORN_CMD_ARGS, that over the configuration
file, and the file over WEB_CONCURRENCY and PORT.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from os.path import basename
from typing import ClassVar, Literal

from collectors.command_line import option, parse_command, positionals, role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.learned import (
    environment_of,
    listening_port,
    mapped_models,
    server_environment,
    working_folder,
)
from collectors.levers import Lever, Place, Setting, Value
from collectors.shared_levers import (
    argument_place,
    counted_workers,
    env_place,
    shared_places,
    shared_setting,
    whole_number,
)

_TITLE = re.compile(r"gunicorn: (master|maste|worker|worke|dirty-\w*)(?: \[(?P<name>[^\]]*)\])?")
_FLAGS = frozenset((
    "--reload", "--spew", "--check-config", "--print-config", "--preload", "--reuse-port", "-D", "--daemon",
    "--initgroups", "--capture-output", "--disable-redirect-access-to-syslog", "--log-syslog", "-R",
    "--enable-stdio-inheritance", "--enable-backlog-metric", "--suppress-ragged-eofs", "--do-handshake-on-connect",
    "--permit-obsolete-folding", "--strip-header-spaces", "--permit-unconventional-http-method",
    "--permit-unconventional-http-version", "--casefold-http-method", "--no-control-socket", "--no-sendfile", "-v",
    "--version", "-h", "--help",
))  # fmt: skip
_CONFIG = "gunicorn.conf.py"
_NAMES = {Lever.WORKERS: ("--workers", "-w"), Lever.REQUEST_THREADS: ("--threads",)}
_SYNCHRONOUS = frozenset(("sync", "gthread"))
_TCP = re.compile(r"(?:\[[^\]]*\]|[^\[\]:/]*):(\d+)")
_DEFAULT_PORT = 8000


class Gunicorn(Framework):
    order: ClassVar[int] = 20
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        title = _title(process)
        if title is None:
            return role_of_program(process, parent, "gunicorn", "gunicorn.app.wsgiapp")
        if title.group(1) == "dirty-arbiter":
            return Role.SUPPORT
        return Role.FRONT_END if title.group(1).startswith("m") else Role.WORKER

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        given = _Given(process, environment_of((p for p, _ in processes), facts).values)
        threads = given.number(Lever.REQUEST_THREADS) or (None if given.doubt else 1)
        return Traits(
            application=_application(process, given, facts),
            port=_port(process, given, facts),
            models=mapped_models((p for p, _ in processes), facts),
            request_threads=threads if given.worker_class in _SYNCHRONOUS else None,
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever not in _NAMES:
            return shared_setting(lever, service, facts)
        given = _given(service, facts)
        if lever is Lever.REQUEST_THREADS and given.worker_class not in _SYNCHRONOUS:
            return None
        if (number := given.number(lever)) is not None:
            return Setting(lever=lever, value=number, origin=given.origin(lever))
        if given.doubt:
            unknown = Setting(lever=lever, value=None, origin=given.doubt)
            return counted_workers(service, given.doubt) if lever is Lever.WORKERS else unknown
        if lever is Lever.REQUEST_THREADS:
            return Setting(lever=lever, value=1, origin="default")
        number = whole_number(given.values.get("WEB_CONCURRENCY"))
        stated = Setting(lever=lever, value=number or 1, origin="env WEB_CONCURRENCY" if number else "default")
        # gunicorn.conf.py in the working folder is read without being asked for: what runs tells that it is there.
        counted = counted_workers(service, f"{_CONFIG} may set it")
        return stated if counted.value in (None, stated.value) else counted

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever not in _NAMES:
            return shared_places(lever, value, service, facts)
        given = _given(service, facts)
        if lever is Lever.REQUEST_THREADS and given.worker_class not in _SYNCHRONOUS:
            return ()
        name = _NAMES[lever][0]
        because = "the command line wins over GUNICORN_CMD_ARGS, the configuration file and the environment"
        places = [argument_place(service, name, value, because)]
        if lever is Lever.WORKERS:
            places.append(self._environment_place(value, service, given, facts))
        return places

    def _environment_place(self, value: Value, service: Service, given: "_Given", facts: Facts) -> Place:
        wins: bool | None = True
        because = "neither an option nor a configuration file sets --workers"
        setting = self.setting(Lever.WORKERS, service, facts)
        if given.number(Lever.WORKERS) is not None:
            wins, because = False, f"{given.origin(Lever.WORKERS)} wins"
        elif setting and setting.origin.startswith("counted"):
            wins, because = None, given.doubt or f"{_CONFIG} may set it and wins over the environment"
        return env_place(service, "WEB_CONCURRENCY", value, wins, because)


class _Given:
    """What is given to a gunicorn: `arguments` on its command line, `inherited` in GUNICORN_CMD_ARGS, `values` of its
    environment; `doubt` says what may set something else and is not readable."""

    def __init__(self, process: Process, values: Mapping[str, str] | None) -> None:
        self.values = values or {}
        self.arguments = () if _title(process) else parse_command(process.argv).arguments
        try:
            self.inherited = tuple(shlex.split(self.values.get("GUNICORN_CMD_ARGS", "")))
        except ValueError:  # an open quotation mark: gunicorn itself does not start with it
            self.inherited = ()
        self.worker_class = self._last("-k", "--worker-class") or "sync"
        config = self._last("-c", "--config")
        self.doubt = ""
        if _title(process):
            self.doubt = "its title replaced the command line"
        elif config:
            self.doubt = f"the configuration file {config} may set it and wins over the environment"
        elif values is None:
            self.doubt = "the environment is not readable"

    def _last(self, *names: str) -> str | None:
        return option((*self.inherited, *self.arguments), *names)

    def number(self, lever: Lever) -> int | None:
        return whole_number(self._last(*_NAMES[lever]))

    def bind(self) -> str | None:
        return self._last("-b", "--bind")

    def origin(self, lever: Lever) -> str:
        on_command_line = option(self.arguments, *_NAMES[lever]) is not None
        return f"argument {_NAMES[lever][0]}" if on_command_line else "env GUNICORN_CMD_ARGS"


def _given(service: Service, facts: Facts) -> _Given:
    process = (service.front_end or service.workers[0]).process
    return _Given(process, server_environment(service, facts).values)


def _title(process: Process) -> re.Match[str] | None:
    """The title set by setproctitle; the process's name, cut to 15 bytes, where the command line is gone."""
    if len(process.argv) > 1:
        return None
    return _TITLE.match(process.argv[0] if process.argv else process.comm)


def _application(process: Process, given: _Given, facts: Facts) -> str:
    """`module` of `module:app`; else the working folder's name."""
    title = _title(process)
    items = [title["name"]] if title and title["name"] else positionals(given.arguments, _FLAGS)
    item = next((item for item in items if ":" in item), items[-1] if items else "")
    folder = basename((working_folder(process.key, facts) or "").rstrip("/"))
    return item.partition(":")[0] or folder or "gunicorn"


def _port(process: Process, given: _Given, facts: Facts) -> int | None:
    """The TCP port; None for a Unix socket, and where neither argument, socket nor environment tells it."""
    address = given.bind()
    if address is not None and not address.startswith("fd://"):
        if address.startswith("unix:"):
            return None
        match = _TCP.fullmatch(address)
        return int(match[1]) if match else _DEFAULT_PORT
    listening = listening_port(process.key, facts)
    if listening is not None or address is not None or _title(process) or "configuration" in given.doubt:
        return listening
    return whole_number(given.values.get("PORT")) or _DEFAULT_PORT
