"""Where does a bare Debian for tests come from? debootstrap makes one, of this host's release, from the mirror that apt uses.

It lies in the user's cache folder under a name that changes with the list of its packages, as do the wheels that pip is given
inside, where there is no network.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from agent.demo.environment import cache_folder
from tests.live.environments import alone

ROOT = Path(__file__).parents[2]
PACKAGES = ("ca-certificates", "dbus", "procps", "python3", "python3-venv", "systemd", "systemd-sysv")
BUILT_WITH = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
SERVING = ("gunicorn", "numpy")
SECONDS = 1200.0
COMPLETE = "complete"

lacking = next((f"needs {name}" for name in ("debootstrap", "apt-get", "dpkg-deb") if shutil.which(name) is None), "")


def bare_debian() -> Path:
    """The root folder of one; bootstrapped where it is not there yet."""
    release, mirror = _release()
    stamp = hashlib.sha256(" ".join((release, mirror, *PACKAGES)).encode()).hexdigest()[:16]
    folder = cache_folder() / "test-envs" / f"debian-{release}-{stamp}"
    with alone(folder.with_suffix(".busy")):
        if not (folder / COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            bootstrap = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", release]
            _run([*bootstrap, str(folder / "root"), mirror])
            shutil.rmtree(folder / "root/var/cache/apt", ignore_errors=True)
            (folder / COMPLETE).touch()
    return folder / "root"


def wheels() -> Path:
    """What requirements.lock lists, what our own wheel is built with, and a server, as pip finds them without a network."""
    lock = (ROOT / "requirements-dev.lock").read_text()
    wanted = [entry for name in (*BUILT_WITH, *SERVING) if (entry := _entry(lock, name)) is not None]
    listed = f"{(ROOT / 'requirements.lock').read_text()}\n{_without((ROOT / 'requirements.lock').read_text(), wanted)}"
    folder = cache_folder() / "test-envs" / f"wheels-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"
    with alone(folder.with_suffix(".busy")):
        if not (folder / COMPLETE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "list.txt").write_text(listed)
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
            _run(
                [*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(folder / "list.txt"), "-d", str(folder)]
            )
            (folder / COMPLETE).touch()
    return folder


def _without(lock: str, entries: list[str]) -> str:
    """Those of `entries` that `lock` does not have."""
    return "\n".join(entry for entry in entries if entry.partition("==")[0] + "==" not in lock)


def _entry(lock: str, name: str) -> str | None:
    found = re.search(rf"^{re.escape(name)}==.*(?:\n    --hash=.*)*", lock, re.MULTILINE)
    return found[0] if found else None


def _release() -> tuple[str, str]:
    """Code name and mirror of the Debian that apt here is set to."""
    form = "$(ORIGIN) $(COMPONENT) $(CODENAME) $(RELEASE) $(REPO_URI)"
    lines = _run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).splitlines()
    named = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    release = named[1] if named else ""
    for line in lines:
        if line.startswith(f"Debian main {release} {release} "):
            return release, line.rpartition(" ")[2]
    raise AssertionError(f"apt here knows no Debian {release}: apt-get update")


def _run(argv: list[str]) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{argv}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout
