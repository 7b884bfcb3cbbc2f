"""How does a command ask a running agent, over TCP or its Unix socket?"""

import http.client
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from advisor.documents import Problem
from agent.config import LoadedConfig
from agent.errors import CliError, reason_of
from agent.listen import parse_listen
from agent.paths import find_paths
from agent.token import read_token

DEADLINE_SECONDS = 5.0
ANSWER_LIMIT_BYTES = 8 << 20
UNIT_TOKEN = Path("/var/lib/nodewright/token")
"""Of the agent that systemd runs; root can read it."""
NO_ANSWER_STATUS = 4
NO_PERMISSION_STATUS = 5
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to ask, not where to listen


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=DEADLINE_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw()
    error: Problem | None = None


class Client:
    """The agent behind an address. Methods raise CliError: 4 it does not answer as one, 5 it does not let us, 2 it cannot
    do what was asked."""

    def __init__(self, url: str, token: str | None) -> None:
        """`url`: http://HOST:PORT, https://HOST:PORT or unix:PATH. Raises CliError (2) for what is no address."""
        self._url = url.rstrip("/")
        self._token = token
        parts = _parts(url)
        self._base = parts.path.rstrip("/") if parts is not None else ""

    def get(self, path: str, kind: Any, query: Mapping[str, str] | None = None) -> Any:
        """The data of the answer as `kind`."""
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""), None, kind)

    def post(self, path: str, body: object, kind: Any) -> Any:
        """The data of the answer as `kind`; `body` goes as JSON."""
        return self._ask("POST", path, msgspec.json.encode(body), kind)

    def _ask(self, method: str, path: str, body: bytes | None, kind: Any) -> Any:
        try:
            status, answer = self._exchange(method, self._base + path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else str(error) or type(error).__name__
            hint = "is nodewright run there? --url names another address"
            raise CliError("agent.no-answer", f"{self._url}: {reason}", hint, NO_ANSWER_STATUS) from error
        try:
            envelope = msgspec.json.decode(answer, type=_Envelope)
            if envelope.error is None and bytes(envelope.data):
                return msgspec.json.decode(envelope.data, type=kind)
        except msgspec.MsgspecError as error:
            message = f"{self._url}{path} answered {status}, but not as this version expects: {error}"
            hint = "is it a nodewright agent of the same version?"
            raise CliError("agent.foreign", message, hint, NO_ANSWER_STATUS) from error
        raise _refused(status, envelope.error or Problem("agent.foreign", f"{self._url}{path}: no data", ""))

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = _connection(self._url)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read(ANSWER_LIMIT_BYTES + 1)
        finally:
            connection.close()
        if len(answer) > ANSWER_LIMIT_BYTES:
            raise ValueError(f"the answer is larger than {ANSWER_LIMIT_BYTES >> 20} MiB")
        return response.status, answer


def open_client(loaded: LoadedConfig, url: str | None) -> Client:
    """The agent at `url`; without one, where the configuration lets this machine's agent listen."""
    address = url if url is not None else own_url(loaded.config.agent.listen)
    return Client(address, client_token(loaded, address))


def own_url(listen: str) -> str:
    """How this machine reaches what listens there."""
    place = parse_listen(listen)
    if place.path is not None:
        return f"unix:{place.path}"
    host = _EVERYWHERE.get(place.host, place.host)
    return f"http://[{host}]:{place.port}" if ":" in host else f"http://{host}:{place.port}"


def client_token(loaded: LoadedConfig, url: str = "unix:") -> str | None:
    """The token to send: NODEWRIGHT_TOKEN, else, to this machine only, that of its own agent."""
    if token := os.environ.get("NODEWRIGHT_TOKEN"):
        return token.strip()
    if not url.startswith("unix:") and urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}:
        return None
    return read_token(find_paths(loaded.config, os.environ).token) or read_token(UNIT_TOKEN)


def _parts(url: str) -> Any:
    """None for a Unix socket."""
    if url.startswith("unix:") and len(url) > len("unix:"):
        return None
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port):
            return parts
    except ValueError:
        pass
    raise CliError("url.invalid", f"{url!r} is not an agent's address", "give http://HOST:PORT or unix:PATH")


def _connection(url: str) -> http.client.HTTPConnection:
    parts = _parts(url)
    if parts is None:
        return _UnixConnection(url.removeprefix("unix:"))
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=DEADLINE_SECONDS)


def _refused(status: int, problem: Problem) -> CliError:
    if status in {401, 403}:
        hint = problem.hint
        if status == 401:
            hint = "run it as the agent's user or root, or set NODEWRIGHT_TOKEN to what its token file holds"
        return CliError(problem.key, problem.message, hint, NO_PERMISSION_STATUS)
    return CliError(problem.key, problem.message, problem.hint, 2 if 400 <= status < 500 else NO_ANSWER_STATUS)
