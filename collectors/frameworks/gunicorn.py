"""gunicorn: which processes are its master and workers, and where are its settings?

The master forks workers that keep its command line, or, where setproctitle is installed, give themselves a title that
erases both command line and environment.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.command_line import role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, SettingsRequest, Traits
from collectors.knobs import Knob, argument, env, file, flag
from collectors.learned import environment_of, listening_port, mapped_models
from collectors.levers import Lever, Place, Setting, Value
from collectors.servers.asgi_arguments import application_item, application_name, bound_port, is_elsewhere
from collectors.servers.gunicorn_settings import (
    COMMAND_ARGUMENTS,
    CONFIG,
    Given,
    Told,
    config_request,
    given_to,
    title_of,
)
from collectors.shared_levers import (
    argument_place,
    counted_workers,
    env_place,
    shared_places,
    shared_setting,
    whole_number,
)

_DEFAULT_PORT = 8000
_WEB_CONCURRENCY = "WEB_CONCURRENCY"
_CONNECTIONS = ("gthread", "ThreadWorker", "gevent", "GeventWorker", "eventlet", "EventletWorker")
"""Ends of the names of the worker classes that obey --worker-connections."""


class Gunicorn(Framework):
    order: ClassVar[int] = 20
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "gunicorn 27.0.1"
    recognised_by: ClassVar[str] = (
        "`gunicorn`, `python -m gunicorn`, the titles `gunicorn: master` and `gunicorn: worker`"
    )
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(
                argument("--workers", "-w"), env(COMMAND_ARGUMENTS), file(CONFIG, "workers"), env(_WEB_CONCURRENCY),
            ),
            default=1,
            advise="requests wait while cores are free: raise; workers × threads exceed the cores: lower",
        ),
        Knob(
            lever=Lever.REQUEST_THREADS,
            sources=(argument("--threads"), env(COMMAND_ARGUMENTS), file(CONFIG, "threads")),
            default=1,
            advise="requests wait for input and output rather than for a core; worker class sync or gthread only",
        ),
        Knob(
            lever=Lever.PRELOAD,
            sources=(flag("--preload"), env(COMMAND_ARGUMENTS), file(CONFIG, "preload_app")),
            default=False,
            advise="every worker holds its own copy of the model: loaded before the fork, they share it",
        ),
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(argument("--worker-connections"), env(COMMAND_ARGUMENTS), file(CONFIG, "worker_connections")),
            default=1000,
            advise="one worker takes more requests than it can compute at once; worker class gthread or gevent only",
        ),
        Knob(
            lever=Lever.RECYCLE_AFTER,
            sources=(argument("--max-requests"), env(COMMAND_ARGUMENTS), file(CONFIG, "max_requests")),
            default=0,
            default_text="never",
            advise="its workers leak memory: replaced after so many requests, they give it back; --max-requests-jitter keeps "
            "them from leaving together",
        ),
    )  # fmt: skip

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        title = title_of(process)
        if title is None:
            return role_of_program(process, parent, "gunicorn", "gunicorn.app.wsgiapp")
        if title.group(1) == "dirty-arbiter":
            return Role.SUPPORT
        return Role.FRONT_END if title.group(1).startswith("m") else Role.WORKER

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        request = config_request(process)
        return (request,) if request else ()

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        given = Given(process, environment_of((p for p, _ in processes), facts).values, facts)
        threads = given.told("threads", "--threads")
        number = whole_number(threads.value) or (None if threads.doubt else 1)
        certain = given.looked or given.last("-k", "--worker-class") is not None
        return Traits(
            application=_application(process, given, facts),
            port=_port(process, given, facts),
            models=mapped_models((p for p, _ in processes), facts),
            request_threads=number if given.synchronous else None,
            calls="synchronous" if given.synchronous and certain else None,
            sets=given.environment(),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self.knob(lever)
        if knob is None:
            return shared_setting(lever, service, facts)
        given = given_to(service, facts)
        if _is_idle(lever, given):
            return None
        told = _told(knob, given)
        if told.value is not None:
            value = told.value if lever is Lever.PRELOAD else whole_number(told.value)
            return Setting(lever=lever, value=value, origin=told.origin)
        if lever is Lever.WORKERS:
            return _workers(service, given, told)
        doubt = told.doubt or ("" if given.looked or lever is Lever.REQUEST_THREADS else f"{CONFIG} may set it")
        return Setting(lever=lever, value=None if doubt else knob.default, origin=doubt or "default")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self.knob(lever)
        if knob is None:
            return shared_places(lever, value, service, facts)
        given = given_to(service, facts)
        if _is_idle(lever, given):
            return ()
        told = _told(knob, given)
        because = "the command line wins over GUNICORN_CMD_ARGS, the configuration file and the environment"
        on_command_line = argument_place(service, knob.sources[0].names[0], value, because)
        if lever is Lever.PRELOAD:
            on_command_line = msgspec.structs.replace(on_command_line, value=None)
        found = [_file_place(knob, value, given, told)] if given.file is not None and given.file.present else []
        found.insert(1 if told.origin.startswith("file") else 0, on_command_line)
        if lever is Lever.WORKERS:
            found.append(self._environment_place(value, service, given, told, facts))
        return found

    def _environment_place(self, value: Value, service: Service, given: Given, told: Told, facts: Facts) -> Place:
        wins: bool | None = True
        because = "neither an option nor a configuration file sets --workers"
        setting = self.setting(Lever.WORKERS, service, facts)
        if told.value is not None:
            wins, because = False, f"{told.origin} wins"
        elif setting and setting.origin.startswith("counted"):
            wins, because = None, told.doubt or f"{CONFIG} may set it and wins over the environment"
        return env_place(service, _WEB_CONCURRENCY, value, wins, because)


def _told(knob: Knob, given: Given) -> Told:
    key = knob.sources[2].names[0]
    return given.told(key, *knob.sources[0].names, flag=knob.lever is Lever.PRELOAD)


def _is_idle(lever: Lever, given: Given) -> bool:
    """Whether the worker class, as far as it is known, does not have this lever."""
    kind = given.worker_class
    if lever is Lever.REQUEST_THREADS:
        return kind is not None and not given.synchronous
    if lever is Lever.MAX_REQUESTS_IN_FLIGHT:
        return kind is not None and not kind.endswith(_CONNECTIONS) and not _is_threaded(given)
    return False


def _is_threaded(given: Given) -> bool:
    """Whether a sync worker was given threads, which makes it a gthread worker."""
    return bool(given.synchronous) and (whole_number(given.told("threads", "--threads").value) or 1) > 1


def _workers(service: Service, given: Given, told: Told) -> Setting:
    if told.doubt:
        return counted_workers(service, told.doubt)
    number = whole_number(given.values.get(_WEB_CONCURRENCY))
    origin = f"env {_WEB_CONCURRENCY}" if number else "default"
    stated = Setting(lever=Lever.WORKERS, value=number or 1, origin=origin)
    # The number can be changed by signals, and the file may lie in a folder that gunicorn has left: what runs tells.
    counted = counted_workers(service, "a signal may have changed it" if given.looked else f"{CONFIG} may set it")
    return stated if counted.value in (None, stated.value) else counted


def _file_place(knob: Knob, value: Value, given: Given, told: Told) -> Place:
    path = given.file.path if given.file else CONFIG
    key = knob.sources[2].names[0]
    effective: bool | None = True
    because = f"no option sets it; {CONFIG} wins over the environment"
    if told.origin.startswith(("argument", "env")):
        effective, because = False, f"{told.origin} wins"
    elif told.doubt:
        effective, because = None, told.doubt
    return Place(kind="file", target=path, key=key, value=value, effective=effective, because=because)


def _application(process: Process, given: Given, facts: Facts) -> str:
    """`module` of `module:app`; else the working folder's name."""
    title = title_of(process)
    words = [title["name"]] if title and title["name"] else given.words
    item = application_item(words) if words else str(given.told("wsgi_app", "").value or "")
    return application_name(item, process.key, facts, "gunicorn")


def _port(process: Process, given: Given, facts: Facts) -> int | None:
    """The TCP port; None for a Unix socket, and where neither argument, socket nor environment tells it."""
    told = given.told("bind", "--bind", "-b")
    address = None if told.value is None else str(told.value).split(",")[0].strip().removeprefix("tcp://")
    if address is not None and not address.startswith("fd://"):
        elsewhere = is_elsewhere(address)
        return None if elsewhere else bound_port(address, _DEFAULT_PORT) or listening_port(process.key, facts)
    listening = listening_port(process.key, facts)
    if listening is not None or address is not None or told.doubt not in ("", "the environment is not readable"):
        return listening
    return whole_number(given.values.get("PORT")) or _DEFAULT_PORT
