"""How is the node?"""

from aiohttp import web

from advisor.documents import NodeStatus
from agent.http.context import AT, from_snapshot
from agent.http.route import Route


async def get_node(request: web.Request) -> web.Response:
    return await from_snapshot(request, "node")


ROUTES = (
    Route(
        path="/v1/node",
        handler=get_node,
        doc="Cores, memory, pressure and collectors.",
        answer=NodeStatus,
        query=(AT,),
    ),
)
