"""How is a server's metrics page read without being held up, flooded or sent elsewhere by it?"""

import http.client
import io
import ipaddress
import socket
import time
from urllib.parse import SplitResult, urlsplit

from collectors.reading import Unreadable

TIMEOUT_SECONDS = 1.0
"""For everything together: connecting, headers and body."""
SIZE_LIMIT_BYTES = 4 << 20
_TEXT_TYPES = ("text/plain", "application/openmetrics-text")
_JSON_TYPES = ("application/json", *_TEXT_TYPES)


def fetch(url: str, *, json: bool = False, within: float | None = None) -> str:
    """The text behind `url`, which with `json` may be JSON. Raises Unreadable for what is not a page of this node that
    answers well in time: `within` so many seconds, TIMEOUT_SECONDS at most."""
    parts = _parts(url)
    seconds = TIMEOUT_SECONDS if within is None else min(within, TIMEOUT_SECONDS)
    deadline = time.monotonic() + seconds
    types = _JSON_TYPES if json else _TEXT_TYPES
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), seconds) as connection:
            raw = _answer(connection, _request(parts, types[0]), deadline)
    except TimeoutError as error:
        raise Unreadable(f"{url} did not answer within {seconds:.2g} s", "the server hangs or is busy") from error
    except OSError as error:
        hint = "the server is starting, or its metrics are switched off"
        raise Unreadable(f"{url} is not reachable: {error.strerror or error}", hint) from error
    return _body(url, raw, types)


def _parts(url: str) -> SplitResult:
    hint = "only http://ADDRESS:PORT/PATH of this node is read"
    try:
        parts = urlsplit(url)
        address = ipaddress.ip_address("127.0.0.1" if parts.hostname == "localhost" else parts.hostname or "")
        _ = parts.port
    except ValueError as error:
        raise Unreadable(f"{url[:120]!r} is no address to read metrics from", hint) from error
    if parts.scheme != "http" or not (address.is_loopback or _is_own(address)):
        raise Unreadable(f"{url[:120]!r} is not on this node", hint)
    return parts


def _is_own(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an interface of this node has the address: the kernel binds a socket to no other."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    if address.is_unspecified or address.is_multicast:
        return False
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _request(parts: SplitResult, accepted: str) -> bytes:
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        f"Accept: {accepted}",
        "Accept-Encoding: identity",
        "User-Agent: nodewright",
        "Connection: close",
    )
    if any(not line.isascii() or not line.isprintable() for line in lines):
        raise Unreadable("the metrics address holds characters that no address may hold", "write them %-encoded")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _answer(connection: socket.socket, request: bytes, deadline: float) -> bytes:
    """All that the server sends until it closes. A timeout of the socket alone would begin anew with each byte."""
    connection.settimeout(_left(deadline))
    connection.sendall(request)
    pieces: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(_left(deadline))
        piece = connection.recv(65536)
        if not piece:
            return b"".join(pieces)
        size += len(piece)
        if size > SIZE_LIMIT_BYTES:
            raise Unreadable(f"the page is larger than {SIZE_LIMIT_BYTES >> 20} MiB", "check which page it is")
        pieces.append(piece)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Received:
    """Bytes that stand in for the socket of an `HTTPResponse`."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _body(url: str, raw: bytes, types: tuple[str, ...]) -> str:
    response = http.client.HTTPResponse(_Received(raw))  # type: ignore[arg-type]
    try:
        response.begin()
        if response.status != http.client.OK:
            raise Unreadable(f"{url} answered {response.status}", "metrics may be switched off or elsewhere")
        kind = (response.getheader("Content-Type") or "text/plain").partition(";")[0].strip().lower()
        if kind not in types:
            raise Unreadable(f"{url} answered {kind[:60]!r}, which is no metrics page", "check its address")
        return response.read().decode("utf-8", "replace")
    except (http.client.HTTPException, ValueError, OverflowError) as error:
        raise Unreadable(f"{url} answered no proper HTTP", "check which server listens there") from error
    finally:
        response.close()
