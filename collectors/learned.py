"""What do the facts of a service's processes say, and what if they could not be read?"""

from collections.abc import Iterable, Mapping
from os.path import basename, splitext

import msgspec

from collectors.entities import Model, Process, Role, Service, WorkerKey
from collectors.facts import Environ, Facts, SettingsFile
from collectors.reading import Unsupported
from collectors.seen_environment import hidden_in

MODEL_LIMIT = 64


class Environment(msgspec.Struct, frozen=True):
    """The initial environment that counts for a service, or why it is not known (`values` None)."""

    values: Mapping[str, str] | None
    reason: str = ""


def environment_of(processes: Iterable[Process], facts: Facts) -> Environment:
    """The first readable environment of `processes`. An erased or forbidden one is unknown, which is not the same as
    empty."""
    reason = "the environment was not read yet"
    for process in processes:
        known = facts.get(process.key)
        if known is None:
            continue
        if isinstance(known.environ, Environ):
            return Environment(known.environ.values)
        reason = f"environment not readable: {known.environ.reason}"
    return Environment(None, reason)


def worker_environment(service: Service, facts: Facts) -> Environment:
    """The environment that the model code sees: a worker's, else the front-end's."""
    found = environment_of((w.process for w in (*service.serving, *service.workers)), facts)
    hidden = "" if found.values is None else hidden_in(found.values, service.sets)
    return Environment(None, hidden) if hidden else found


def server_environment(service: Service, facts: Facts) -> Environment:
    """The environment that the server's own settings come from: the front-end's, else a worker's."""
    front_first = sorted(service.workers, key=lambda worker: worker.role is not Role.FRONT_END)
    return environment_of((worker.process for worker in front_first), facts)


def settings_files(key: WorkerKey, facts: Facts, name: str) -> tuple[SettingsFile, ...]:
    """The settings files of this name that the reader looked for; empty if it could not look."""
    known = facts.get(key)
    return tuple(f for f in known.settings_files if f.name == name) if known else ()


def working_folder(key: WorkerKey, facts: Facts) -> str | None:
    known = facts.get(key)
    return known.cwd if known and isinstance(known.cwd, str) else None


def listening_port(key: WorkerKey, facts: Facts) -> int | None:
    """The lowest TCP port that the process listens on; None if there is none or it is not readable."""
    known = facts.get(key)
    if known is None or isinstance(known.listening, Unsupported):
        return None
    return min((socket.port for socket in known.listening), default=None)


def mapped_models(processes: Iterable[Process], facts: Facts) -> tuple[Model, ...]:
    """Model files that are mapped or open, as models named after the file."""
    paths: dict[str, None] = {}
    for process in processes:
        known = facts.get(process.key)
        if known and not isinstance(known.model_files, Unsupported):
            paths.update(dict.fromkeys(known.model_files))
    return tuple(Model(name=splitext(basename(path))[0], path=path) for path in list(paths)[:MODEL_LIMIT])
