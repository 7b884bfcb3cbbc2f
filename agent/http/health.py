"""Is the agent alive, and does it have something to say?"""

import msgspec
from aiohttp import web

from agent.http.context import present_snapshot
from agent.http.envelope import data
from agent.http.route import Route


class Health(msgspec.Struct, frozen=True):
    """`ok` for as long as there is an answer."""

    status: str


async def get_health(request: web.Request) -> web.Response:
    return data(Health("ok"))


async def get_ready(request: web.Request) -> web.Response:
    present_snapshot(request)
    return data(Health("ok"))


ROUTES = (
    Route(path="/healthz", handler=get_health, doc="The process answers.", answer=Health, public=True),
    Route(
        path="/readyz", handler=get_ready, doc="A first snapshot is there; 503 until then.", answer=Health, public=True
    ),
)
