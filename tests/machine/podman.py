"""How are images built and containers run in tests? By podman, with a storage of their own that goes with the test.

Nothing is fetched by it: the image that ours is built in is a bare Debian with the wheels of the lock files inside.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.machine import debian

EPOCH = "1790000000"
PYTHON_BASE = "python:3.12-slim-bookworm"
"""What the Dockerfile asks for by default; here it is the bare Debian."""
RUNTIME = "runc" if shutil.which("runc") else "crun"
lacking = (
    "needs root"
    if os.geteuid() != 0
    else next((f"needs {name}" for name in ("podman", RUNTIME, "conmon") if shutil.which(name) is None), debian.lacking)
)
"""Why no container can run here; empty where one can."""


class Podman:
    """One storage with what is in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n'
        )
        (folder / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
            f'[engine]\nruntime = "{RUNTIME}"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        own = {"CONTAINERS_CONF": folder / "containers.conf", "CONTAINERS_STORAGE_CONF": folder / "storage.conf"}
        self._env = {**os.environ, **{name: str(path) for name, path in own.items()}}
        self._folder = folder
        self.started: list[str] = []

    def run(self, *argv: str, check: bool = True, seconds: float = 300) -> str:
        """`podman ARGV`: what it printed; AssertionError with all of it where it fails."""
        done = self.status(*argv, seconds=seconds)
        assert not check or done.returncode == 0, (
            f"podman {argv} ended with {done.returncode}: {done.stdout}{done.stderr}"
        )
        return done.stdout + ("" if check else done.stderr)

    def status(self, *argv: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["podman", *argv], env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
            check=False,
        )  # fmt: skip

    def popen(self, *argv: str) -> "subprocess.Popen[bytes]":
        """With a pipe as its standard input."""
        return subprocess.Popen(["podman", *argv], env=self._env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def sh(self, script: str, cwd: Path) -> str:
        """The commands of a document, which are docker's; images in the form that keeps a health check."""
        build = "shift; set -- build --format docker --isolation chroot"
        defined = f'docker() {{ if [ "$1" = build ]; then {build} "$@"; fi; podman "$@"; }}'
        done = subprocess.run(
            ["sh", "-euc", f"{defined}\n{script}"], env=self._env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=600, check=False,
        )  # fmt: skip
        self.started += re.findall(r"--name (\S+)", script)
        assert done.returncode == 0, f"{script} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, *options: str) -> str:
        """A container in the background, by its name."""
        self.started.append(name)
        self.run("run", "--detach", "--name", name, *options)
        return name

    def remove(self, *names: str) -> None:
        """By default all that were started, those that joined others first. Their volumes go with them."""
        for name in names or tuple(reversed(self.started)):
            self.run("rm", "--force", "--time", "0", "--volumes", name, check=False)
            self.started.remove(name)
        if not self.started:
            self.run("volume", "prune", "--force", check=False)

    def python(self, container: str, program: str, *options: str) -> str:
        return self.run("exec", *options, container, "/opt/nodewright/bin/python3", "-Ic", program)

    def get(self, container: str, path: str, how: str = "read().decode()") -> str:
        """Of the agent inside."""
        address = f"http://127.0.0.1:9753{path}"
        return self.python(container, f"import urllib.request as u; print(u.urlopen({address!r}, timeout=10).{how})")

    def inspect(self, name: str, form: str, kind: str = "container") -> str:
        return self.run(kind, "inspect", name, "--format", form).strip()

    def import_tree(self, name: str, *layers: tuple[Path, str]) -> None:
        """An image with folders of this machine at their places."""
        lines = "\n".join(f"COPY --from=f{number} / {to}" for number, (_, to) in enumerate(layers))
        contexts = [f"--build-context=f{number}={path}" for number, (path, _) in enumerate(layers)]
        empty = self._folder / "empty"
        empty.mkdir(exist_ok=True)
        (self._folder / "recipe").write_text(f"FROM scratch\n{lines}\n")
        self.run(
            "build",
            "--isolation",
            "chroot",
            "--tag",
            name,
            *contexts,
            "--file",
            str(self._folder / "recipe"),
            str(empty),
        )

    def close(self) -> None:
        """Remove all of it: it is large."""
        self.remove()
        self.run("rmi", "--all", "--force", check=False)
        subprocess.run(["umount", str(self._folder / "root/overlay")], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """One with the image that ours is built in."""
    one = Podman(folder)
    try:
        offline = folder / "offline"
        (offline / "etc").mkdir(parents=True)
        (offline / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /opt/wheels\n")
        one.import_tree(PYTHON_BASE, (debian.bare_debian(), "/"), (debian.wheels(), "/opt/wheels/"), (offline, "/"))
        yield one
    finally:
        one.close()
