"""Where do real programs of the distribution come from, without installing them? A package is fetched and unpacked, once.

They lie in the user's cache folder, beside the Python environments of tests. apt-get fetches, dpkg unpacks: both work for any
user, and what apt-get knows of packages is renewed in a folder of its own where the machine's own lists do not name one.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agent.demo.environment import cache_folder
from tests.live.environments import STAMP, alone

FETCH_SECONDS = 600.0


class NoDebianError(Exception):
    """This machine has no packages of that kind."""


def debian_program(package: str, name: str) -> Path:
    """The program `name` of `package`; fetches the package if it is not there yet. Raises NoDebianError elsewhere."""
    folder = cache_folder() / "debian" / package
    with alone(folder.with_suffix(".busy")):
        if not (folder / STAMP).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _unpack(package, folder)
            (folder / STAMP).touch()
    found = [folder / place / name for place in ("usr/bin", "usr/sbin", "bin") if (folder / place / name).is_file()]
    assert found, f"package {package} has no program {name}"
    return found[0]


def _unpack(package: str, folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NoDebianError(f"{package}: neither apt-get nor dpkg is here")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        fetched = Path(place)
        if _run(["apt-get", *_ALONE, "download", package], fetched):
            own = _own_lists(fetched)
            said = _run(["apt-get", *_ALONE, *own, "update"], fetched) or _run(
                ["apt-get", *_ALONE, *own, "download", package], fetched
            )
            assert not said, f"apt-get download {package}: {said}"
        (archive,) = fetched.glob("*.deb")
        said = _run(["dpkg", "-x", str(archive), str(folder)], fetched)
        assert not said, f"dpkg -x {archive.name}: {said}"


_ALONE = ("-q", "-o", "APT::Sandbox::User=")
"""As root it would fetch as another user, who may not write here."""


def _own_lists(folder: Path) -> Sequence[str]:
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    return ("-o", f"Dir::State::Lists={folder}/state/lists", "-o", f"Dir::Cache={folder}/cache")


def _run(argv: Sequence[str], folder: Path) -> str:
    """What it said last where it failed, else nothing."""
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=FETCH_SECONDS, check=False
    )
    return "" if done.returncode == 0 else (done.stderr.decode(errors="replace")[-2000:] or f"status {done.returncode}")
