"""What does a command line run, and with which options?

Interpreter flags, `-m module`, console scripts and multiprocessing's helper processes are seen through here, so that a
framework only names its program and its options.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from os.path import basename

import msgspec

from collectors.entities import Process, Role
from collectors.no_servers import is_no_server

_PYTHON = re.compile(r"(python|pypy)[0-9.]*t?d?")
_FLAGS_WITH_VALUE = ("--check-hash-based-pycs",)


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`program` is the base name of what runs, or the dotted module of `python -m`; empty for `python -c` and for an
    interactive interpreter. `arguments` are what the program sees."""

    program: str = ""
    arguments: tuple[str, ...] = ()
    code: str = ""
    python: bool = False


def is_python(name: str) -> bool:
    """Whether a base name is that of a Python interpreter (`python3.11`, `pypy3`)."""
    return _PYTHON.fullmatch(name) is not None


def parse_command(argv: Sequence[str]) -> Command:
    """What `argv` runs. A title that a process gave itself comes out as its program."""
    return _parsed(tuple(argv))


@lru_cache(maxsize=16)  # every framework asks about a process in turn; its command line may be long
def _parsed(argv: tuple[str, ...]) -> Command:
    if not argv:
        return Command()
    if not is_python(basename(argv[0])):
        return Command(program=basename(argv[0]), arguments=tuple(argv[1:]))
    index = 1
    while index < len(argv) and argv[index].startswith("-") and argv[index] != "-":
        letter, value, taken = _interpreter_flag(argv, index)
        index += taken
        if letter == "m":
            return Command(program=value, arguments=tuple(argv[index:]), python=True)
        if letter == "c":
            return Command(code=value, arguments=tuple(argv[index:]), python=True)
    return Command(program=basename("".join(argv[index : index + 1])), arguments=tuple(argv[index + 1 :]), python=True)


def _interpreter_flag(argv: Sequence[str], index: int) -> tuple[str, str, int]:
    """(letter, its value, items used) of one item such as `-B`, `-Xdev`, `-X dev` or `-Bm`."""
    item = argv[index]
    if item.startswith("--"):
        return "", "", 2 if item in _FLAGS_WITH_VALUE else 1
    for place, letter in enumerate(item[1:], start=2):
        if letter in "mcXW":
            if item[place:]:
                return letter, item[place:], 1
            return letter, "".join(argv[index + 1 : index + 2]), 2
    return "", "", 1


def option(arguments: Sequence[str], *names: str) -> str | None:
    """The value of an option, the last one given: `--workers 2`, `--workers=2`, `-w 2`, `-w2`; None if it is absent."""
    return next(reversed(options(arguments, *names)), None)


def options(arguments: Sequence[str], *names: str) -> list[str]:
    """Every value of an option that may be repeated, in order."""
    return list(_values(arguments, names))


def _values(arguments: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for index, item in enumerate(arguments):
        if item in names:
            if index + 1 < len(arguments):
                yield arguments[index + 1]
        elif item.startswith("--"):
            name, equals, value = item.partition("=")
            if equals and name in names:
                yield value
        elif item[:2] in names and len(item) > 2:
            yield item[2:].removeprefix("=")


def positionals(arguments: Sequence[str], flags: Collection[str]) -> list[str]:
    """The arguments that belong to no option. `flags` are the options that take no value."""
    found, previous = [], ""
    for item in arguments:
        takes_value = previous.startswith("-") and "=" not in previous and previous not in flags
        takes_value = takes_value and (previous.startswith("--") or len(previous) == 2)
        if not item.startswith("-") and not takes_value:
            found.append(item)
        previous = item
    return found


def helper_role(command: Command, parent: Role | None) -> Role | None:
    """The role of a process that multiprocessing (or joblib's loky) started below a recognised one; None for any other.

    Spawned workers do not say whose they are: all have the same command line, so they inherit from their parent.
    """
    if parent is None:
        return None
    if "resource_tracker import main" in command.code:
        return Role.SUPPORT
    if "multiprocessing.forkserver import main" in command.code:
        return Role.WORKER if parent is Role.SUPPORT else Role.SUPPORT
    spawned = "multiprocessing.spawn import spawn_main" in command.code
    return Role.WORKER if spawned or command.program.endswith(".popen_loky_posix") else None


def role_of_program(process: Process, parent: Role | None, *programs: str) -> Role | None:
    """The front-end is the first process that runs one of `programs`; what it forks or spawns is a worker."""
    command = parse_command(process.argv)
    if command.program in programs:
        return Role.FRONT_END if parent is None else Role.WORKER
    return helper_role(command, parent)


def may_serve(process: Process) -> bool:
    """Whether a look inside is worth it: a Python process that is no known tool."""
    command = parse_command(process.argv)
    python = command.python or is_python(process.comm)
    return python and not is_no_server(command.program) and "multiprocessing." not in command.code
