"""Where does a model server to show things with come from? An own virtual environment in the user's cache, made once.

What is installed is pinned by version and sha256 in `requirements.lock`; a stamp with the hash of that list says that
the environment is whole. Nothing is installed beside nodewright itself.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

from agent.demo.launch import DemoError
from agent.demo.processes import Programs

LOCK = Path(__file__).with_name("requirements.lock")
STAMP = "complete"
INTERPRETERS = ((3, 11), (3, 12))
"""What the pinned model server runs on."""
TAIL_LINES = 3


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/nodewright`, by default in the home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodewright"


def interpreter() -> str:
    """A Python that the model server runs on: this one if it fits."""
    if sys.version_info[:2] in INTERPRETERS:
        return sys.executable
    for major, minor in reversed(INTERPRETERS):
        found = shutil.which(f"python{major}.{minor}")
        if found is not None:
            return found
    raise DemoError("the demo's model server runs on Python 3.11 and 3.12 only", "install one of them beside this one")


def stamp_of(lock: Path, python: str) -> str:
    """Changes when the list or the interpreter does."""
    return hashlib.sha256(lock.read_bytes() + os.path.realpath(python).encode()).hexdigest()


def prepare(programs: Programs, say: Callable[[str], None], lock: Path = LOCK, name: str = "demo-venv") -> Path:
    """The folder with the programs of the environment `name`; installs what `lock` lists if it is not there yet."""
    python = interpreter()
    folder = cache_folder() / name
    with _alone(folder.with_suffix(".busy")):
        stamp = folder / STAMP
        wanted = stamp_of(lock, python)
        if not stamp.is_file() or stamp.read_text() != wanted:
            _install(programs, say, lock, python, folder)
            stamp.write_text(wanted)
    return folder / "bin"


def _install(programs: Programs, say: Callable[[str], None], lock: Path, python: str, folder: Path) -> None:
    packages = sum("==" in line for line in lock.read_text().splitlines() if not line.startswith("#"))
    say(f"installing up to {packages} packages into {folder}, once; usually about a minute")
    _run(programs, [python, "-m", "venv", "--clear", str(folder)], lambda _: None)
    collected = 0

    def progress(line: str) -> None:
        nonlocal collected
        if line.startswith("Collecting "):
            collected += 1
            if collected % 10 == 0:
                say(f"  {collected} packages fetched")
        elif line.startswith("Installing collected"):
            say(f"  {collected} packages fetched, installing")

    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input"]
    _run(programs, [*pip, "--only-binary", ":all:", "--progress-bar", "off", "-r", str(lock)], progress)


def _run(programs: Programs, argv: list[str], progress: Callable[[str], None]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    program = programs.start(argv, env=environment)
    last: list[str] = []
    for line in _lines(program):
        last = [*last[1 - TAIL_LINES :], line.rstrip()]
        progress(line)
    status = program.wait()
    programs.end(program)
    if status:
        name = " ".join(argv[1:3])
        raise DemoError(f"{name} failed: {' '.join(last)}", "the demo needs a package index, or its files in a folder")


def _lines(program: "Popen[bytes]") -> Iterator[str]:
    if program.stdout is not None:
        for line in program.stdout:
            yield line.decode(errors="replace")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No second demo sets up the same environment meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as problem:
        raise DemoError(f"{path.parent} cannot be written: {problem.strerror}", "set XDG_CACHE_HOME") from problem
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError("another demo is setting up its environment", "wait until it is done") from None
        yield
