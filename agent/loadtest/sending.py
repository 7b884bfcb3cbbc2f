"""How is one request sent, and how is its answer read, streamed or not?"""

import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec

from agent.loadtest.offering import Clock
from agent.loadtest.outcome import TIMEOUT, Outcome
from agent.loadtest.payload import Payload
from agent.loadtest.target import Pinned, Target
from nodewright import __version__

KEEPALIVE_SECONDS = 1.0
"""Shorter than any known server's: a connection that the server is about to close is not used again."""
_OK = range(200, 300)


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None


class _Event(msgspec.Struct):
    """What counts of a piece of a streamed completion."""

    choices: list[_Choice] = []
    error: object = None

    @property
    def has_content(self) -> bool:
        return any(c.text or (c.delta and (c.delta.content or c.delta.reasoning_content or c.delta.reasoning))
                   for c in self.choices)  # fmt: skip


_decoder = msgspec.json.Decoder(_Event)


def open_session(
    target: Target, headers: Mapping[str, str], timeout_seconds: float, fresh: bool
) -> aiohttp.ClientSession:
    """A client of one target: no proxies, no cookies, no limit of its own. `fresh`: each request opens a connection."""
    connector = aiohttp.TCPConnector(
        limit=0,
        resolver=Pinned(target),
        ttl_dns_cache=None,
        force_close=fresh,
        keepalive_timeout=None if fresh else KEEPALIVE_SECONDS,
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        headers={"User-Agent": f"nodewright-loadtest/{__version__}", "Accept-Encoding": "identity", **headers},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


class Sender:
    """Sends the payload's bodies in turn."""

    def __init__(self, session: aiohttp.ClientSession, payload: Payload) -> None:
        self._session = session
        self._payload = payload
        self._sent = 0

    async def send(self, outcome: Outcome, clock: Clock) -> None:
        """One request; what becomes of it is written into `outcome`."""
        body = self._payload.bodies[self._sent % len(self._payload.bodies)]
        self._sent += 1
        outcome.sent = clock()
        try:
            async with self._session.request(
                self._payload.method, self._payload.url, data=body, headers=self._payload.headers, allow_redirects=False
            ) as answer:
                outcome.failure = await self._read(answer, outcome, clock)
        except asyncio.CancelledError:
            outcome.failure = TIMEOUT
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            outcome.failure = failure_of(error)
        finally:
            outcome.ended = clock()

    async def _read(self, answer: aiohttp.ClientResponse, outcome: Outcome, clock: Clock) -> str | None:
        """Read the answer to its end. What is wrong with it, if something is."""
        failure = None if answer.status in _OK else f"HTTP {answer.status}"
        if failure is not None or answer.content_type != "text/event-stream":
            async for _ in answer.content.iter_any():
                pass
            return failure
        async for line in answer.content:
            if line.startswith(b"data:") and (problem := _take(line[5:].strip(), outcome, clock)):
                failure = problem
        return failure


def _take(data: bytes, outcome: Outcome, clock: Clock) -> str | None:
    """Take in one event of a stream; what is wrong, if the server says that something is."""
    if data == b"[DONE]":
        return None
    try:
        event = _decoder.decode(data)
    except msgspec.DecodeError:
        return None  # an event of another kind than completions
    if event.error is not None:
        return "error in the stream"
    if event.has_content:
        outcome.last_token = clock()
        outcome.tokens += 1
        if outcome.first_token is None:
            outcome.first_token = outcome.last_token
    return None


def failure_of(error: Exception) -> str:
    """A short name for what went wrong with a connection."""
    match error:
        case TimeoutError():
            return TIMEOUT
        case aiohttp.ServerDisconnectedError() | ConnectionResetError() | aiohttp.ClientOSError() if not isinstance(
            error, aiohttp.ClientConnectorError
        ):
            return "disconnected"
        case aiohttp.ClientConnectorError():
            return "not connected"
        case aiohttp.ClientPayloadError():
            return "answer cut off"
        case _:
            return type(error).__name__
