"""What became of findings: when did they open, who took note of them, and how did they end?"""

import asyncio

from aiohttp import web

from advisor.documents import FindingEvent
from agent.http.context import DEPS
from agent.http.deps import MOST_EVENTS
from agent.http.envelope import Refused, data
from agent.http.moments import moment
from agent.http.route import Query, Route

_LAST_SECOND = 9e9

_SPAN = (
    Query("since", "Unix seconds or RFC 3339; from the oldest on that is kept if not given."),
    Query("until", "Unix seconds or RFC 3339; to now if not given."),
    Query("limit", f"At most so many, the newest: 1 to {MOST_EVENTS}; 100 if not given."),
)


async def get_history(request: web.Request) -> web.Response:
    return await _answer(request, service=request.query.get("service"))


async def get_finding_history(request: web.Request) -> web.Response:
    return await _answer(request, finding=request.match_info["id"])


async def _answer(request: web.Request, *, finding: str | None = None, service: str | None = None) -> web.Response:
    query, kept = request.query, request.app[DEPS].kept
    start, end = (_bounded(query.get(name), name, usual) for name, usual in (("since", 0.0), ("until", _LAST_SECOND)))
    limit = _limit(query.get("limit", "100"))

    def read() -> tuple[FindingEvent, ...]:
        return kept.history(finding=finding, service=service, start=start, end=end, limit=limit)

    return data(await asyncio.to_thread(read))


def _bounded(text: str | None, name: str, usual: float) -> float:
    """Within what a file can hold."""
    return max(0.0, min(moment(text, name, usual), _LAST_SECOND))


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST_EVENTS:
        return int(text)
    raise Refused(400, "query.bad-value", f"limit={text!r} is not possible", f"a number from 1 to {MOST_EVENTS}")


ROUTES = (
    Route(
        path="/v1/history",
        handler=get_history,
        doc="What became of findings, newest first.",
        answer=tuple[FindingEvent, ...],
        query=(Query("service", "Only of findings that concern this service, by its name."), *_SPAN),
    ),
    Route(
        path="/v1/advice/{id}/history",
        handler=get_finding_history,
        doc="What became of one finding, newest first.",
        answer=tuple[FindingEvent, ...],
        query=_SPAN,
    ),
)
