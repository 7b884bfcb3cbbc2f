"""What do handlers share, and how do they answer from the newest snapshot?"""

import asyncio
import re
from typing import TypeVar

import msgspec
from aiohttp import web

from advisor.documents import Snapshot, Timeline
from agent.http.deps import HttpDeps, NotNow
from agent.http.encoded import EncodedSnapshot
from agent.http.envelope import JSON, Refused, data
from agent.http.moments import moment
from agent.http.page import Pages
from agent.http.past_snapshot import AnySnapshot, PastSnapshot
from agent.http.route import Query

DEPS = web.AppKey("deps", HttpDeps)
ENCODED = web.AppKey("encoded", EncodedSnapshot)
PAGES = web.AppKey("pages", Pages)
MERGING = web.AppKey("merging", asyncio.Semaphore)
"""A long span of profiles is some tens of megabytes while it is merged: one at a time, the others wait."""
_BODY_SECONDS = 10.0
T = TypeVar("T")


AT = Query("at", "As it was then: Unix seconds or RFC 3339, see /v1/timeline.")
WAIT_SECONDS, MOST_WAIT_SECONDS = 20.0, 60.0
"""For a moment of the past that has to be worked out, unless `Prefer: wait=N` (RFC 7240) says otherwise."""
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


async def need_snapshot(request: web.Request) -> AnySnapshot:
    """The newest snapshot, or that of `?at=`; Refused(503) before the first, and while that of the past is worked out."""
    if (at := request.query.get("at")) is not None:
        return await _past_snapshot(request, moment(at, "at", 0.0))
    return present_snapshot(request)


def present_snapshot(request: web.Request) -> Snapshot:
    """The newest snapshot; Refused(503) before the first."""
    snapshot = request.app[DEPS].snapshot()
    if snapshot is None:
        raise Refused(503, "not-ready", "nothing was sampled yet", "ask again in a second", {"Retry-After": "1"})
    return snapshot


async def from_snapshot(request: web.Request, name: str) -> web.Response:
    """A part of the snapshot in the envelope, by its name; of the present one its bytes are made once."""
    snapshot = await need_snapshot(request)
    if isinstance(snapshot, PastSnapshot):
        return of_snapshot(snapshot, snapshot.raw(name))
    if "at" in request.query:
        return data(getattr(snapshot, name))
    return web.Response(body=request.app[ENCODED].body(snapshot, name), content_type=JSON)


def of_snapshot(snapshot: AnySnapshot, document: object) -> web.Response:
    """A document in the envelope; beside it, where it was worked out from what is stored, what is not known of that moment."""
    return data(document, past=snapshot.past if isinstance(snapshot, PastSnapshot) else None)


async def need_timeline(request: web.Request, since: float | None = None, until: float | None = None) -> Timeline:
    """The moments that are kept; Refused(404) where none is."""
    timeline = await request.app[DEPS].past.timeline(since, until)
    if timeline is None:
        hint = "an agent stores its moments, unless store.moments is off: ask again in a minute"
        raise Refused(404, "past.not-kept", "nothing of the past is stored", hint)
    return timeline


async def _past_snapshot(request: web.Request, seconds: float) -> AnySnapshot:
    past = request.app[DEPS].past
    try:
        snapshot = await past.at(seconds, _wait_seconds(request))
    except NotNow as refused:
        again, problem = refused.again_seconds, refused.problem
        headers = {} if again is None else {"Retry-After": f"{again:.0f}"}
        status = 404 if again is None else 503
        raise Refused(status, problem.key, problem.message, problem.hint, headers) from refused
    if snapshot is None:
        timeline = await need_timeline(request)
        raise Refused(404, "past.before", f"nothing was recorded before {timeline.first}", "ask for a later moment")
    return snapshot


def _wait_seconds(request: web.Request) -> float:
    found = _WAIT.search(",".join(request.headers.getall("Prefer", ())))
    return WAIT_SECONDS if found is None else min(float(found[1]), MOST_WAIT_SECONDS)


def of_service(request: web.Request, snapshot: AnySnapshot) -> str | None:
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
