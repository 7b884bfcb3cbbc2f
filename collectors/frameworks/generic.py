"""A server without a framework of its own here: a Python process that listens and has a numeric library mapped.

Recognising it needs a look inside (facts). Its forked and spawned Python children are its workers.
"""

from collections.abc import Sequence
from os.path import splitext
from typing import ClassVar, Literal

from collectors.command_line import Command, helper_role, may_serve, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.learned import listening_port, mapped_models
from collectors.levers import Lever, Place, Setting, Value
from collectors.reading import Unsupported
from collectors.shared_levers import shared_places, shared_setting


class Generic(Framework):
    order: ClassVar[int] = 90
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "captured"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if parent is not None:
            return helper_role(command, parent) or (Role.WORKER if command.python else None)
        if not may_serve(process) or facts is None:
            return None
        if isinstance(facts.listening, Unsupported) or isinstance(facts.libraries, Unsupported):
            return None
        return Role.FRONT_END if facts.listening and facts.libraries else None

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        ports = (listening_port(each.key, facts) for each, _ in processes)
        return Traits(
            application=_application(parse_command(process.argv), process),
            port=next((port for port in ports if port is not None), None),
            models=mapped_models((each for each, _ in processes), facts),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        return shared_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        return shared_places(lever, value, service, facts)


def _application(command: Command, process: Process) -> str:
    """The script's or module's own name: `serve` of `python serve.py` and of `python -m shop.serve`."""
    name = command.program
    last = splitext(name)[0] if name.endswith((".py", ".pyc", ".pyz")) else name.rpartition(".")[2]
    return last or process.comm
