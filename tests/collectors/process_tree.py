"""A process made of plain files, as the reader of facts sees it below `Host.at(root)`."""

from pathlib import Path

from collectors.entities import WorkerKey
from collectors.host import Host

PID = 4242
STARTED = 777


def stat_line(pid: int, comm: str, ppid: int = 1, started: int = STARTED, state: str = "S") -> str:
    numbers = ["0"] * 49
    numbers[0] = str(ppid)
    numbers[18] = str(started)
    return f"{pid} ({comm}) {state} {' '.join(numbers)}\n"


def make_process(
    root: Path,
    pid: int = PID,
    *,
    comm: str = "python",
    argv: tuple[str, ...] = ("python", "serve.py"),
    ppid: int = 1,
    started: int = STARTED,
    state: str = "S",
    environ: bytes = b"OMP_NUM_THREADS=4\0",
    maps: str = "",
    cwd: str = "/app",
    uid: int = 1000,
    groups: str = "1000",
) -> Path:
    """Files of one process below `root`/proc; the folder of its own root is `root`/proc/PID/root."""
    folder = root / "proc" / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "net").mkdir()
    (folder / "root" / cwd.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (folder / "stat").write_text(stat_line(pid, comm, ppid, started, state))
    ids = "\t".join([str(uid)] * 4)
    (folder / "status").write_text(f"Name:\t{comm}\nUid:\t{ids}\nGid:\t{ids}\nGroups:\t{groups} \n")
    (folder / "cmdline").write_bytes("".join(f"{item}\0" for item in argv).encode())
    (folder / "environ").write_bytes(environ)
    (folder / "maps").write_text(maps)
    (folder / "cwd").symlink_to(cwd)
    (folder / "exe").symlink_to("/usr/bin/python3.11")
    return folder


def host_of(root: Path) -> Host:
    return Host.at(root)


def key_of(pid: int = PID, started: int = STARTED) -> WorkerKey:
    return WorkerKey(pid, started)


def maps_line(path: str) -> str:
    return f"7f0000000000-7f0000001000 r-xp 00000000 08:01 42                       {path}\n"
