"""How does Prometheus read the node?"""

import asyncio

from aiohttp import web

from advisor.documents import Snapshot
from agent.http.context import DEPS, need_snapshot
from agent.http.deps import HttpDeps
from agent.http.exposition import Exposition
from agent.http.route import Route


async def get_metrics(request: web.Request) -> web.Response:
    deps = request.app[DEPS]
    body, content_type = await asyncio.to_thread(_page, need_snapshot(request), deps, request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})


def _page(snapshot: Snapshot, deps: HttpDeps, accept: str) -> tuple[bytes, str]:
    """OpenMetrics where it is accepted, else the text format. Takes some 10 ms on a large node: not for the loop."""
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    return encode(Exposition(snapshot, deps.latest(), deps.service_cgroups())), content_type


ROUTES = (
    Route(
        path="/metrics",
        handler=get_metrics,
        doc="Every number for Prometheus: OpenMetrics, or the text format.",
        media="text/plain",
    ),
)
