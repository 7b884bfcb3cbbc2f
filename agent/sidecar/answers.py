"""What does the sidecar answer to each request?"""

import time

from agent.sidecar.privileges import missing_privileges
from agent.sidecar.protocol import CostReply, CostRequest, FactsReply, FactsRequest, Hello, HelloReply, Reply, Request
from agent.sidecar.targets import TargetPolicy
from collectors.host import Host
from collectors.inside import read_facts
from nodewright import __version__

CAPABILITIES = ("facts", "cost")


class Answers:
    """Looks into the processes of `host` that `policy` allows."""

    def __init__(self, host: Host, policy: TargetPolicy) -> None:
        self._host = host
        self._policy = policy

    def __call__(self, request: Request) -> Reply:
        match request:
            case Hello():
                return HelloReply(
                    version=__version__, capabilities=CAPABILITIES, missing=missing_privileges(self._host)
                )
            case FactsRequest(key=key, requests=requests):
                return self._policy.refusal(key) or FactsReply(read_facts(self._host, key, requests))
            case CostRequest():
                return CostReply(cpu_seconds=time.process_time(), resident_bytes=_resident_bytes(self._host))


def _resident_bytes(host: Host) -> int | None:
    """The second number of /proc/self/statm, in pages."""
    try:
        return int(host.read(f"{host.proc}/self/statm").split()[1]) * host.page_bytes
    except (OSError, IndexError, ValueError):
        return None
