#!/opt/nodewright/bin/python3 -IS
"""Does the agent of this container answer? For HEALTHCHECK: 0 where it does, else 1 and a line that says why.

    healthy [HOST:PORT | unix:PATH | sidecar:PATH]

By default what HEALTHY_ADDRESS says, else where NODEWRIGHT_AGENT_LISTEN lets the agent listen. Of a sidecar it is asked whether
it listens at PATH. Only the socket module is loaded: this runs every half minute.
"""

import os
import socket
import sys

DEFAULT = "127.0.0.1:9753"
SECONDS = 4.0
REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what the agent may be told)


def connect(address: str) -> socket.socket:
    scheme, _, path = address.partition(":")
    if scheme in ("unix", "sidecar"):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(SECONDS)
        try:
            stream.connect(path)
        except OSError:
            stream.close()
            raise
        return stream
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return socket.create_connection((EVERYWHERE.get(host, host), int(port)), SECONDS)


def problem(address: str) -> str:
    """Why it is not healthy; empty where it is."""
    try:
        with connect(address) as stream:
            if address.startswith("sidecar:"):
                return ""
            stream.sendall(REQUEST)
            status = stream.recv(64).split(b"\r\n")[0].decode("latin-1")
    except (OSError, ValueError) as error:
        return f"{address}: {error}"
    return "" if status.split()[1:2] == ["200"] else f"{address}: {status or 'no answer'}"


if __name__ == "__main__":
    told = [
        *sys.argv[1:2],
        *(os.environ.get(key, "") for key in ("HEALTHY_ADDRESS", "NODEWRIGHT_AGENT_LISTEN")),
        DEFAULT,
    ]
    said = problem(next(filter(None, told)))
    if said:
        sys.exit(f"nodewright: unhealthy: {said}")
