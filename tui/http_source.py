"""How does a running agent's HTTP become a picture?

Kept connections, each behind a lock: `http.client` loads in a few milliseconds, so that the first screen
is there at once.
"""

import asyncio
import http.client
import socket
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import msgspec

from advisor.documents import (
    AdviceDocument,
    FindingEvent,
    NodeStatus,
    Problem,
    SelfStatus,
    ServiceStatus,
    WorkerStatus,
)
from advisor.finding import Finding
from advisor.ledger.outcome import Outcome
from tui.source import Act, Answer, Picture, Unreachable

DEADLINE_SECONDS = 3.0
ANSWER_LIMIT_BYTES = 64 << 20
"""A node with a thousand workers answers with less than a tenth of it."""
PAST_WAIT_SECONDS = 1
"""For a moment of the past that has to be worked out; then it is asked for again, and how far it is can be told."""
HISTORY_LIMIT = 20
NO_TOKEN = Problem("no-token", "this user may only read", "run as the agent's user, or give --token-file")


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
    """Every answer of the agent."""

    data: msgspec.Raw = msgspec.Raw()
    error: Problem | None = None


def is_local(url: str) -> bool:
    """Whether `url` stays on this machine, so that this machine's token may be sent there."""
    return url.startswith("unix:") or urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def open_connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    """An unopened connection to `url` (http, https or unix:PATH) and the path below which the agent answers.

    Raises ValueError with one clear sentence.
    """
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:")), ""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is not an agent's address (http://HOST:PORT or unix:PATH)")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, parts.port, timeout=DEADLINE_SECONDS), parts.path.rstrip("/")


class HttpSource:
    """The agent behind `url`. Raises ValueError where `url` is no address."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.origin = url
        self._present = _Line(url)
        self._past = _Line(url)
        """What of the past has to be worked out holds up nothing else."""
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self.read_only = None if token or url.startswith("unix:") else NO_TOKEN

    async def picture(self) -> Picture:
        return await asyncio.to_thread(self._fetch)

    async def history(self, finding: str) -> tuple[FindingEvent, ...]:
        name, kind = f"advice/{finding}/history?limit={HISTORY_LIMIT}", tuple[FindingEvent, ...]
        events: tuple[FindingEvent, ...] = await asyncio.to_thread(self._ask, name, kind)
        return events

    async def get(self, name: str, kind: type[Answer]) -> Answer:
        found: Answer = await asyncio.to_thread(self._ask, name, kind)
        return found

    async def post(self, name: str, body: object, kind: type[Answer]) -> Answer:
        found: Answer = await asyncio.to_thread(self._ask, name, kind, msgspec.json.encode(body))
        return found

    async def act(self, finding: str, act: Act) -> Finding:
        found: Finding = await asyncio.to_thread(self._ask, f"advice/{finding}", Finding, msgspec.json.encode(act))
        return found

    async def verify(self, finding: str, since: str | None) -> Outcome:
        asked = msgspec.json.encode({} if since is None else {"since": since})
        begun: Outcome = await asyncio.to_thread(self._ask, f"advice/{finding}/verify", Outcome, asked)
        return begun

    def close(self) -> None:
        self._present.connection.close()
        self._past.connection.close()

    def _fetch(self) -> Picture:
        return Picture(
            node=self._ask("node", NodeStatus),
            services=self._ask("services", tuple[ServiceStatus, ...]),
            workers=self._ask("workers", tuple[WorkerStatus, ...]),
            advice=self._ask("advice", AdviceDocument),
            self_status=self._ask("self", SelfStatus),
        )

    def _ask(self, name: str, kind: Any, posted: bytes | None = None) -> Any:
        """`posted`: JSON to be sent there."""
        of_past = "at=" in name.partition("?")[2]
        line = self._past if of_past else self._present
        headers = self._headers | ({"Prefer": f"wait={PAST_WAIT_SECONDS}"} if of_past else {})
        try:
            status, body = line.request(f"/v1/{name}", headers, posted)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(_transport_problem(error)) from error
        try:
            envelope = msgspec.json.decode(body, type=_Envelope)
            if envelope.error is None and bytes(envelope.data):
                return msgspec.json.decode(envelope.data, type=kind)
        except msgspec.MsgspecError as error:
            raise Unreachable(_foreign_problem(name, status, str(error))) from error
        raise Unreachable(envelope.error or _foreign_problem(name, status, "no data in it"))


class _Line:
    """A kept connection; one request at a time. Raises ValueError where `url` is no address."""

    def __init__(self, url: str) -> None:
        self.connection, self._base = open_connection(url)
        self._lock = Lock()

    def request(self, path: str, headers: Mapping[str, str], posted: bytes | None) -> tuple[int, bytes]:
        """Status and body. Raises OSError and http.client.HTTPException."""
        with self._lock:
            fresh = self.connection.sock is None
            try:
                return self._exchange(path, headers, posted)
            except (ConnectionError, http.client.RemoteDisconnected):
                self.connection.close()
                if fresh:
                    raise
            except (OSError, http.client.HTTPException):
                self.connection.close()
                raise
            try:  # the agent closed the kept connection between two requests
                return self._exchange(path, headers, posted)
            except (OSError, http.client.HTTPException):
                self.connection.close()
                raise

    def _exchange(self, path: str, headers: Mapping[str, str], posted: bytes | None) -> tuple[int, bytes]:
        if posted is None:
            self.connection.request("GET", self._base + path, headers=dict(headers))
        else:
            self.connection.request("POST", self._base + path, posted, {**headers, "Content-Type": "application/json"})
        response = self.connection.getresponse()
        body = response.read(ANSWER_LIMIT_BYTES + 1)
        if len(body) > ANSWER_LIMIT_BYTES:
            raise http.client.HTTPException(f"the answer is larger than {ANSWER_LIMIT_BYTES >> 20} MiB")
        return response.status, body


def _transport_problem(error: OSError | http.client.HTTPException) -> Problem:
    match error:
        case TimeoutError():
            message = f"no answer within {DEADLINE_SECONDS:.0f} s"
            return Problem("timeout", message, "is the address right, and the agent not stopped?")
        case ConnectionRefusedError() | FileNotFoundError():
            return Problem("connection-refused", "nothing listens there", "start the agent: nodewright run")
        case PermissionError():
            return Problem("forbidden", "no permission to open the socket", "run as the agent's user or group")
        case socket.gaierror():
            return Problem("unknown-host", "the host name is not known", "check the host name in --url")
        case OSError():
            return Problem("connection", error.strerror or str(error) or "connection failed", "check --url")
        case _:
            return Problem("protocol", f"not a valid HTTP answer: {error}", "check that --url names a nodewright agent")


def _foreign_problem(name: str, status: int, what: str) -> Problem:
    message = f"/v1/{name} answered {status}, but not as this version expects: {what}"
    return Problem("protocol", message, "does --url name a nodewright agent of the same version?")
