"""What does the sidecar answer to each request?"""

import logging
import os

from agent.sidecar.jobs import ProfileJobs
from agent.sidecar.privileges import missing_privileges
from agent.sidecar.protocol import (
    CostReply,
    CostRequest,
    FactsReply,
    FactsRequest,
    Hello,
    HelloReply,
    MemoryReply,
    MemoryRequest,
    ProfilePoll,
    ProfileRequest,
    Refusal,
    Reply,
    Request,
)
from agent.sidecar.targets import TargetPolicy
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside import read_facts
from collectors.inside.memory import read_memory
from nodewright import __version__

log = logging.getLogger("nodewright.sidecar")

CAPABILITIES = ("facts", "cost", "profile", "memory")
REFUSALS_LOGGED = 50
"""Processes of which a refused profile is logged, each once."""


class Answers:
    """Looks into the processes of `host` that `policy` allows."""

    def __init__(self, host: Host, policy: TargetPolicy, jobs: ProfileJobs | None = None) -> None:
        self._host = host
        self._policy = policy
        self._jobs = jobs or ProfileJobs(host)
        self._refused: set[WorkerKey] = set()

    def __call__(self, request: Request) -> Reply:
        match request:
            case Hello():
                return HelloReply(
                    version=__version__, capabilities=CAPABILITIES, missing=missing_privileges(self._host)
                )
            case FactsRequest(key=key, requests=requests):
                return self._policy.refusal(key) or FactsReply(read_facts(self._host, key, requests))
            case MemoryRequest(key=key):
                return self._policy.refusal(key) or MemoryReply(key, read_memory(self._host, key))
            case ProfileRequest(key=key, spec=spec):
                return self._refusal(key) or self._jobs.start(key, spec)
            case ProfilePoll(id=name, part=part, end=end):
                return self._jobs.poll(name, part, end=end)
            case CostRequest():
                return CostReply(cpu_seconds=_cpu_seconds(), resident_bytes=_resident_bytes(self._host))

    def _refusal(self, key: WorkerKey) -> Refusal | None:
        refusal = self._policy.refusal(key)
        if refusal is not None and key not in self._refused and len(self._refused) < REFUSALS_LOGGED:
            self._refused.add(key)
            log.warning("a profile of pid %d was refused: %s", key.pid, refusal.key)
        return refusal

    def close(self) -> None:
        """End what still runs."""
        self._jobs.close()


def _cpu_seconds() -> float:
    """Of this process and of the profilers that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _resident_bytes(host: Host) -> int | None:
    """The second number of /proc/self/statm, in pages."""
    try:
        return int(host.read(f"{host.proc}/self/statm").split()[1]) * host.page_bytes
    except (OSError, IndexError, ValueError):
        return None
