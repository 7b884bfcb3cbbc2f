"""Which Python program does a command run, and in which Python?"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from os.path import basename, isdir, isfile, join

import msgspec

from agent.errors import CliError, reason_of
from agent.scalene.python_flags import Flags, read_flags
from agent.scalene.shebang import interpreter_items
from collectors.command_line import is_python

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_STARTERS = frozenset((
    "chrt", "conda", "doas", "hatch", "ionice", "nice", "nohup", "numactl", "pdm", "pipenv", "poetry", "setsid", "stdbuf",
    "sudo", "systemd-run", "taskset", "time", "timeout", "uv", "uvx",
))  # fmt: skip


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """`module` is a dotted name, else `script` is a path as it was given. `python` is the interpreter's path."""

    python: str
    script: str | None = None
    module: str | None = None
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    """What the command itself adds to the environment."""

    @property
    def name(self) -> str:
        """As frameworks know it: `uvicorn`, `uvicorn.main`, `serve.py`."""
        return self.module or basename(self.script or "")


def find_program(argv: Sequence[str], environ: Mapping[str, str], folder: str) -> Program:
    """What `argv` runs when it is started in `folder` with `environ`; nothing of it is run for that. CliError if it is no
    Python program that scalene can run."""
    words, added = _without_env(list(argv))
    if not words or not words[0]:
        raise CliError("scalene.program", "no command was given", "put it after --, as in: -- uvicorn app:app")
    first = words[0]
    path = _found(first, {**environ, **added}, folder)
    if basename(first) in _STARTERS:
        raise CliError(
            "scalene.program", f"{first} starts another program", f"put {basename(first)} … before nodewright itself"
        )
    if is_python(basename(first)):
        return _of_interpreter(path, words[1:], added, folder)
    python, flags = _interpreter_of(path, {**environ, **added}, folder)
    environment = {**added, **flags.environment}
    if flags.module is not None:
        return Program(python=python, module=flags.module, arguments=(path, *words[1:]), environment=environment)
    return Program(python=python, script=path, arguments=tuple(words[1:]), environment=environment)


def _without_env(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The words after `env NAME=VALUE …`, and what they set."""
    added: dict[str, str] = {}
    while words and basename(words[0]) == "env":
        del words[0]
        while words and (match := _ASSIGNMENT.fullmatch(words[0])):
            added[match[1]] = match[2]
            del words[0]
        if words and words[0].startswith("-"):
            raise CliError("scalene.program", f"env {words[0]} is not followed here", "name the program itself")
    return words, added


def _found(name: str, environ: Mapping[str, str], folder: str) -> str:
    """The path that a shell would run, seen from `folder`."""
    path = name if "/" in name else shutil.which(name, path=environ.get("PATH", os.defpath)) or ""
    seen = join(folder, path)
    if not path or not isfile(seen):
        where = "" if "/" in name else " in PATH"
        raise CliError("scalene.program", f"{name}: there is no such program{where}", "give its path")
    if not os.access(seen, os.X_OK):
        raise CliError("scalene.program", f"{name} is not executable", f"start it as python {name}")
    return path


def _of_interpreter(python: str, items: Sequence[str], added: dict[str, str], folder: str) -> Program:
    flags = read_flags(items)
    environment = {**added, **flags.environment}
    rest = tuple(items[flags.taken :])
    if flags.module is not None:
        if not flags.module:
            raise CliError("scalene.program", "no module follows -m")
        return Program(python=python, module=flags.module, arguments=rest, environment=environment)
    if not rest or rest[0] == "-":
        raise CliError("scalene.program", f"{basename(python)} was given no program", "name a script or -m MODULE")
    script = rest[0]
    if not isfile(join(folder, script)) and not isdir(join(folder, script)):
        raise CliError(
            "scalene.program", f"{script}: there is no such file", "it is looked for from the working folder"
        )
    return Program(python=python, script=script, arguments=rest[1:], environment=environment)


def _interpreter_of(path: str, environ: Mapping[str, str], folder: str) -> tuple[str, Flags]:
    seen = join(folder, path)
    try:
        items = interpreter_items(seen)
    except OSError as error:
        raise CliError("scalene.program", f"{path} cannot be read: {reason_of(error)}") from error
    if not items or not is_python(basename(items[0])):
        kind = f"a program of {basename(items[0])}" if items else "no Python script"
        raise CliError(
            "scalene.program", f"{path} is {kind}; scalene sees Python only", "name the Python program that it starts"
        )
    return _found(items[0], environ, folder), read_flags(items[1:])
