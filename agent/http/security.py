"""Who may ask, and who may change something?

Reading is open on loopback and needs the token beyond it. Writing always needs the token, or a Unix socket whose peer
is root or the agent's own user. A Host header that is not ours is refused: a web page that rebinds its name to
127.0.0.1 sends its own.
"""

import hmac
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.http.deps import HttpDeps
from agent.http.envelope import JSON, Handler, Refused

READING = frozenset(("GET", "HEAD"))
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_BEARER = {"WWW-Authenticate": 'Bearer realm="nodewright"'}
_TOKEN_HINT = "send Authorization: Bearer with the token in the agent's state folder"  # noqa: S105 - it names no token


def guard(deps: HttpDeps, public: frozenset[str]) -> Middleware:
    """The step that refuses; `public` are the paths that anybody may read (health for a probe without a token)."""
    hosts = _LOCAL | {host_name(host) for host in deps.allowed_hosts}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        peer = unix_peer(request)
        if peer is None:
            _check_host(request, hosts, deps.loopback)
        if request.match_info.http_exception is not None:
            return await handler(request)  # no such path or method: nothing to protect
        if request.method in READING:
            if not deps.loopback and peer is None and request.path not in public:
                _check_token(request, deps.token)
        else:
            _check_write(request, deps, peer)
        return await handler(request)

    return check


def host_name(header: str) -> str:
    """The name in a Host header or in the configuration, without port, brackets and closing dot, in lower case."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, separator, port = text.rpartition(":")
    if separator and port.isdigit() and ":" not in name:
        text = name
    return text.removesuffix(".")


def unix_peer(request: web.Request) -> int | None:
    """The user at the other end of a Unix socket; None for TCP."""
    transport = request.transport
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    _, uid, _ = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _check_host(request: web.Request, hosts: Iterable[str], loopback: bool) -> None:
    given = request.headers.getall("Host", [])
    name = host_name(given[0]) if len(given) == 1 else ""
    if name in hosts or (not loopback and _is_address(name)):  # an address cannot be rebound, and the token is needed
        return
    hint = "use 127.0.0.1 or localhost, or add the name to http.allowed_hosts"
    raise Refused(403, "host.not-allowed", f"the Host header {name[:100]!r} is not ours", hint)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_token(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if not given:
        raise Refused(401, "token.missing", "this needs the agent's token", _TOKEN_HINT, _BEARER)
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
    if scheme.lower() != "bearer" or not right:
        raise Refused(401, "token.wrong", "this is not the agent's token", _TOKEN_HINT, _BEARER)


def _check_write(request: web.Request, deps: HttpDeps, peer: int | None) -> None:
    _check_origin(request)
    if peer is None or peer not in {0, os.geteuid()}:
        _check_token(request, deps.token)
    if deps.read_only:
        raise Refused(403, "read-only", "a recording cannot be changed", "ask the running agent")
    if request.method == "POST" and request.content_type != JSON:
        raise Refused(415, "body.not-json", "the body is not application/json", f"send Content-Type: {JSON}")


def _check_origin(request: web.Request) -> None:
    """A browser names the page that sends; ours is the only one that may."""
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    if foreign or request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
        raise Refused(403, "origin.foreign", "a page of another origin may not write", "write from the agent's host")
