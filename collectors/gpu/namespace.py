"""Which process of this node does a driver mean by a number?"""

import os

from collectors.host import Host
from collectors.procfs import parse_stat

_INIT_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO, of every kernel."""


class Namespace:
    """Turns a driver's numbers into processes of this node. Drivers know little of PID namespaces: only for an agent in the
    node's own one is every number right."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.outermost = _is_outermost(host)

    def worker(self, pid: int, *, ours: bool) -> str | None:
        """`worker:PID:START`, None where no process that is here can be meant. `ours`: what the driver told with the number
        shows that it is one of the asker's namespace."""
        if not self.outermost and not ours:
            return None
        try:
            stat = parse_stat(self._host.read(f"{self._host.proc}/{pid}/stat"))
        except (OSError, ValueError):
            return None
        return f"worker:{pid}:{stat.started}"


def _is_outermost(host: Host) -> bool:
    try:
        return os.readlink(f"{host.proc}/self/ns/pid") == _INIT_NAMESPACE
    except OSError:
        return False
