"""Is a scalene that we can use installed for a Python, and if not, which command installs it?"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from os.path import abspath, join

import msgspec

from agent.errors import CliError, reason_of

SECONDS = 20.0
REQUIREMENT = "scalene>=2.4,<3"
_BROKEN = (3, 11, 0)
_OLDEST = (3, 8)
_VERSION = re.compile(r"2\.(?P<minor>\d+)")
_OLDEST_MINOR = 4

_CODE = """
import json, os, sys
found = {"executable": sys.executable, "python": list(sys.version_info[:3])}
if sys.version_info >= (3, 8):
    import importlib.machinery, importlib.metadata, site
    path = json.loads(sys.argv[1]) + sys.path
    if sys.prefix == sys.base_prefix and not os.environ.get("PYTHONNOUSERSITE"):
        path.append(site.getusersitepackages())
    def exists(name):
        return importlib.machinery.PathFinder.find_spec(name, path) is not None
    found["pip"] = exists("pip")
    if exists("scalene"):
        versions = [found.version for found in importlib.metadata.distributions(name="scalene", path=path)]
        found["scalene"] = versions[0] if versions else ""
print(json.dumps(found))
"""
"""Run with -I, so that no file of the working folder or of PYTHONPATH is imported in place of the standard library."""


class Python(msgspec.Struct, frozen=True, kw_only=True):
    """An interpreter. `scalene`: the version that is installed for it; None: none, empty: without a version."""

    executable: str
    python: tuple[int, int, int]
    scalene: str | None = None
    pip: bool = False


def usable_python(path: str, environ: Mapping[str, str], folder: str) -> Python:
    """The interpreter at `path` as it runs in `folder` with `environ`; CliError if scalene cannot run in it."""
    python = _ask(path, environ, folder)
    version = ".".join(map(str, python.python))
    if python.python == _BROKEN:
        raise CliError("scalene.python", f"{path} is Python {version}, in which scalene fails", "use a later 3.11")
    if python.python < _OLDEST:
        raise CliError("scalene.python", f"{path} is Python {version}, too old for scalene", "3.8 is the oldest")
    if python.scalene is None:
        raise CliError(
            "scalene.missing", f"scalene is not installed for {path}", f"run: {install_command(python)}", exit_status=5
        )
    match = _VERSION.match(python.scalene)
    if match is None or int(match["minor"]) < _OLDEST_MINOR:
        what = f"scalene {python.scalene or 'of unknown version'} is installed for {path}; its options differ"
        raise CliError("scalene.missing", what, f"run: {install_command(python)}", exit_status=5)
    return python


def install_command(python: Python) -> str:
    """A line for the shell that installs scalene where this interpreter finds it."""
    first = [python.executable, "-m", "pip", "install"] if python.pip else ["uv", "pip", "install", "--python"]
    rest = [REQUIREMENT] if python.pip else [python.executable, REQUIREMENT]
    return shlex.join([*first, *rest])


def _ask(path: str, environ: Mapping[str, str], folder: str) -> Python:
    more = [abspath(join(folder, part)) for part in environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    argv = [path, "-I", "-c", _CODE, msgspec.json.encode(more).decode()]
    try:
        done = subprocess.run(
            argv, env=dict(environ), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            check=False, start_new_session=True,
        )  # fmt: skip
        return msgspec.json.decode(done.stdout, type=Python)
    except subprocess.TimeoutExpired:
        raise CliError("scalene.python", f"{path} did not answer within {SECONDS:g} s", "does it start?") from None
    except OSError as error:
        raise CliError("scalene.python", f"{path} cannot be run: {reason_of(error)}") from error
    except msgspec.DecodeError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise CliError("scalene.python", f"{path} is no working Python 3", last) from None
