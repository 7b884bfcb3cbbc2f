"""What did real servers look like? Turns the recorded process trees below `tests/fixtures/trees` into processes.

A recording has no start times, so a process counts as started at its pid, which keeps the order.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.facts import Environ, Library, Listening, ProcessFacts, SettingsFile
from collectors.framework import Facts, Framework, Traits
from collectors.procfs import parse_cgroup, parse_cmdline
from collectors.reading import Unsupported

FIXTURES = Path(__file__).parent / "fixtures"
_LIBRARIES = {"openblas": "openblas", "libgomp": "libgomp"}
ERASED = Unsupported("the process wrote over its environment (setproctitle)", "start it with SPT_NOENV=1")
NO_RIGHT = Unsupported("no permission", "grant CAP_SYS_PTRACE")


def tree(name: str) -> list[tuple[Process, ProcessFacts]]:
    """The processes of one recording with what a look inside would tell, parents first."""
    text = (FIXTURES / "trees" / f"{name}.txt").read_text()
    return [_block(block) for block in re.split(r"^--- pid ", text, flags=re.MULTILINE)[1:]]


def _block(block: str) -> tuple[Process, ProcessFacts]:
    head, *lines = block.splitlines()
    pid, ppid = (int(head.split()[index]) for index in (0, 2))
    fields = dict(re.findall(r"^([a-z][^:\n]*?) *: (.*)$", block, re.MULTILINE))
    raw = re.sub(r"\.\.\.(\d+) x b''\.\.\.", lambda match: ", ".join(["b''"] * int(match[1])), fields["cmdline"])
    argv = parse_cmdline(b"\0".join(ast.literal_eval(raw)) + b"\0")
    cgroups = parse_cgroup("\n".join(re.findall(r"^(?:cgroup  : )?(\d+:[^:\n]*:.*)$", "\n".join(lines), re.MULTILINE)))
    process = Process(key=WorkerKey(pid, pid), ppid=ppid, uid=0, comm=fields["comm"], argv=argv, cgroups=cgroups)
    kept = ast.literal_eval(fields["environ kept"])
    mapped = ast.literal_eval(fields["maps (non-.so or marker libs)"].rpartition("] total")[0] + "]")
    paths = [path for path in mapped if ".so" in path]
    libraries = tuple(Library(kind, path) for path in paths for kind, mark in _LIBRARIES.items() if mark in path)
    return process, facts(
        process,
        environ=kept if ast.literal_eval(fields["environ keys"]) else None,
        libraries=libraries,
        cwd=fields["cwd"],
    )


def facts(
    process: Process,
    *,
    environ: dict[str, str] | None = None,
    libraries: tuple[Library, ...] = (),
    cwd: str = "/srv/app",
    ports: tuple[int, ...] = (),
    files: tuple[SettingsFile, ...] = (),
    inode: int = 900,
) -> ProcessFacts:
    """Facts of a process into which one could look. `environ` None: it was erased."""
    return ProcessFacts(
        key=process.key,
        environ=ERASED if environ is None else Environ(environ),
        libraries=libraries,
        model_files=(),
        cwd=cwd,
        exe="/usr/local/bin/python3.11",
        listening=tuple(Listening("127.0.0.1", port, inode + port) for port in ports),
        settings_files=files,
        limits=NO_RIGHT,
    )


@dataclass
class Recorded:
    """One recorded server, classified by a framework as discovery would do it."""

    framework: Framework
    name: str
    known: dict[WorkerKey, ProcessFacts] = field(default_factory=dict)
    roles: dict[int, Role | None] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        for process, inside in tree(self.name):
            self.processes.append(process)
            self.known[process.key] = inside
            self.roles[process.key.pid] = self.framework.recognise(process, self.roles.get(process.ppid), inside)

    def traits(self, known: Facts | None = None) -> Traits:
        members = [(process, role) for process in self.processes if (role := self.roles[process.key.pid])]
        return self.framework.traits(members, self.known if known is None else known)

    def service(self) -> Service:
        members = [(process, role) for process in self.processes if (role := self.roles[process.key.pid])]
        return service_of(self.framework.name, *members)


def service_of(
    framework: str, *members: tuple[Process, Role], manager: str = "bare", owner: str | None = None
) -> Service:
    """A service of these processes."""
    workers = tuple(
        Worker(process=process, role=role, framework=framework, service="app", slot=slot)
        for slot, (process, role) in enumerate(members)
    )
    return Service(
        id="5e41ce", name="app", framework=framework, application="app", port=None, owner=owner, manager=manager,
        workers=workers, started=members[0][0].key.started,
    )  # fmt: skip


def process(pid: int, *argv: str, ppid: int = 1, comm: str = "python", cgroup: str = "0::/") -> Process:
    """A process by its command line."""
    return Process(key=WorkerKey(pid, pid), ppid=ppid, uid=0, comm=comm, argv=argv, cgroups=parse_cgroup(cgroup))
