"""Which interpreter does a script name in its first line?"""

import os
import re
import shlex
from collections.abc import Sequence

_FIRST_BYTES = 4096
_SHELLS = frozenset(("sh", "bash", "dash"))
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_BESIDE_IT = re.compile(r"\$\(dirname .*\)\"?/'?(?P<name>[\w.+-]+)'?")


def interpreter_items(path: str) -> Sequence[str] | None:
    """The interpreter and its flags, as the kernel or `env` would start it; None for a file without `#!`.

    A shell script that only starts Python, as pip and uv write it where the path is too long for `#!`, names that Python.
    Raises OSError where the file cannot be read.
    """
    with open(path, "rb") as stream:
        head = stream.read(_FIRST_BYTES)
    if not head.startswith(b"#!"):
        return None
    first, _, rest = head[2:].decode("utf-8", "surrogateescape").partition("\n")
    program, _, argument = first.strip().partition(" ")
    argument = argument.strip()
    name = os.path.basename(program)
    if name == "env":
        return _after_env(argument)
    if name in _SHELLS:
        return _started_by_shell(rest.partition("\n")[0], path) or (program,)
    return (program, argument) if argument else (program,)  # the kernel hands over the rest of the line as one item


def _after_env(argument: str) -> Sequence[str]:
    split = argument.startswith(("-S", "--split-string"))
    items = shlex.split(argument.removeprefix("--split-string=").removeprefix("-S")) if split else [argument]
    while items and _ASSIGNMENT.match(items[0]):
        del items[0]
    return tuple(items)


def _started_by_shell(line: str, path: str) -> Sequence[str] | None:
    """The Python of a line such as `'''exec' "/x/bin/python" "$0" "$@"`."""
    if not line.startswith("'''exec' "):
        return None
    beside = _BESIDE_IT.search(line)
    if beside is not None:
        return (os.path.join(os.path.dirname(os.path.realpath(path)), beside["name"]),)
    try:
        return tuple(item for item in shlex.split(line)[1:] if not item.startswith("$"))
    except ValueError:
        return None
