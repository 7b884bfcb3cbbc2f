"""The command `sidecar`: get a socket, answer until a signal or until the agent is gone."""

import os
import signal
import socket
import sys

from agent.errors import CliError
from agent.paths import runtime_folder
from agent.service_manager import ServiceManager
from agent.sidecar.answers import Answers
from agent.sidecar.endpoint import bind, inherited, passed_by_systemd
from agent.sidecar.privileges import missing_privileges
from agent.sidecar.server import Server
from agent.sidecar.targets import TargetPolicy, model_servers
from collectors.host import Host


def run_sidecar(socket_path: str | None, fd: int | None, allow_uid: int | None, host: Host) -> int:
    """Serve until SIGTERM or SIGINT, or until the peer of `fd` hangs up. 0, or 5 where it lacks what it needs.

    The socket is `fd` if given, else the one that systemd passed, else one bound at `socket_path` or at
    `sidecar.sock` in the runtime folder. Peers may be root, the sidecar's own user, and `allow_uid`.
    """
    allowed = frozenset({0, os.geteuid()} | ({allow_uid} if allow_uid is not None else set()))
    answers = Answers(host, TargetPolicy(host, model_servers(host)))
    server = Server(answers, allowed)
    manager = ServiceManager(os.environ)
    before = {number: signal.signal(number, lambda *_: server.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    bound = None
    try:
        if fd is not None:
            server.talk_on(inherited(fd))
        elif (passed := passed_by_systemd(os.environ)) is not None:
            server.listen_on(passed)
        else:
            bound = socket_path or str(runtime_folder(os.environ) / "sidecar.sock")
            server.listen_on(_bind_and_tell(bound, allow_uid, host))
        manager.ready("answers the agent")
        server.run(manager.alive, manager.beat_seconds)
        return 0
    except CliError as problem:
        bound = None
        print(problem, file=sys.stderr)
        return problem.exit_status
    finally:
        server.close()
        answers.close()
        if bound is not None:
            _unlink(bound)
        for number, handler in before.items():
            signal.signal(number, handler)


def _bind_and_tell(path: str, allow_uid: int | None, host: Host) -> socket.socket:
    listener = bind(path, allow_uid)
    missing = missing_privileges(host)
    lacks = f"; without {' and '.join(missing)} it sees only processes of its own user" if missing else ""
    print(f"nodewright sidecar: listens at {path}{lacks}", file=sys.stderr)
    return listener


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
