"""What does a small machine made of files look like? Builds the trees that `Host.at` reads in tests."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.host import Host
from collectors.procfs import parse_cgroup
from collectors.reading import Instant

SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class FakeClock:
    """A clock that stands still until it is told to go on."""

    mono_ns: int = 1_000 * SECOND_NS
    wall_ns: int = 1_800_000_000 * SECOND_NS

    def now(self) -> Instant:
        return Instant(self.mono_ns, self.wall_ns)

    def advance(self, seconds: float) -> None:
        self.mono_ns += round(seconds * SECOND_NS)
        self.wall_ns += round(seconds * SECOND_NS)


@dataclass(slots=True)
class HostTree:
    """Files below `root` that stand for /proc, /sys and /sys/fs/cgroup. Writing a file again changes it in place, so
    that a kept descriptor sees the change, as with a kernel file."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    _processes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        return Host.at(self.root, self.clock)

    def file(self, path: str, content: str | bytes) -> Path:
        """Write the file `path`, for example `proc/stat`."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def process(self, pid: int, **values: Any) -> None:
        """Write /proc/PID, or change the named `values` of a process that is there. See `_stat` and `_status` for
        their names; beside them `argv`, `cgroup` (text of the file) and `io` (text, None = no such file)."""
        known = self._processes.setdefault(pid, {"comm": "python", "tids": {pid}})
        known.update(values)
        known.setdefault("threads", 0)
        folder = f"proc/{pid}"
        self.file(f"{folder}/stat", _stat(pid, {**known, "threads": known["threads"] or len(known["tids"])}))
        self.file(f"{folder}/status", _status(known))
        self.file(f"{folder}/cmdline", b"".join(arg.encode() + b"\0" for arg in known.get("argv", ("python",))))
        self.file(f"{folder}/cgroup", known.get("cgroup", "0::/\n"))
        if known.get("io") is not None:
            self.file(f"{folder}/io", known["io"])
        if not (self.root / folder / "task" / str(pid)).exists():
            self.thread(pid, pid)

    def thread(self, pid: int, tid: int, *, schedstat: bool = True, **values: Any) -> None:
        """Write /proc/PID/task/TID: `name`, `run_ns`, `delay_ns`, `timeslices`, and what `_stat` and `_status` name."""
        known = self._processes[pid]
        folder = f"proc/{pid}/task/{tid}"
        values = {"comm": values.pop("name", known["comm"]), **values}
        counters = (values.get(name, 0) for name in ("run_ns", "delay_ns", "timeslices"))
        self.file(f"{folder}/stat", _stat(tid, values))
        self.file(f"{folder}/status", _status(values))
        if schedstat:
            self.file(f"{folder}/schedstat", " ".join(map(str, counters)) + "\n")
        if tid not in known["tids"]:
            known["tids"].add(tid)
            self.process(pid)

    def remove_process(self, pid: int) -> None:
        """End a process. Files are emptied first: a kept descriptor of a dead process gives nothing more."""
        del self._processes[pid]
        _erase(self.root / f"proc/{pid}")

    def remove_thread(self, pid: int, tid: int) -> None:
        self._processes[pid]["tids"].discard(tid)
        _erase(self.root / f"proc/{pid}/task/{tid}")
        self.process(pid)

    def worker(self, pid: int, role: Role = Role.WORKER, **values: Any) -> Worker:
        """The `Worker` that stands for a process of this tree; `values` are fields of Worker."""
        known = self._processes[pid]
        comm = known["comm"]
        process = Process(
            key=WorkerKey(pid, known.get("started", 1000)),
            ppid=known.get("ppid", 1),
            uid=known.get("uid", 0),
            comm=comm if isinstance(comm, str) else comm.decode("utf-8", "backslashreplace"),
            argv=tuple(known.get("argv", ("python",))),
            cgroups=parse_cgroup(known.get("cgroup", "0::/\n")),
        )
        return Worker(**{"process": process, "role": role, "framework": "fake", "service": "app", "slot": 0, **values})

    def service(self, *workers: Worker, **values: Any) -> Service:
        """A service of these workers; `values` are fields of Service."""
        fields: dict[str, Any] = {
            "id": "5e41ce",
            "name": "app",
            "framework": "fake",
            "application": "app",
            "port": None,
            "owner": None,
            "manager": "bare",
            "started": min((worker.key.started for worker in workers), default=0),
        }
        return Service(workers=workers, **{**fields, **values})


def _stat(pid: int, values: dict[str, Any]) -> bytes:
    fields = ["0"] * 50
    places = {
        "state": 0, "ppid": 1, "minor_faults": 7, "major_faults": 9, "user": 11, "system": 12, "children_user": 13,
        "children_system": 14, "threads": 17, "started": 19, "resident_pages": 21, "last_cpu": 36,
    }  # fmt: skip
    defaults = {"state": "S", "ppid": 1, "threads": 1, "started": 1000}
    for name, place in places.items():
        fields[place] = str(values.get(name, defaults.get(name, 0)))
    return f"{pid} (".encode() + _comm(values) + b") " + " ".join(fields).encode() + b"\n"


def _status(values: dict[str, Any]) -> bytes:
    name = _comm(values).replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    uid = values.get("uid", 0)
    lines = (
        f"State:\t{values.get('state', 'S')} (sleeping)",
        f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}",
        f"Cpus_allowed_list:\t{values.get('allowed', '0-1')}",
        "Mems_allowed_list:\t0",
        f"voluntary_ctxt_switches:\t{values.get('voluntary', 0)}",
        f"nonvoluntary_ctxt_switches:\t{values.get('involuntary', 0)}",
    )
    return b"Name:\t" + name + b"\n" + "\n".join(lines).encode() + b"\n"


def _comm(values: dict[str, Any]) -> bytes:
    comm: str | bytes = values.get("comm", "python")
    return comm if isinstance(comm, bytes) else comm.encode()


def _erase(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    shutil.rmtree(folder)
