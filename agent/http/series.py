"""How did one field of one thing develop? The store answers, in a thread of its own."""

import asyncio
import time

from aiohttp import web

from advisor.series import Series
from agent.http.context import DEPS
from agent.http.envelope import Refused, data
from agent.http.moments import finite, moment
from agent.http.route import Query, Route
from collectors.units import parse_duration

POINT_LIMIT = 11_000
_DEFAULT_SPAN_SECONDS = 900.0
_DEFAULT_POINTS = 300


async def get_series(request: web.Request) -> web.Response:
    query = request.query
    end = moment(query.get("end"), "end", time.time())
    start = moment(query.get("start"), "start", end - _DEFAULT_SPAN_SECONDS)
    if not start < end:
        raise Refused(400, "query.bad-value", "start is not before end", "both are Unix seconds or RFC 3339")
    step = _step(query.get("step"), max(1.0, (end - start) / _DEFAULT_POINTS))
    if (end - start) / step > POINT_LIMIT:
        raise Refused(400, "query.bad-value", f"more than {POINT_LIMIT} points", "a larger step or a shorter span")
    read = request.app[DEPS].series
    try:
        found = await asyncio.to_thread(read, query["kind"], query["entity"], query["field"], start, end, step)
    except (LookupError, ValueError) as error:
        message = str(error.args[0]) if error.args else "there is no such series"
        raise Refused(400, "series.unknown", message, "kinds and fields are those of the samples") from error
    return data(found)


def _step(text: str | None, default: float) -> float:
    if text is None:
        return default
    try:
        try:
            step = finite(float(text))
        except ValueError:
            step = parse_duration(text)
        if step <= 0:
            raise ValueError(text)
    except ValueError:
        hint = "seconds, or a duration such as 10s"
        raise Refused(400, "query.bad-value", f"step={text!r} is not a step", hint) from None
    return step


ROUTES = (
    Route(
        path="/v1/series",
        handler=get_series,
        doc="One field of one entity over time; a counter as its rate.",
        answer=Series,
        query=(
            Query("kind", "Kind of sample, such as core.", required=True),
            Query("entity", "What it is about, such as core:0.", required=True),
            Query("field", "The field, such as user_ticks.", required=True),
            Query("start", "Unix seconds or RFC 3339; 15 min before the end if not given."),
            Query("end", "Unix seconds or RFC 3339; now if not given."),
            Query("step", "Seconds or a duration; a 300th of the span if not given."),
        ),
    ),
)
