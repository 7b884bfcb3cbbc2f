"""A Debian that boots beside this one: systemd as init in namespaces of its own, over a folder that stays as it was.

It has its own processes, mounts, network (loopback only) and control groups, in which limits hold. It ends with the test.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.machine.waiting import wait_for

BOOT = Path(__file__).with_name("boot.sh")
CGROUPS = Path("/sys/fs/cgroup")
HIERARCHIES = ("systemd", "unified", "cpu", "cpuacct", "memory", "pids", "devices", "blkio")
"""Of version 1 and the hybrid form; where there is version 2 alone, it is one folder."""
BOOT_SECONDS = 60.0
PROGRAMS = ("unshare", "nsenter", "setpriv", "pivot_root", "mount")

lacking = (
    "needs root"
    if os.geteuid() != 0
    else "needs systemd"
    if not Path("/lib/systemd/systemd").exists()
    else "needs overlayfs"
    if "\toverlay\n" not in Path("/proc/filesystems").read_text()
    else next((f"needs {name}" for name in PROGRAMS if shutil.which(name) is None), "")
)
"""Why none can boot here; empty where one can."""


class Machine:
    """One that runs. `init` is its first process, as seen from here."""

    def __init__(self, init: int) -> None:
        self.init = init

    def run(self, *argv: str, environ: Mapping[str, str] | None = None, seconds: float = 60, cwd: str = "/",
            check: bool = True) -> str:  # fmt: skip
        """As root inside. What it printed; AssertionError with all of it where it fails."""
        enter = ["nsenter", "-t", str(self.init), "-m", "-p", "-n", "-i", "-u", "-C", "-r", f"--wdns={cwd}"]
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", **(environ or {})}
        done = subprocess.run(
            [*enter, *argv], env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if not check else "")

    def sh(self, script: str, **how: Any) -> str:
        return self.run("sh", "-euc", script, **how)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def status(self, unit: str) -> dict[str, str]:
        """/proc/PID/status of a unit's main process."""
        pid = self.show(unit, "MainPID")
        assert pid != "0", self.journal(unit)
        lines = self.run("cat", f"/proc/{pid}/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--boot", "--no-pager", "--output=cat", "--unit", unit)

    def write(self, path: str, text: str) -> None:
        self.sh(f'mkdir -p "$(dirname {path})" && printf %s "$TEXT" > {path}', environ={"TEXT": text})

    def get(self, path: str) -> Any:
        """The data of an answer of the agent inside."""
        program = (
            f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:9753{path}', timeout=10).read().decode())"
        )
        return json.loads(self.run("python3", "-I", "-c", program))["data"]

    def wait_for(self, what: Callable[[], Any], seconds: float = 30) -> Any:
        """The first true value of `what`."""
        return wait_for(what, lambda: self.journal("nodewright*")[-3000:], seconds)


@contextmanager
def booted(lower: Path, work: Path, shown: Mapping[Path, str], unit: str = "multi-user.target") -> Iterator[Machine]:
    """Boot over `lower` until `unit` is reached; `shown` folders of this host are seen inside. `work` is an empty folder."""
    work.mkdir()
    name = f"nodewright-test-{os.getpid()}-{work.name}"
    groups = [path / name for path in _hierarchies()]
    for group in groups:
        group.mkdir()
    binds = [f"{source}={target}" for source, target in shown.items()]
    unshare = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"]
    with (work.parent / f"{work.name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", _enter(groups), "sh", *unshare, "sh", str(BOOT), str(work), str(lower), *binds, "--", unit],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        machine = Machine(_init_of(process))
        machine.wait_for(lambda: machine.run("systemctl", "is-active", unit), BOOT_SECONDS)
        yield machine
    finally:
        process.kill()  # its child, the first process inside, goes with it, and all others with that
        process.wait(30)
        for group in groups:
            _remove(group)


def _enter(groups: Sequence[Path]) -> str:
    """Before the namespace of control groups is made: its root is where we are then."""
    return "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups) + 'exec "$@"'


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        own = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
        return [CGROUPS / own.lstrip("/")]
    return [CGROUPS / name for name in HIERARCHIES]


def _init_of(process: "subprocess.Popen[bytes]") -> int:
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "boot.sh ended"
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return int(child)
        time.sleep(0.05)
    raise AssertionError("systemd did not start")


def _remove(group: Path) -> None:
    """Inner groups first. They empty a moment after their last process is gone."""
    end = time.monotonic() + 10
    while group.exists() and time.monotonic() < end:
        for path, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                time.sleep(0.02)
