"""Into which processes may the sidecar look? Its own answer: whoever asks it cannot widen it."""

import os
import time
from collections.abc import Callable, Sequence

from agent.sidecar.protocol import Refusal
from collectors import frameworks
from collectors.collector import scan
from collectors.discover.adoption import adopted, is_spawned
from collectors.entities import Process, Role, WorkerKey
from collectors.framework import Framework
from collectors.host import Host
from collectors.inside.folder import ProcessFolder, Vanished
from collectors.inside.mapped import descriptor_targets
from collectors.inside.sockets import listening
from collectors.procfs import parse_cmdline, parse_stat

_CHAIN_LIMIT = 32
KNOWN_SECONDS = 60.0
KNOWN_LIMIT = 1024

Recognise = Callable[[Sequence[Process]], bool]
"""Whether a process, given with its ancestors (itself first), belongs to a model server."""


class TargetPolicy:
    """The allow-list: never kernel threads or the sidecar itself; else what `recognised` says. Pid 1 is the model server where
    the sidecar has joined its container's pid namespace."""

    def __init__(self, host: Host, recognised: Recognise) -> None:
        self._host = host
        self._recognised = recognised
        self._known: dict[WorkerKey, float] = {}

    def refusal(self, key: WorkerKey) -> Refusal | None:
        """Why the sidecar does not look into the process, or None if it may."""
        if key.pid < 1 or key.pid == os.getpid():
            return _refused(f"pid {key.pid} is never looked into")
        if self._is_known(key):
            return None
        chain = process_chain(self._host, key)
        if not chain:
            return Refusal(key="sidecar.vanished", message="process vanished", hint="ask for a process that still runs")
        if not chain[0].argv:
            return _refused(f"pid {key.pid} is a kernel thread")
        if not self._recognised(chain):
            closed = _closed(self._host, key)
            return closed or _refused(f"pid {key.pid} ({chain[0].comm}) is not known as a model server")
        if len(self._known) >= KNOWN_LIMIT:
            self._known.clear()
        self._known[key] = time.monotonic() + KNOWN_SECONDS
        return None

    def _is_known(self, key: WorkerKey) -> bool:
        """Whether the process was recognised a moment ago, and still is the same one: recognising takes some
        milliseconds, and a worker that is probed now and then is asked for again and again."""
        if time.monotonic() >= self._known.get(key, 0.0):
            return False
        process = _process(self._host, key.pid)
        return process is not None and process.key == key


def _refused(message: str) -> Refusal:
    return Refusal(
        key="sidecar.not-a-target",
        message=message,
        hint="model servers, Python processes that listen on TCP or descend from one, and Python's spawned workers that "
        "have lost their parent are looked into",
    )


def _closed(host: Host, key: WorkerKey) -> Refusal | None:
    """Says what is missing if we may not see the descriptors, by which a server without a framework is told."""
    try:
        with ProcessFolder(host, key) as folder:
            try:
                descriptor_targets(folder)
            except PermissionError:
                message = f"pid {key.pid}: fd: Permission denied, so that it cannot be told whether it is a server"
                return Refusal(key="sidecar.no-privilege", message=message, hint=folder.what_to_grant())
    except (OSError, Vanished):
        pass
    return None


def process_chain(host: Host, key: WorkerKey) -> tuple[Process, ...]:
    """The process and its ancestors as any user may see them, itself first; empty if it is gone."""
    chain: list[Process] = []
    pid = key.pid
    while pid > 0 and len(chain) < _CHAIN_LIMIT:
        process = _process(host, pid)
        if process is None or (not chain and process.key != key):
            break
        chain.append(process)
        pid = process.ppid
    return tuple(chain)


def _process(host: Host, pid: int) -> Process | None:
    try:
        stat = parse_stat(host.read(f"{host.proc}/{pid}/stat"))
        argv = parse_cmdline(host.read(f"{host.proc}/{pid}/cmdline"))
    except (OSError, ValueError):
        return None
    return Process(key=WorkerKey(pid, stat.started), ppid=stat.ppid, uid=None, comm=stat.comm, argv=argv)


def model_servers(host: Host, known: Sequence[Framework] | None = None) -> Recognise:
    """Recognises what a framework claims, anywhere in the chain, Python that serves TCP, and what it spawned and left
    alone. `known` None = all frameworks that are installed with us."""
    asked = sorted(known or all_frameworks(), key=lambda framework: framework.order)

    def recognised(chain: Sequence[Process]) -> bool:
        claimed = any(_claims(framework, chain) for framework in asked)
        return claimed or _is_left_alone(chain) or _serves_python(host, chain)

    return recognised


def all_frameworks() -> list[Framework]:
    """One of each file in `collectors/frameworks/`."""
    return [kind() for kind in scan(frameworks, Framework)]


def _claims(framework: Framework, chain: Sequence[Process]) -> bool:
    """Whether `framework` has a role for the process or for one that it descends from."""
    role: Role | None = None
    for process in reversed(chain):
        role = framework.recognise(process, role, None)
        if role is not None:
            return True
    return False


def _is_left_alone(chain: Sequence[Process]) -> bool:
    """Whether it is a worker that a Python program spawned and that has another parent now: of which server it was, it
    does not say, so nothing else tells that it may be looked into."""
    return is_spawned(chain[0]) and adopted(chain[0], chain[1] if len(chain) > 1 else None)


def _serves_python(host: Host, chain: Sequence[Process]) -> bool:
    """An init that listens for what it starts serves nobody."""
    serving = (process for process in chain if process.key.pid > 1 or _is_python(host, process))
    return _is_python(host, chain[0]) and any(_listens(host, process) for process in serving)


def _is_python(host: Host, process: Process) -> bool:
    if os.path.basename("".join(process.argv[:1])).startswith("python"):
        return True
    try:
        return os.path.basename(os.readlink(f"{host.proc}/{process.key.pid}/exe")).startswith("python")
    except OSError:
        return False


def _listens(host: Host, process: Process) -> bool:
    try:
        with ProcessFolder(host, process.key) as folder:
            return bool(listening(folder, descriptor_targets(folder)))
    except (OSError, Vanished):
        return False
