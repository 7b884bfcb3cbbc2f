"""A server without a framework of its own here: a Python process that listens and has a numeric library mapped.

Recognising it needs a look inside (facts). Its forked and spawned Python children are its workers. Training looks alike:
its ranks listen for each other, and so does every program that has joined a Ray cluster.
"""

from collections.abc import Sequence
from os.path import splitext
from typing import ClassVar, Literal

from collectors.command_line import Command, helper_role, may_serve, parse_command
from collectors.entities import Process, Role
from collectors.facts import Environ, ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.learned import mapped_models

_RANKS = frozenset(("RANK", "WORLD_SIZE", "LOCAL_RANK", "HOROVOD_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK"))
"""Set by what starts the ranks of a training job, and by nothing else."""
_RAY = "ray"
_RAY_PORTS = range(10002, 20000)
_EPHEMERAL = 32768
"""From here on the kernel chooses ports for those who ask for any."""


class Generic(Framework):
    order: ClassVar[int] = 90
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "captured"
    recognised_by: ClassVar[str] = "Python that listens on TCP and has a numeric library mapped; no known tool, no rank"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        if parent is not None:
            command = parse_command(process.argv)
            return helper_role(command, parent) or (Role.WORKER if command.python else None)
        if facts is None or not may_serve(process) or not isinstance(facts.libraries, tuple):
            return None
        computes = any(library.kind != _RAY for library in facts.libraries)
        return Role.FRONT_END if computes and serving_ports(facts) else None

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        known = (facts.get(each.key) for each, _ in processes)
        ports = (port for one in known if one is not None for port in serving_ports(one)[:1])
        return Traits(
            application=_application(parse_command(process.argv), process),
            port=next(ports, None),
            models=mapped_models((each for each, _ in processes), facts),
        )


def serving_ports(facts: ProcessFacts) -> list[int]:
    """The TCP ports on which a process may serve clients, lowest first: none of a rank of training, none by which
    frameworks of training and of clusters talk among themselves."""
    ports = {socket.port for socket in facts.listening} if isinstance(facts.listening, tuple) else set()
    if isinstance(facts.environ, Environ):
        if not _RANKS.isdisjoint(facts.environ.values):
            return []
        ports -= {int(text) for text in [facts.environ.values.get("MASTER_PORT", "")] if text.isdecimal()}
    if isinstance(facts.libraries, tuple) and any(library.kind == _RAY for library in facts.libraries):
        ports = {port for port in ports if port not in _RAY_PORTS and port < _EPHEMERAL}
    return sorted(ports)


def _application(command: Command, process: Process) -> str:
    """The script's or module's own name: `serve` of `python serve.py` and of `python -m shop.serve`."""
    name = command.program
    last = splitext(name)[0] if name.endswith((".py", ".pyc", ".pyz")) else name.rpartition(".")[2]
    return last or process.comm
