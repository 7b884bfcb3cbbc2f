"""What runs on a busy node beside model servers, and what do they look like? Reads `tests/fixtures/crowd/`, and makes files
of it.

The rows are written by hand after what such programs look like: no process of the crowd is a model server, and many have
a name or a library of one.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.entities import Process, WorkerKey
from collectors.facts import Library, ProcessFacts
from tests.captures import facts
from tests.hosttree import HostTree

FOLDER = Path(__file__).parent / "fixtures" / "crowd"
STARTED = 1000
"""Clock ticks after which the first of them started."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A process with what a look inside would show."""

    pid: int
    ppid: int
    comm: str
    argv: tuple[str, ...]
    ports: tuple[int, ...] = ()
    libraries: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()

    @property
    def started(self) -> int:
        return STARTED + self.pid

    @property
    def process(self) -> Process:
        return Process(key=WorkerKey(self.pid, self.started), ppid=self.ppid, uid=0, comm=self.comm, argv=self.argv)

    @property
    def facts(self) -> ProcessFacts:
        libraries = tuple(Library(kind, f"/opt/lib/lib{kind}.so") for kind in self.libraries)
        return facts(
            self.process, environ=dict(self.environ), libraries=libraries, ports=self.ports, inode=100_000 * self.pid
        )


def crowd() -> list[Row]:
    """Everything else, parents first."""
    return [_row(line) for line in _lines("processes.tsv")]


def servers() -> dict[str, list[Row]]:
    """A server of each framework, parents first."""
    found: dict[str, list[Row]] = {}
    for line in _lines("servers.tsv"):
        name, _, rest = line.partition("\t")
        found.setdefault(name, []).append(_row(rest))
    return found


def write(machine: HostTree, rows: Sequence[Row]) -> None:
    for row in rows:
        machine.process(row.pid, ppid=row.ppid, comm=row.comm, argv=row.argv, started=row.started)


def _lines(name: str) -> list[str]:
    return [line for line in (FOLDER / name).read_text().splitlines() if not line.startswith("#")]


def _row(line: str) -> Row:
    pid, ppid, comm, ports, libraries, environ, command = line.split("\t")
    pairs = (item.partition("=") for item in _items(environ, ";"))
    return Row(
        pid=int(pid),
        ppid=int(ppid),
        comm=comm,
        argv=tuple(shlex.split(command)),
        ports=tuple(int(port) for port in _items(ports, ",")),
        libraries=_items(libraries, ","),
        environ=tuple((name, value) for name, _, value in pairs),
    )


def _items(cell: str, separator: str) -> tuple[str, ...]:
    return () if cell == "-" else tuple(cell.split(separator))
