"""What does watching cost?"""

from aiohttp import web

from advisor.documents import SelfStatus
from agent.http.context import AT, from_snapshot
from agent.http.route import Route


async def get_self(request: web.Request) -> web.Response:
    return await from_snapshot(request, "self_status")


ROUTES = (
    Route(
        path="/v1/self",
        handler=get_self,
        doc="CPU, memory and lateness of the agent itself.",
        answer=SelfStatus,
        query=(AT,),
    ),
)
