"""Which profiles were taken, what do they show, what changed between two, and how is one asked for?"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast, get_args

import msgspec
from aiohttp import web

from advisor.profiling.difference import ProfileDifference, difference
from advisor.profiling.header import ProfileFilter, ProfileHeader
from advisor.profiling.request import ProfileRequest, ProfileState
from advisor.profiling.sides import SIDES
from advisor.profiling.stored import Side, StoredKind, StoredProfile
from agent.http.context import DEPS, MERGING, read_body
from agent.http.encoded import data_body
from agent.http.envelope import JSON, Refused
from agent.http.moments import moment
from agent.http.route import Query, Route
from agent.profiling.access import NotStarted
from agent.profiling.formats.written import FORMATS, MEDIA, Format, written

MOST_LISTED = 1_000
_DEFAULT_SPAN_SECONDS = 3600.0
_STATUS = {"off": 409, "unknown": 404, "busy": 429, "failed": 503}
_KEY = {"off": "profile.off", "unknown": "profile.target-unknown", "busy": "profile.busy", "failed": "profile.failed"}
_KINDS: tuple[str, ...] = get_args(StoredKind)
_COLOURS = ("red-blue", "orange-purple")


async def get_profiles(request: web.Request) -> web.Response:
    query = request.query
    wanted = ProfileFilter(
        service=query.get("service"),
        pid=None if "pid" not in query else _number(query["pid"], "pid", 1, 2**31),
        kind=cast(StoredKind | None, query.get("kind")),
        start=moment(query["start"], "start", 0.0) if "start" in query else None,
        end=moment(query["end"], "end", 0.0) if "end" in query else None,
        limit=_number(query.get("limit", "100"), "limit", 1, MOST_LISTED),
    )
    access = request.app[DEPS].profiles
    return await _made(lambda: data_body(tuple(access.profiles(wanted))))


async def get_profile(request: web.Request) -> web.Response:
    identity, style = request.match_info["id"], request.query.get("format", "json")
    found = await asyncio.to_thread(request.app[DEPS].profiles.profile, identity)
    if found is None:
        raise _unknown(identity)
    if style == "json":
        return await _made(lambda: data_body(found))
    return await _written(_need_done(found), request)


async def get_merged(request: web.Request) -> web.Response:
    end = moment(request.query.get("end"), "end", time.time())
    start = moment(request.query.get("start"), "start", end - _DEFAULT_SPAN_SECONDS)
    merged = await _of_span(request, request.query["service"], start, end)
    if request.query.get("format", "json") == "json":
        return await _made(lambda: data_body(merged))
    return await _written(merged, request)


async def get_diff(request: web.Request) -> web.Response:
    base, other = await _two(request)
    side = cast(Side | None, request.query.get("side"))
    match request.query.get("format", "json"):
        case "svg":
            from agent.profiling.formats.diff_flamegraph import DiffColours, diff_flamegraph

            colours = cast(DiffColours, request.query.get("colours", _COLOURS[0]))
            return await _made(
                lambda: diff_flamegraph(base, other, side=side, colours=colours).encode("utf-8", "replace"), "svg"
            )
        case "text":
            from agent.profiling.formats.text import difference_text

            return await _made(
                lambda: difference_text(difference(base, other, side)).encode("utf-8", "replace"), "text"
            )
        case _:
            return await _made(lambda: data_body(difference(base, other, side)))


async def post_profile(request: web.Request) -> web.Response:
    asked = await read_body(request, ProfileRequest)
    try:
        state = await asyncio.to_thread(request.app[DEPS].profiles.start, asked)
    except NotStarted as refused:
        raise Refused(_STATUS[refused.cause], _KEY[refused.cause], refused.message, refused.hint) from refused
    headers = {"Location": f"/v1/profiles/{state.id}"}
    return web.Response(body=data_body(state), status=202, content_type=JSON, headers=headers)


async def _two(request: web.Request) -> tuple[StoredProfile, StoredProfile]:
    """The profiles to compare: two ids, or two spans of a service. Raises Refused."""
    query = request.query
    if "base" in query and "other" in query and "service" not in query:
        return await _done(request, query["base"]), await _done(request, query["other"])
    spans = ("base_start", "base_end", "other_start", "other_end")
    if "service" not in query or any(name not in query for name in spans) or "base" in query or "other" in query:
        hint = f"give base and other (ids), or service, {', '.join(spans)}"
        raise Refused(400, "query.missing", "it is not said which two profiles to compare", hint)
    times = [moment(query[name], name, 0.0) for name in spans]
    service = query["service"]
    return await _of_span(request, service, *times[:2]), await _of_span(request, service, *times[2:])


async def _done(request: web.Request, identity: str) -> StoredProfile:
    found = await asyncio.to_thread(request.app[DEPS].profiles.profile, identity)
    if found is None:
        raise _unknown(identity)
    return _need_done(found)


async def _of_span(request: web.Request, service: str, start: float, end: float) -> StoredProfile:
    if not start < end:
        raise Refused(400, "query.bad-value", "a start is not before its end", "both are Unix seconds or RFC 3339")
    wanted = ProfileFilter(service=service, start=start, end=end)
    async with request.app[MERGING]:
        merged = await asyncio.to_thread(request.app[DEPS].profiles.merged, wanted)
    if merged is None:
        hint = f"GET /v1/profiles?service={service} lists those there are"
        raise Refused(404, "profile.none", f"there is no profile of {service!r} in this span", hint)
    return merged


def _need_done(found: ProfileState) -> StoredProfile:
    """The profile itself; Refused(409) while it is being taken, or where it could not be."""
    if found.profile is not None:
        return found.profile
    if found.state == "running":
        hint = f"it takes {found.seconds:g} s; ask again then"
        raise Refused(409, "profile.running", f"profile {found.id} is being taken", hint, {"Retry-After": "1"})
    raise Refused(409, "profile.failed", found.reason or f"profile {found.id} is not kept any more", found.hint)


async def _written(profile: StoredProfile, request: web.Request) -> web.Response:
    style, side = cast(Format, request.query["format"]), cast(Side | None, request.query.get("side"))
    return await _made(lambda: written(profile, style, side), style)


async def _made(make: Callable[[], bytes], style: Format | None = None) -> web.Response:
    """What `make` gives, in a thread of its own: a large profile takes some time to write."""
    body = await asyncio.to_thread(make)
    if style is None:
        return web.Response(body=body, content_type=JSON)
    response = web.Response(body=body, content_type=MEDIA[style], charset=None if style == "speedscope" else "utf-8")
    if style == "svg":
        from agent.profiling.formats.svg import content_security_policy

        response.headers["Content-Security-Policy"] = content_security_policy()
    return response


def _number(text: str, name: str, least: int, most: int) -> int:
    try:
        number = msgspec.convert(text, int, strict=False)
    except msgspec.ValidationError:
        number = least - 1
    if not least <= number <= most:
        raise Refused(400, "query.bad-value", f"{name}={text!r} is not possible", f"a whole number, {least} to {most}")
    return number


def _unknown(identity: str) -> Refused:
    return Refused(404, "profile.unknown", f"there is no profile {identity!r}", "the ids are in /v1/profiles")


_MEDIA: dict[str, Any] = {"other_media": ("image/svg+xml", "text/plain")}
_FORMAT = Query("format", "How it is written; speedscope is not in the envelope.", ("json", *FORMATS))
_SIDE = Query("side", "Of which side; without it the first of cpu, native, wait and gil that it has.", SIDES)
ROUTES = (
    Route(
        path="/v1/profiles",
        handler=get_profiles,
        doc="The profiles that are kept, newest first.",
        answer=tuple[ProfileHeader, ...],
        query=(
            Query("service", "Only of this service, by its name."),
            Query("pid", "Only of this process."),
            Query("kind", "Only of this kind.", _KINDS),
            Query("start", "Only those that began from then on: Unix seconds or RFC 3339."),
            Query("end", "Only those that began before."),
            Query("limit", f"At most so many, 1 to {MOST_LISTED}; 100 if not given."),
        ),
    ),
    Route(
        method="POST",
        path="/v1/profiles",
        handler=post_profile,
        doc="Take a profile of a process, or of the workers of a service (202; its id answers how far it is).",
        answer=ProfileState,
        body=ProfileRequest,
    ),
    Route(
        path="/v1/profiles/merged",
        handler=get_merged,
        doc="The profiles of a service in a span of time as one.",
        answer=StoredProfile,
        query=(
            Query("service", "The service, by its name.", required=True),
            Query("start", "Unix seconds or RFC 3339; an hour before the end if not given."),
            Query("end", "Unix seconds or RFC 3339; now if not given."),
            _FORMAT,
            _SIDE,
        ),
        **_MEDIA,
    ),
    Route(
        path="/v1/profiles/diff",
        handler=get_diff,
        doc="What changed between two profiles, or between two spans of a service.",
        answer=ProfileDifference,
        query=(
            Query("base", "Id of the profile before."),
            Query("other", "Id of the profile after."),
            Query("service", "Instead of ids: the service, by its name, with the four times."),
            Query("base_start", "Unix seconds or RFC 3339."),
            Query("base_end", "Unix seconds or RFC 3339."),
            Query("other_start", "Unix seconds or RFC 3339."),
            Query("other_end", "Unix seconds or RFC 3339."),
            Query("format", "How it is written.", ("json", "svg", "text")),
            Query("colours", "Of the SVG: more and less than before.", _COLOURS),
            _SIDE,
        ),
        **_MEDIA,
    ),
    Route(
        path="/v1/profiles/{id}",
        handler=get_profile,
        doc="One profile, or how far it is.",
        answer=ProfileState,
        query=(_FORMAT, _SIDE),
        **_MEDIA,
    ),
)
