"""Which services run on the node?"""

from aiohttp import web

from advisor.documents import ServiceStatus
from agent.http.context import from_snapshot
from agent.http.route import Route


async def get_services(request: web.Request) -> web.Response:
    return from_snapshot(request, "services", lambda snapshot: snapshot.services)


ROUTES = (
    Route(
        path="/v1/services",
        handler=get_services,
        doc="Every service over the last 15 s.",
        answer=tuple[ServiceStatus, ...],
    ),
)
