"""Of which earlier moments can be asked?"""

from aiohttp import web

from advisor.documents import Timeline
from agent.http.context import need_timeline
from agent.http.envelope import data
from agent.http.route import Route


async def get_timeline(request: web.Request) -> web.Response:
    return data(need_timeline(request))


ROUTES = (
    Route(
        path="/v1/timeline",
        handler=get_timeline,
        doc="The moments of a recording for which `at=` has an answer; a running agent has none.",
        answer=Timeline,
    ),
)
