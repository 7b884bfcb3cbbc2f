"""What does the agent of this node know of the service that is loaded, and how is it told the result?"""

import msgspec

from advisor.measured import MeasuredCapacity
from agent.capacities import CapacityRequest
from agent.client import Client
from collectors.cpulist import parse_cpulist, union


class KnownService(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed of a service in `/v1/services`."""

    id: str
    name: str
    port: int | None
    state: str
    workers: int
    pids: tuple[int, ...] = ()
    requests_per_second: float | None = None
    generation: int = 0

    @property
    def in_use(self) -> str:
        """What it does now, as a clause; empty where it does nothing."""
        if self.requests_per_second:
            return f"answers {self.requests_per_second:.3g} requests/s"
        return "works" if self.requests_per_second is None and self.state == "loaded" else ""


class _Worker(msgspec.Struct, frozen=True):
    pid: int
    allowed_cpus: str | None = None


def service_on(client: Client, port: int) -> KnownService | None:
    """The one service that listens on this port; None where there is none, or several in networks of their own. Raises
    CliError where no agent answers."""
    found = [s for s in client.get("/v1/services", list[KnownService]) if s.port == port]
    return found[0] if len(found) == 1 else None


def cpus_of(client: Client, service: KnownService) -> frozenset[int] | None:
    """CPUs on which its processes may run; None where that is not known of one of them. Raises CliError."""
    workers = [w for w in client.get("/v1/workers", list[_Worker]) if w.pid in service.pids]
    if not workers or any(w.allowed_cpus is None for w in workers):
        return None
    return union(parse_cpulist(w.allowed_cpus or "") for w in workers)


def tell(client: Client, service: KnownService, result: CapacityRequest) -> None:
    """Give the result to the agent. Raises CliError where it does not take it."""
    client.post(f"/v1/services/{service.id}/capacity", result, MeasuredCapacity)
