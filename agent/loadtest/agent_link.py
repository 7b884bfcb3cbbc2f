"""What does the agent of this node know of the service that is loaded, and how is it told the result?"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import msgspec

from agent.capacities import CapacityRequest
from agent.listen import Listen
from collectors.cpulist import parse_cpulist

ASK_SECONDS = 5.0
T = TypeVar("T")


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


class NoAgent(Exception):  # noqa: N818 - an answer, not a fault
    """The agent cannot be asked, or does not take the result; the text says why."""


@dataclass(frozen=True, slots=True)
class AgentLink:
    """The interface of one agent. `socket`: its Unix socket, in place of TCP."""

    url: str
    token: str | None
    socket: str | None = None

    @classmethod
    def at(cls, listen: Listen, token: str | None) -> "AgentLink":
        """The agent that listens there; one that listens on every address is asked on loopback."""
        if listen.path is not None:
            return cls("http://localhost", token, listen.path)
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not where we do
        return cls(f"http://{Listen(host=everywhere.get(listen.host, listen.host), port=listen.port)}", token)

    async def service_on(self, port: int) -> KnownService | None:
        """The one service that listens on this port; None where there is none, or several in networks of their own."""
        found = [s for s in await self._get("/v1/services", list[KnownService]) if s.port == port]
        return found[0] if len(found) == 1 else None

    async def cpus_of(self, service: KnownService) -> frozenset[int] | None:
        """CPUs on which its processes may run; None where that is not known of one of them."""
        workers = [w for w in await self._get("/v1/workers", list[_Worker]) if w.pid in service.pids]
        if not workers or any(w.allowed_cpus is None for w in workers):
            return None
        return frozenset().union(*(parse_cpulist(w.allowed_cpus or "") for w in workers))

    async def tell(self, service: KnownService, result: CapacityRequest) -> None:
        """Give the result to the agent. NoAgent where it does not take it."""
        async with self._asked("POST", f"/v1/services/{service.id}/capacity", msgspec.json.encode(result)):
            pass

    async def _get(self, path: str, kind: type[T]) -> T:
        async with self._asked("GET", path, None) as body:
            try:
                return msgspec.convert(msgspec.json.decode(body)["data"], type=kind)
            except (msgspec.MsgspecError, KeyError, TypeError) as error:
                raise NoAgent(f"{self.url}{path} is not answered by an agent") from error

    @asynccontextmanager
    async def _asked(self, method: str, path: str, body: bytes | None) -> AsyncIterator[bytes]:
        headers = {"Content-Type": "application/json"} if body else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connector = aiohttp.UnixConnector(self.socket) if self.socket else None
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session,
                session.request(method, self.url + path, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                text = await answer.read()
                if answer.status != 200:
                    raise NoAgent(_problem(text) or f"{self.url}{path} is answered with HTTP {answer.status}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAgent(f"no agent answers at {self.socket or self.url}") from error
        yield text


def _problem(body: bytes) -> str:
    try:
        document: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    problem = document.get("error") if isinstance(document, Mapping) else None
    return f"{problem.get('message', '')} ({problem.get('hint', '')})" if isinstance(problem, Mapping) else ""
