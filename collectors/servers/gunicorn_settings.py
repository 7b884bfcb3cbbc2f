"""What is a gunicorn told, and by which of its places?

A command line option wins over GUNICORN_CMD_ARGS, that over the configuration file, and the file over WEB_CONCURRENCY and
PORT. The file is `-c FILE`, else gunicorn.conf.py in the folder in which gunicorn was started.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collectors.command_line import option, options, parse_command, positionals
from collectors.entities import Process, Service
from collectors.environ import allowed_environ
from collectors.facts import Facts, SettingsFile
from collectors.framework import SettingsRequest
from collectors.learned import server_environment, settings_files
from collectors.levers import Value

CONFIG = "gunicorn.conf.py"
COMMAND_ARGUMENTS = "GUNICORN_CMD_ARGS"
_TITLE = re.compile(r"gunicorn: (master|maste|worker|worke|dirty-\w*)(?: \[(?P<name>[^\]]*)\])?")
_FLAGS = frozenset((
    "--reload", "--spew", "--check-config", "--print-config", "--preload", "--reuse-port", "-D", "--daemon",
    "--initgroups", "--capture-output", "--disable-redirect-access-to-syslog", "--log-syslog", "-R",
    "--enable-stdio-inheritance", "--enable-backlog-metric", "--suppress-ragged-eofs", "--do-handshake-on-connect",
    "--permit-obsolete-folding", "--strip-header-spaces", "--permit-unconventional-http-method",
    "--permit-unconventional-http-version", "--casefold-http-method", "--no-control-socket", "--no-sendfile", "-v",
    "--version", "-h", "--help",
))  # fmt: skip
_KEYS = (
    "workers", "threads", "worker_class", "bind", "bind.*", "preload_app", "timeout", "worker_connections", "wsgi_app",
    "max_requests", "raw_env", "raw_env.*",
)  # fmt: skip
_WITHHELD = "withholds"
_OF_KEYS = re.compile(
    r"(?P<why>computes|withholds|has no plain value at|has too large a number at) (?P<names>[\w.]+(?:, [\w.]+)*)"
)
"""What the reader of settings files says of single keys; anything else it says concerns the whole file."""
_NAMED_LIMIT = 8
"""So many keys it names; more may be meant."""
_SYNCHRONOUS = ("sync", "gthread", "SyncWorker", "ThreadWorker")


class Told(NamedTuple):
    """The present value of a setting and its place; None where no place that could be read sets it. `doubt` says which
    place could not be read, and may set it."""

    value: Value = None
    origin: str = ""
    doubt: str = ""


class Given:
    """What is given to the gunicorn whose first process is `process`. `values`: its environment, None = not readable."""

    def __init__(self, process: Process, values: Mapping[str, str] | None, facts: Facts) -> None:
        self.values = values or {}
        self.arguments = () if title_of(process) else parse_command(process.argv).arguments
        try:
            self.inherited = tuple(shlex.split(self.values.get(COMMAND_ARGUMENTS, "")))
        except ValueError:  # an open quotation mark: gunicorn itself does not start with it
            self.inherited = ()
        self.file: SettingsFile | None = next(iter(settings_files(process.key, facts, CONFIG)), None)
        self.doubt = self._doubt(process, values)
        """Why the file, or a place that wins over it, is not known."""

    def _doubt(self, process: Process, values: Mapping[str, str] | None) -> str:
        if title_of(process):
            return "its title replaced the command line"
        config = self.last("-c", "--config")
        known = self.file is not None and config == option(self.arguments, "-c", "--config")
        if config and not (known and self.file and self.file.present):
            return f"the configuration file {config} may set it and wins over the environment"
        if values is None:
            return "the environment is not readable"
        moved = self.last("--chdir") is not None and not (config or CONFIG).removeprefix("file:").startswith("/")
        if self.file is not None and moved:  # it was looked for where gunicorn is now
            return f"{config or CONFIG} of the folder in which it was started may set it"
        return ""

    @property
    def looked(self) -> bool:
        """Whether the configuration file was looked for."""
        return self.file is not None

    @property
    def words(self) -> list[str]:
        return positionals(self.arguments, _FLAGS)

    def last(self, *names: str) -> str | None:
        """An option of the command line, else of GUNICORN_CMD_ARGS."""
        on_command_line = option(self.arguments, *names)
        return option(self.inherited, *names) if on_command_line is None else on_command_line

    def told(self, key: str, *names: str, flag: bool = False) -> Told:
        """What the options `names`, GUNICORN_CMD_ARGS and the file's `key` say."""
        for arguments, origin in (
            (self.arguments, f"argument {names[0]}"),
            (self.inherited, f"env {COMMAND_ARGUMENTS}"),
        ):
            if flag and any(item in names for item in arguments):
                return Told(True, origin)
            if not flag and (text := option(arguments, *names)) is not None:
                return Told(text, origin)
        if self.doubt:
            return Told(doubt=self.doubt)
        if self.file is None or not self.file.present:
            return Told()
        if (held := self.file.values.get(key, self.file.values.get(f"{key}.0"))) is not None:
            return Told(held, f"file {CONFIG}")
        unknown = _concerns(self.file.problem, key)
        return Told(doubt=f"{CONFIG}: {self.file.problem}" if unknown else "")

    @property
    def worker_class(self) -> str | None:
        """None where a place that may set it could not be read."""
        told = self.told("worker_class", "-k", "--worker-class")
        return str(told.value) if told.value is not None else None if told.doubt else "sync"

    @property
    def synchronous(self) -> bool | None:
        """Whether a worker calls the application in plain threads; None = not known."""
        kind = self.worker_class
        return None if kind is None else kind.endswith(_SYNCHRONOUS)

    def environment(self) -> tuple[tuple[str, str | None], ...]:
        """The variables that `--env` sets for the application, cut as every environment is; a value that a configuration
        file computes is not visible."""
        given = options(self.arguments, "-e", "--env") or options(self.inherited, "-e", "--env")
        if given or self.file is None or self.doubt:
            return tuple(_allowed(given))
        if _concerns(self.file.problem, "raw_env", withheld=False):
            return (("OMP_NUM_THREADS", None),)
        held = [str(value) for key, value in self.file.values.items() if key.startswith("raw_env")]
        return tuple(_allowed(",".join(held).split(",")))


