"""Of which earlier moments can be asked?"""

from aiohttp import web

from advisor.documents import Timeline
from agent.http.context import need_timeline
from agent.http.envelope import Refused, data
from agent.http.moments import moment
from agent.http.route import Query, Route


async def get_timeline(request: web.Request) -> web.Response:
    since, until = (
        None if (text := request.query.get(name)) is None else moment(text, name, 0.0) for name in ("since", "until")
    )
    if since is not None and until is not None and not since < until:
        raise Refused(400, "query.bad-value", "since is not before until", "both are Unix seconds or RFC 3339")
    return data(await need_timeline(request, since, until))


ROUTES = (
    Route(
        path="/v1/timeline",
        handler=get_timeline,
        doc="The moments for which `at=` has an answer: of a recording all of them, of a running agent those of an hour that "
        "are stored, and when anything was.",
        answer=Timeline,
        query=(
            Query("since", "Unix seconds or RFC 3339. Of a running agent an hour before the end if not given."),
            Query("until", "Unix seconds or RFC 3339; to now if not given."),
        ),
    ),
)
