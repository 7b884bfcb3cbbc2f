"""LitServe: which processes of a script that runs it are workers, and which only hand requests on?

Neither command line nor title names LitServe: a script calls it. It is told by that script, which imports it and listens.
The script's process first forks a manager, which holds the queues, then spawns the workers, one or more a device, then
forks the API servers. Every request passes one API server and, unless `fast_queue` is set, the manager.
"""

from collections.abc import Sequence
from os.path import splitext
from typing import ClassVar, Literal

from collectors.command_line import helper_role, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, SettingsRequest, Traits
from collectors.knobs import Knob, code, knob_places
from collectors.learned import listening_port, mapped_models
from collectors.levers import Lever, Place, Setting, Value
from collectors.shared_levers import shared_places, shared_setting
from collectors.unseen_levers import unseen_setting

_SCRIPT = "script"
_IMPORT = "import litserve"


class LitServe(Framework):
    order: ClassVar[int] = 80
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "litserve 0.2.19"
    recognised_by: ClassVar[str] = "a listening `python SCRIPT.py` whose script imports litserve; others are `generic`"
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(code("LitServer(workers_per_device=…)"),),
            default=1,
            advise="requests wait while cores, or the GPU, are free: raise; each worker loads a model of its own",
            of_each="device",
        ),
        Knob(
            lever=Lever.API_SERVERS,
            sources=(code("LitServer.run(num_api_servers=…)"),),
            default_text="one a worker",
            advise="decoding requests, not the model, takes the time",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(code("LitAPI(max_batch_size=…)"),),
            default=1,
            advise="the model computes a batch in hardly more time than one request",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(code("LitAPI(batch_timeout=…)"),),
            default=0.0,
            advise="batches stay small although requests wait (seconds)",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if parent is None:
            return Role.FRONT_END if _imports(facts) and _listens(facts) and command.python else None
        # A logger, if there is one, is spawned too: it counts as a worker.
        return helper_role(command, parent) or (Role.GATEWAY if _script(process) else None)

    def candidate_requests(self, process: Process) -> Sequence[SettingsRequest]:
        path = _script(process)
        return (SettingsRequest(name=_SCRIPT, pattern=path, keys=(_IMPORT,)),) if path else ()

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        return self.candidate_requests(process)

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        ports = (listening_port(each.key, facts) for each, _ in processes)
        return Traits(
            application=splitext(parse_command(process.argv).program)[0] or "litserve",
            port=next((port for port in ports if port is not None), None),
            models=mapped_models((each for each, _ in processes), facts),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self.knob(lever)
        if knob is None:
            return shared_setting(lever, service, facts)
        if lever is Lever.API_SERVERS:
            forks = sum(1 for worker in service.workers if worker.role is Role.GATEWAY)
            return Setting(lever=lever, value=max(0, forks - 1) or None, origin="counted: forks but for the manager")
        return unseen_setting(knob, service, "the code")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self.knob(lever)
        return knob_places(knob, value, service, facts) if knob else shared_places(lever, value, service, facts)


def _script(process: Process) -> str | None:
    """The path of the script that runs, as it was written."""
    command = parse_command(process.argv)
    if not (command.python and command.program.endswith(".py")):
        return None
    return next((item for item in process.argv[1:] if item.endswith(command.program)), None)


def _imports(facts: ProcessFacts | None) -> bool:
    return facts is not None and any(file.values.get(_IMPORT) is True for file in facts.settings_files)


def _listens(facts: ProcessFacts | None) -> bool:
    return facts is not None and isinstance(facts.listening, tuple) and bool(facts.listening)
