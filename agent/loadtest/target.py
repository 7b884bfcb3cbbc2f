"""Where may requests go? Only to this machine, unless the owner names another host."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from agent.errors import CliError, reason_of

CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Target:
    """`address` is where all connections go: the name is not looked up again, so that it cannot mean another host later."""

    url: URL
    host: str
    port: int
    address: str
    family: socket.AddressFamily

    @property
    def local(self) -> bool:
        return ipaddress.ip_address(self.address.partition("%")[0]).is_loopback


def find_target(text: str, allowed_hosts: Collection[str]) -> Target:
    """Where `text` leads. CliError: 2 where it is no address or may not be loaded, 4 where nobody listens."""
    url = _parse(text)
    assert url.host is not None
    assert url.port is not None
    try:
        found = socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CliError("loadtest.unknown-host", f"{url.host}: {_why(error)}", "name a host of this machine") from error
    places = [Target(url, url.host, url.port, str(address[0]), family) for family, _, _, _, address in found]
    foreign = next((place for place in places if not place.local), None)
    if foreign is not None and url.host not in allowed_hosts:
        message = f"{url.host} ({foreign.address}) is not this machine"
        raise CliError("loadtest.not-local", message, f"if it is yours to load: --allow-host {url.host}")
    return _listening(places)


def _parse(text: str) -> URL:
    try:
        url = URL(text)
        valid = url.scheme in {"http", "https"} and bool(url.host) and bool(url.port)
    except ValueError:
        valid = False
    if not valid:
        raise CliError("loadtest.bad-url", f"{text!r} is not an address", "write http://HOST:PORT/PATH")
    if url.user is not None or url.password is not None:
        raise CliError("loadtest.bad-url", "the address holds a user or a password", "give them with --header")
    return url.with_fragment(None)


def _listening(places: list[Target]) -> Target:
    reason = "no address"
    for place in places:
        try:
            with socket.create_connection((place.address, place.port), timeout=CONNECT_SECONDS):
                return place
        except OSError as error:
            reason = _why(error)
    where = f"{places[0].host}:{places[0].port}" if places else "there"
    raise CliError("loadtest.no-answer", f"nobody listens at {where}: {reason}", "start the service", exit_status=4)


def _why(error: OSError | UnicodeError) -> str:
    return reason_of(error) if isinstance(error, OSError) else "not a host name"


class Pinned(AbstractResolver):
    """Answers with the one address that was found at the start."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        target = self._target
        if host != target.host:
            raise OSError(f"{host} is not the host that is loaded")
        return [ResolveResult(hostname=host, host=target.address, port=port, family=target.family, proto=0, flags=0)]

    async def close(self) -> None:
        pass