def _concerns(problem: str | None, key: str, withheld: bool = True) -> bool:
    """Whether what could not be understood in the file may set `key`. What is withheld looks secret: no such value is a
    number of threads."""
    for part in problem.split("; ") if problem else ():
        match = _OF_KEYS.fullmatch(part)
        names = match["names"].split(", ") if match else []
        if match is None or len(names) >= _NAMED_LIMIT:
            return True
        if any(name == key or name.startswith(f"{key}.") for name in names) and (withheld or match["why"] != _WITHHELD):
            return True
    return False


def _allowed(given: Iterable[str]) -> Iterable[tuple[str, str | None]]:
    pairs = [text for text in given if "=" in text]
    return (allowed_environ("\0".join(pairs).encode("utf-8", "surrogateescape")) or {}).items() if pairs else ()


def given_to(service: Service, facts: Facts) -> Given:
    process = (service.front_end or service.workers[0]).process
    return Given(process, server_environment(service, facts).values, facts)


def config_request(process: Process) -> SettingsRequest | None:
    """The file to read; None where it is a Python module, or no Python file by its name."""
    config = None if title_of(process) else option(parse_command(process.argv).arguments, "-c", "--config")
    path = (config or CONFIG).removeprefix("file:")
    if path.startswith("python:") or not path.endswith(".py"):
        return None
    return SettingsRequest(name=CONFIG, pattern=path, keys=_KEYS)


def title_of(process: Process) -> re.Match[str] | None:
    """The title set by setproctitle; the process's name, cut to 15 bytes, where the command line is gone."""
    if len(process.argv) > 1:
        return None
    return _TITLE.match(process.argv[0] if process.argv else process.comm)
