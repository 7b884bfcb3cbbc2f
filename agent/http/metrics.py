"""How does Prometheus read the node?"""

import asyncio

from aiohttp import web

from advisor.documents import Snapshot
from agent.http.context import DEPS, PAGES, present_snapshot
from agent.http.deps import HttpDeps
from agent.http.exposition import Exposition
from agent.http.page import Pages
from agent.http.route import Route


async def get_metrics(request: web.Request) -> web.Response:
    deps, pages = request.app[DEPS], request.app[PAGES]
    accept, snapshot = request.headers.get("Accept", ""), present_snapshot(request)
    body, content_type = await asyncio.to_thread(_page, snapshot, deps, pages, accept)
    return web.Response(body=body, headers={"Content-Type": content_type})


def _page(snapshot: Snapshot, deps: HttpDeps, pages: Pages, accept: str) -> tuple[bytes, str]:
    """OpenMetrics where it is accepted, else the text format. Takes some milliseconds on a large node: not for the loop."""
    page = Exposition(snapshot, deps.latest(), deps.service_cgroups(), deps.most_series)
    return pages.written(page.families(), accept)


ROUTES = (
    Route(
        path="/metrics",
        handler=get_metrics,
        doc="Every number for Prometheus: OpenMetrics, or the text format.",
        media="text/plain",
    ),
)
