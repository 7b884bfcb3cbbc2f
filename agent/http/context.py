"""What do handlers share, and how do they answer from the newest snapshot?"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from advisor.documents import Snapshot, Timeline
from agent.http.deps import HttpDeps
from agent.http.encoded import EncodedSnapshot
from agent.http.envelope import JSON, Refused, data
from agent.http.moments import moment
from agent.http.page import Pages
from agent.http.route import Query

DEPS = web.AppKey("deps", HttpDeps)
ENCODED = web.AppKey("encoded", EncodedSnapshot)
PAGES = web.AppKey("pages", Pages)
MERGING = web.AppKey("merging", asyncio.Semaphore)
"""A long span of profiles is some tens of megabytes while it is merged: one at a time, the others wait."""
_BODY_SECONDS = 10.0
T = TypeVar("T")


AT = Query("at", "As it was then: Unix seconds or RFC 3339. A recording answers it, see /v1/timeline.")


def need_snapshot(request: web.Request) -> Snapshot:
    """The newest snapshot, or that of `?at=`; Refused(503) before the first."""
    if (at := request.query.get("at")) is not None:
        return _past_snapshot(request, moment(at, "at", 0.0))
    snapshot = request.app[DEPS].snapshot()
    if snapshot is None:
        raise Refused(503, "not-ready", "nothing was sampled yet", "ask again in a second", {"Retry-After": "1"})
    return snapshot


def from_snapshot(request: web.Request, name: str, pick: Callable[[Snapshot], object]) -> web.Response:
    """`pick(snapshot)` in the envelope; `name` is unique to `pick`, so that its bytes are made once a snapshot."""
    if "at" in request.query:
        return data(pick(need_snapshot(request)))
    body = request.app[ENCODED].body(need_snapshot(request), name, pick)
    return web.Response(body=body, content_type=JSON)


def need_timeline(request: web.Request) -> Timeline:
    """The moments that are kept; Refused(404) where none is."""
    timeline = request.app[DEPS].past.timeline()
    if timeline is None:
        message, hint = "a running agent tells the present only", "nodewright record keeps what nodewright replay tells"
        raise Refused(404, "past.not-kept", message, hint)
    return timeline


def _past_snapshot(request: web.Request, seconds: float) -> Snapshot:
    timeline = need_timeline(request)
    snapshot = request.app[DEPS].past.at(seconds)
    if snapshot is None:
        raise Refused(404, "past.before", f"nothing was recorded before {timeline.first}", "ask for a later moment")
    return snapshot


def of_service(request: web.Request, snapshot: Snapshot) -> str | None:
    """The value of `?service=`; Refused(400) naming the services if there is none of that name."""
    name = request.query.get("service")
    known = [service.name for service in snapshot.services]
    if name is not None and name not in known:
        allowed = ", ".join(known) or "none is running"
        raise Refused(400, "query.bad-value", f"there is no service {name!r}", f"services: {allowed}")
    return name


async def read_body(request: web.Request, kind: type[T]) -> T:
    """The JSON body as `kind`; Refused(400) with what is wrong in it."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            body = await request.read()
        return msgspec.json.decode(body, type=kind)
    except TimeoutError:
        raise Refused(408, "body.slow", "the body did not come", "send it at once") from None
    except msgspec.MsgspecError as error:
        raise Refused(400, "body.invalid", f"the body is not as described: {error}", "see /openapi.json") from error
