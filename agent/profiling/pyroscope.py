"""How do profiles reach a Pyroscope server, without anything here ever waiting for it?

Tested before a stand-in that parses as Pyroscope's source does, not before a Pyroscope server.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from advisor.profiling.stored import StoredProfile
from agent.errors import reason_of
from agent.profiling.pyroscope_requests import requests_of

TIMEOUT_SECONDS = 5.0
"""For one request, name resolution not counted."""
MOST_QUEUED = 32
FIRST_BACKOFF_SECONDS = 1.0
LAST_BACKOFF_SECONDS = 60.0
_REFUSED = frozenset({400, 404, 405, 411, 413, 415, 422})
"""What the server will not take another time either."""
_STATUS_LINE_BYTES = 4096


class PushStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles since the start. `dropped`: the queue was full, or the server refused them. `problem`: why the newest
    attempt failed; None while all is well."""

    sent: int
    dropped: int
    queued: int
    problem: str | None


class PyroscopePusher:
    """One thread with a bounded queue. All methods may be called from any thread."""

    def __init__(
        self, url: str, *, labels: Mapping[str, str] | None = None, token_file: Path | None = None,
        tenant: str | None = None, ca_file: Path | None = None, timeout_seconds: float = TIMEOUT_SECONDS,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    ) -> None:  # fmt: skip
        """`labels` go with every profile. `token_file` holds what follows `Authorization:`, a bare token is a Bearer's;
        it is read at each attempt, as is `ca_file`, the authorities (PEM) of an https server. `tenant` is sent as
        X-Scope-OrgID. Raises ValueError for a url that is not http[s]://HOST[:PORT][/PREFIX], and for no tenant's name.
        """
        self._parts = _parts(url)
        if tenant is not None and not (tenant.isascii() and tenant.isprintable() and tenant.strip() == tenant != ""):
            raise ValueError(f"the tenant {tenant[:120]!r} is not a line of plain text")
        self._tenant = tenant
        self._ca_file = ca_file
        self._labels = dict(labels or {})
        self._token_file = token_file
        self._timeout = timeout_seconds
        self._first_backoff = first_backoff_seconds
        self._queue: deque[StoredProfile] = deque()
        self._condition = threading.Condition()
        self._sent = self._dropped = 0
        self._problem: str | None = None
        self._stopping = False
        self._begun: tuple[StoredProfile, list[tuple[str, bytes]]] | None = None
        self._thread = threading.Thread(target=self._run, name="pyroscope", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_seconds: float) -> None:
        """End the thread; what is queued is not sent."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def push(self, profile: StoredProfile) -> None:
        """Queue a profile. Never blocks: the oldest is dropped where the queue is full."""
        with self._condition:
            if len(self._queue) == MOST_QUEUED:
                self._queue.popleft()
                self._dropped += 1
            self._queue.append(profile)
            self._condition.notify_all()

    def status(self) -> PushStatus:
        with self._condition:
            return PushStatus(
                sent=self._sent, dropped=self._dropped, queued=len(self._queue), problem=self._problem
            )  # fmt: skip

    def _run(self) -> None:
        backoff = self._first_backoff
        while (profile := self._next()) is not None:
            try:
                self._send(profile)
            except _Refused as refused:
                self._finish(profile, sent=False, problem=str(refused))
            except (OSError, ValueError) as error:
                with self._condition:
                    self._problem = f"profiles are not sent to {self._parts.netloc}: {_reason(error)}"
                    self._condition.wait_for(lambda: self._stopping, backoff)
                backoff = min(2 * backoff, LAST_BACKOFF_SECONDS)
            else:
                self._finish(profile, sent=True, problem=None)
                backoff = self._first_backoff

    def _next(self) -> StoredProfile | None:
        """The oldest that waits, which stays in the queue; None at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._queue)
            return None if self._stopping else self._queue[0]

    def _finish(self, profile: StoredProfile, *, sent: bool, problem: str | None) -> None:
        with self._condition:
            self._problem = problem
            self._sent += sent
            if self._queue and self._queue[0] is profile:
                self._queue.popleft()
                self._dropped += not sent
            else:  # the queue dropped it meanwhile, and counted it so
                self._dropped -= sent

    def _send(self, profile: StoredProfile) -> None:
        """Raises OSError or ValueError where it may be tried again, _Refused where that is of no use.

        What the server took is not sent again when the rest is: it adds up what it is sent.
        """
        if self._begun is None or self._begun[0] is not profile:
            try:
                self._begun = (profile, requests_of(profile, self._labels))
            except (ValueError, OverflowError) as error:
                raise _Refused(f"profile {profile.id} cannot be sent: {error}") from error
        authorization = _authorization(self._token_file)
        waiting = self._begun[1]
        while waiting:
            target, body = waiting[0]
            status = self._post(f"{self._parts.path.rstrip('/')}{target}", body, authorization)
            if status in _REFUSED:
                raise _Refused(f"{self._parts.netloc} answered {status} and will not take the profile")
            if not 200 <= status < 300:
                raise OSError(f"it answered {status}")
            waiting.pop(0)

    def _post(self, target: str, body: bytes, authorization: str | None) -> int:
        """The status that came within the time for everything: a server that sends a byte now and then gets no more."""
        deadline = time.monotonic() + self._timeout
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {self._parts.netloc}",
            "User-Agent: nodewright",
            "Content-Type: text/plain",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *([] if authorization is None else [f"Authorization: {authorization}"]),
            *([] if self._tenant is None else [f"X-Scope-OrgID: {self._tenant}"]),
        ]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        with self._connected(deadline) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(head + body)
            return _status(connection, deadline)

    def _connected(self, deadline: float) -> socket.socket:
        host, encrypted = self._parts.hostname or "", self._parts.scheme == "https"
        connection = socket.create_connection((host, self._parts.port or (443 if encrypted else 80)), self._timeout)
        if not encrypted:
            return connection
        from agent.tls import trusting

        try:
            connection.settimeout(_left(deadline))
            return trusting(self._ca_file).wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise


class _Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The server does not want this profile."""


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and " " not in url
    known = plain and parts.scheme in {"http", "https"}
    if not (known and parts.hostname and _has_port(parts)) or "@" in url or parts.query:
        raise ValueError(f"{url[:120]!r} is not http://HOST[:PORT][/PREFIX] or https://HOST[:PORT][/PREFIX]")
    return parts


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _authorization(path: Path | None) -> str | None:
    """The header's value. Raises OSError, or ValueError where the file holds more than one line of text."""
    if path is None:
        return None
    text = path.read_text().strip()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError(f"{path} holds no token")
    return text if " " in text else f"Bearer {text}"


def _status(connection: socket.socket, deadline: float) -> int:
    received = b""
    while b"\r\n" not in received and len(received) < _STATUS_LINE_BYTES:
        connection.settimeout(_left(deadline))
        piece = connection.recv(_STATUS_LINE_BYTES)
        if not piece:
            break
        received += piece
    version, _, rest = received.partition(b"\r\n")[0].partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("it answers no HTTP")
    return int(rest[:3])


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return reason_of(error) if isinstance(error, OSError) else str(error)
