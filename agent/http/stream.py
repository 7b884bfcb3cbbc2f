"""How does a client hear of each new snapshot? Server-sent events: the newest one, never a queue."""

import asyncio

import msgspec
from aiohttp import web

from advisor.documents import ServiceVerdict, Snapshot
from advisor.finding import Severity
from agent.http.context import DEPS
from agent.http.encoded import encode
from agent.http.envelope import Refused
from agent.http.route import Route

HEARTBEAT_SECONDS = 15.0
"""A comment after this much silence, so that proxies keep the connection and a vanished client is noticed."""
STREAM_LIMIT = 64
_SEND_SECONDS = 10.0
STREAMS = web.AppKey("streams", set[object])


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What changed enough to ask again: `data` of the event `snapshot`."""

    generation: int
    at: str
    services: tuple[ServiceVerdict, ...]
    open_findings: int
    worst: Severity | None
    """Of the open findings."""


async def get_stream(request: web.Request) -> web.StreamResponse:
    streams = request.app[STREAMS]
    if len(streams) >= STREAM_LIMIT:
        raise Refused(503, "stream.too-many", f"{STREAM_LIMIT} streams are open", "close one, or read /v1/node instead")
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
    )
    own = object()
    streams.add(own)
    try:
        await response.prepare(request)
        await _send_all(request, response)
    except (ConnectionError, TimeoutError):  # the client left, or no longer reads
        pass
    finally:
        streams.discard(own)
    return response


def event_of(snapshot: Snapshot) -> StreamEvent:
    open_findings = [one for one in snapshot.advice.findings if one.state == "open"]
    return StreamEvent(
        generation=snapshot.generation,
        at=snapshot.node.at,
        services=snapshot.advice.services,
        open_findings=len(open_findings),
        worst=max((one.severity for one in open_findings), key=lambda each: each.level, default=None),
    )


async def _send_all(request: web.Request, response: web.StreamResponse) -> None:
    deps = request.app[DEPS]
    sent: Snapshot | None = None
    generation = 0
    while not deps.updates.closed:
        snapshot = deps.snapshot()
        if snapshot is not None and snapshot is not sent:
            sent = snapshot
            body = encode(event_of(snapshot)).decode()
            await _send(response, f"event: snapshot\nid: {snapshot.generation}\ndata: {body}\n\n")
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                newer = await deps.updates.after(generation)
        except TimeoutError:
            await _send(response, ": still here\n\n")
            continue
        if newer is None:
            return
        generation = newer


async def _send(response: web.StreamResponse, text: str) -> None:
    async with asyncio.timeout(_SEND_SECONDS):
        await response.write(text.encode())


ROUTES = (
    Route(
        path="/v1/stream",
        handler=get_stream,
        doc="Server-sent events: `snapshot` with a StreamEvent as data at each new generation.",
        media="text/event-stream",
    ),
)
