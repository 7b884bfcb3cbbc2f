"""At which address of this node does a server answer that was told to listen on some host?"""

_ANY = frozenset(("", "*", "0.0.0.0", "::", "[::]", "localhost"))  # noqa: S104 - compared with, not bound to


def local_url(port: int | None, path: str = "/metrics", host: str | None = None) -> str | None:
    """`http://127.0.0.1:8000/metrics`; None without a port, or for port 0. A host that means every address of the node
    is asked on loopback."""
    if not port:
        return None
    name = "127.0.0.1" if host is None or host in _ANY else host
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return f"http://{name}:{port}/{path.lstrip('/')}"


def local_urls(*ports: int | None, path: str = "/metrics", host: str | None = None) -> tuple[str, ...]:
    """One address a port, without repetition, in order; ports that are not known are left out."""
    found = (local_url(port, path, host) for port in ports)
    return tuple(dict.fromkeys(url for url in found if url))
