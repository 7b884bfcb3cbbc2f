"""hypercorn: which processes are its front-end and workers, and where are its settings?

A supervisor spawns anonymous workers, one by default, and a resource tracker; with `--workers 0` it serves itself. Options
win over the file of `--config`; no variable of the environment counts.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec

from collectors.command_line import option, parse_command, positionals, role_of_program
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, SettingsRequest, Traits
from collectors.knobs import Knob, argument, file, knob_places, knob_setting
from collectors.learned import listening_port, mapped_models, settings_files
from collectors.levers import Lever, Place, Setting, Value
from collectors.servers.asgi_arguments import application_item, application_name, bound_port, is_elsewhere
from collectors.shared_levers import counted_workers

_CONFIG = "hypercorn.toml"
_KEYS = ("workers", "bind", "bind.*")
_FLAGS = frozenset(("-D", "--daemon", "--debug", "--reload", "-h", "--help"))
_DEFAULT_BIND = "127.0.0.1:8000"
_DEFAULT_PORT = 8000


class Hypercorn(Framework):
    order: ClassVar[int] = 31
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "hypercorn 0.18.0"
    recognised_by: ClassVar[str] = "`hypercorn`, `python -m hypercorn`; workers by their parent"
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(argument("--workers", "-w"), file(_CONFIG, "workers")),
            default=1,
            advise="requests wait while cores are free: raise; workers × threads exceed the cores: lower",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        return role_of_program(process, parent, "hypercorn", "hypercorn.__main__")

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        path = _config(process)
        if path is None or path.startswith("python:"):
            return ()
        return (SettingsRequest(name=_CONFIG, pattern=path.removeprefix("file:"), keys=_KEYS),)

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        words = positionals(parse_command(process.argv).arguments, _FLAGS)
        # WSGI applications run in threads of the event loop's pool, ASGI ones in the loop: not visible.
        return Traits(
            application=application_name(application_item(words), process.key, facts, "hypercorn"),
            port=_port(process, facts),
            models=mapped_models((p for p, _ in processes), facts),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        if lever is not Lever.WORKERS:
            return super().setting(lever, service, facts)
        setting = knob_setting(_knob(service), service, facts)
        return counted_workers(service, setting.origin) if setting.value is None else setting

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever is not Lever.WORKERS:
            return super().places(lever, value, service, facts)
        return knob_places(_knob(service), value, service, facts)


def _knob(service: Service) -> Knob:
    """The knob with the places that count here: without `--config` no file is read."""
    knob = Hypercorn.knobs[0]
    if _config((service.front_end or service.workers[0]).process) is None:
        return msgspec.structs.replace(knob, sources=knob.sources[:1])
    return knob


def _config(process: Process) -> str | None:
    return option(parse_command(process.argv).arguments, "-c", "--config")


def _port(process: Process, facts: Facts) -> int | None:
    """The TCP port; None for a Unix socket, and where a file may set it that is not readable."""
    listening = listening_port(process.key, facts)
    address = option(parse_command(process.argv).arguments, "--bind", "-b")
    if address is None and _config(process) is not None:
        files = settings_files(process.key, facts, _CONFIG)
        held = next((value for one in files for key, value in one.values.items() if key in ("bind", "bind.0")), None)
        silent = bool(files) and not any(one.problem for one in files)
        address = str(held) if held is not None else _DEFAULT_BIND if silent and listening is None else None
    elif address is None:
        address = _DEFAULT_BIND
    if address is None or address.startswith("fd://"):
        return listening
    return None if is_elsewhere(address) else bound_port(address, _DEFAULT_PORT) or listening
