"""Which flags of `python FLAGS …` can be kept when scalene starts that Python once more, without them?

Those that a variable of the environment sets as well. The others are refused: the program would run differently.
"""

from collections.abc import Sequence

import msgspec

from agent.errors import CliError

_VARIABLES = {
    "B": "PYTHONDONTWRITEBYTECODE",
    "O": "PYTHONOPTIMIZE",
    "P": "PYTHONSAFEPATH",
    "d": "PYTHONDEBUG",
    "s": "PYTHONNOUSERSITE",
    "u": "PYTHONUNBUFFERED",
    "v": "PYTHONVERBOSE",
}
_WITHOUT_EFFECT = "qR"
_OPTIONS = {
    "dev": "PYTHONDEVMODE",
    "faulthandler": "PYTHONFAULTHANDLER",
    "gil": "PYTHON_GIL",
    "importtime": "PYTHONPROFILEIMPORTTIME",
    "int_max_str_digits": "PYTHONINTMAXSTRDIGITS",
    "no_debug_ranges": "PYTHONNODEBUGRANGES",
    "pycache_prefix": "PYTHONPYCACHEPREFIX",
    "tracemalloc": "PYTHONTRACEMALLOC",
    "utf8": "PYTHONUTF8",
}


class Flags(msgspec.Struct, frozen=True):
    """What stands between `python` and its program. `module`: the name after -m, None for a script. `taken`: items read."""

    environment: dict[str, str]
    module: str | None
    taken: int


def read_flags(items: Sequence[str]) -> Flags:
    """The flags at the start of `items`, as variables. CliError for `-c` and for a flag that has no variable."""
    found: dict[str, str] = {}
    index = 0
    while index < len(items) and items[index].startswith("-") and items[index] != "-":
        item = items[index]
        index += 1
        if item == "--":
            break
        if item.startswith("--"):
            raise _refusal(item)
        for place, letter in enumerate(item[1:], start=2):
            if letter in "mcWX":
                value = item[place:]
                if not value:
                    value, index = "".join(items[index : index + 1]), index + 1
                if letter == "c":
                    raise CliError("scalene.program", "scalene runs no code of -c", "put the code into a file")
                if letter == "m":
                    return Flags(found, value, index)
                _with_value(letter, value, found)
                break
            _plain(letter, found)
    return Flags(found, None, index)


def _plain(letter: str, found: dict[str, str]) -> None:
    if letter in _WITHOUT_EFFECT:
        return
    name = _VARIABLES.get(letter)
    if name is None:
        raise _refusal(f"-{letter}")
    found[name] = str(int(found.get(name, "0")) + 1)


def _with_value(letter: str, value: str, found: dict[str, str]) -> None:
    if letter == "W":
        found["PYTHONWARNINGS"] = ",".join(filter(None, (found.get("PYTHONWARNINGS"), value)))
        return
    option, _, setting = value.partition("=")
    name = _OPTIONS.get(option)
    if name is None:
        raise _refusal(f"-X {value}")
    found[name] = setting or "1"


def _refusal(flag: str) -> CliError:
    return CliError(
        "scalene.program", f"scalene starts Python anew and {flag} would be lost", f"leave {flag} out for this run"
    )
