"""What does `HOST:PORT` or `unix:PATH` say about where the HTTP interface listens?"""

import ipaddress
import re
from dataclasses import dataclass

UNIX_PATH_LIMIT_BYTES = 107
"""sun_path of unix(7) less its closing NUL."""
_HOST = re.compile(r"[A-Za-z0-9._%:-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address: a TCP one has `host` and `port`, a Unix socket has `path`."""

    host: str = ""
    port: int = 0
    path: str | None = None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it. A host name other than localhost counts as reachable from outside."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """Raises ValueError with one clause that says what is wrong."""
    if text.startswith("unix:"):
        return _parse_unix(text)
    host, separator, port = text.strip().rpartition(":")
    if not separator or not host:
        raise ValueError(f"{text!r} is not an address; write HOST:PORT or unix:PATH")
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{port!r} in {text!r} is not a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} is ambiguous; write an IPv6 address as [ADDRESS]:PORT")
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} in {text!r} is not a host")
    return Listen(host=host, port=int(port))


def _parse_unix(text: str) -> Listen:
    path = text.removeprefix("unix:")
    if not path or "\0" in path:
        raise ValueError(f"{text!r} names no path; write unix:PATH")
    if len(path.encode("utf-8", "surrogateescape")) > UNIX_PATH_LIMIT_BYTES:
        raise ValueError(f"{text!r} is longer than a Unix socket's path may be ({UNIX_PATH_LIMIT_BYTES} bytes)")
    return Listen(path=path)
