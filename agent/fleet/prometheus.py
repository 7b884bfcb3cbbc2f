"""How is a Prometheus-compatible server asked? `POST /api/v1/query`, as all its likes do.

Prometheus, Thanos, Mimir and VictoriaMetrics. Whatever goes wrong is a CliError of one line: 2 a bad address or query, 4 no
answer or none of a Prometheus, 5 not allowed.
"""

import base64
import http.client
import math
import ssl
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import msgspec

from agent.errors import CliError, reason_of

ANSWER_LIMIT_BYTES = 64 << 20
"""Of one answer: some 300,000 series."""
NO_ANSWER, NOT_ALLOWED = 4, 5
PATH = "/api/v1/query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to be let in. With a `user` the secret is their password, else a bearer token. `tenant`: X-Scope-OrgID."""

    secret: str | None = None
    user: str | None = None
    tenant: str | None = None

    def headers(self) -> dict[str, str]:
        found = {} if self.tenant is None else {"X-Scope-OrgID": self.tenant}
        if self.secret is None:
            return found
        if self.user is None:
            return found | {"Authorization": f"Bearer {self.secret}"}
        pair = base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return found | {"Authorization": f"Basic {pair}"}


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw = msgspec.Raw()


class _Answer(msgspec.Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] = []
    is_partial: bool = False  # VictoriaMetrics


@dataclass(slots=True)
class Answered:
    """One instant vector. `not_numbers`: values that were NaN or infinite and are left out."""

    vector: list[tuple[dict[str, str], float]]
    warnings: tuple[str, ...]
    not_numbers: int


class Prometheus:
    """The server at one address, over one connection that is kept."""

    def __init__(self, url: str, access: Access, timeout_seconds: float) -> None:
        """Raises CliError (2) for what is no address."""
        self.url = url.rstrip("/")
        self._parts = _parts(url)
        self._access = access
        self._timeout = timeout_seconds
        self._connection: http.client.HTTPConnection | None = None

    def query(self, promql: str) -> Answered:
        """The answer to an instant query at the server's present."""
        status, body = self._exchange(promql)
        answer = self._decoded(status, body)
        if answer.status != "success" or answer.data is None:
            raise self._refused(status, answer)
        if answer.data.result_type != "vector":
            raise self._foreign(f"a {answer.data.result_type} instead of a vector")
        try:
            series = msgspec.json.decode(answer.data.result, type=list[_Series], strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._foreign(str(error)) from error
        vector = []
        for one in series:
            try:
                value = float(one.value[1])
            except ValueError as error:
                raise self._foreign(f"the value {one.value[1]!r}") from error
            if math.isfinite(value):
                vector.append((one.metric, value))
        warnings = (*answer.warnings, *(("it says that the answer is partial",) if answer.is_partial else ()))
        return Answered(vector, warnings, len(series) - len(vector))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, promql: str) -> tuple[int, bytes]:
        try:
            connection = self._connection = self._connection or self._connect()
            body = urlencode({"query": promql, "timeout": f"{self._timeout:g}s"}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
            connection.request("POST", self._parts.path.rstrip("/") + PATH, body, headers | self._access.headers())
            response = connection.getresponse()
            answer = _read(response, time.monotonic() + self._timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            timed_out = isinstance(error, TimeoutError)
            reason = f"no answer within {self._timeout:g} s" if timed_out else _reason(error)
            hint = "a shorter --since, or a longer --timeout" if timed_out else "is it a Prometheus-compatible server?"
            raise CliError("fleet.no-answer", f"{self.url}: {reason}", hint, NO_ANSWER) from error
        if len(answer) > ANSWER_LIMIT_BYTES:
            self.close()
            message = f"{self.url}: an answer of more than {ANSWER_LIMIT_BYTES >> 20} MiB"
            raise CliError("fleet.too-large", message, "narrow it down with --match", NO_ANSWER)
        return response.status, answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _decoded(self, status: int, body: bytes) -> _Answer:
        try:
            answer: _Answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if status in {401, 403}:
                raise self._not_allowed(status) from error
            raise self._foreign(f"status {status}, no JSON of a Prometheus") from error
        if status in {401, 403}:
            raise self._not_allowed(status)
        return answer

    def _not_allowed(self, status: int) -> CliError:
        hint = "--token-file F holds a bearer token, with --user a password; --tenant names a tenant"
        return CliError("fleet.not-allowed", f"{self.url} answered {status}", hint, NOT_ALLOWED)

    def _refused(self, status: int, answer: _Answer) -> CliError:
        message = f"{self.url} answered {status}: {answer.error_type}: {answer.error}"
        if answer.error_type == "bad_data":
            return CliError("fleet.bad-query", message, "is --match right? It needs Prometheus >= 2.26 or its like", 2)
        hint = "a shorter --since, or --match for fewer nodes" if answer.error_type in {"timeout", "execution"} else ""
        return CliError("fleet.failed", message, hint, NO_ANSWER)

    def _foreign(self, what: str) -> CliError:
        hint = "Mimir wants the prefix in the address: http://HOST/prometheus"
        return CliError(
            "fleet.foreign", f"{self.url}{PATH} answered otherwise than a Prometheus: {what}", hint, NO_ANSWER
        )


def _read(response: http.client.HTTPResponse, until: float) -> bytes:
    """At most a byte more than the limit. Raises TimeoutError also where bytes trickle in."""
    parts: list[bytes] = []
    held = 0
    while held <= ANSWER_LIMIT_BYTES and (part := response.read1(1 << 20)):
        parts.append(part)
        held += len(part)
        if time.monotonic() > until:
            raise TimeoutError
    if held <= ANSWER_LIMIT_BYTES:
        response.read()  # nothing: it lets the connection be used again
    return b"".join(parts)


def _reason(error: Any) -> str:
    return reason_of(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _parts(url: str) -> SplitResult:
    hint = "give http://HOST:PORT or https://HOST/PREFIX"
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:
        raise CliError("url.invalid", f"{url!r}: {error}", hint) from error
    if parts.username is not None or parts.password is not None:
        raise CliError("url.invalid", "an address with a password in it would be shown", "use --user and --token-file")
    if not whole or parts.query or parts.fragment or not url.isprintable() or " " in url or not url.isascii():
        raise CliError("url.invalid", f"{url!r} is not the address of a server", hint)
    return parts
