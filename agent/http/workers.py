"""Which processes make up the services?"""

from aiohttp import web

from advisor.documents import WorkerStatus
from agent.http.context import AT, from_snapshot, need_snapshot, of_service
from agent.http.envelope import data
from agent.http.route import Query, Route


async def get_workers(request: web.Request) -> web.Response:
    service = of_service(request, need_snapshot(request)) if request.query else None
    if service is None:
        return from_snapshot(request, "workers", lambda snapshot: snapshot.workers)
    return data([worker for worker in need_snapshot(request).workers if worker.service == service])


ROUTES = (
    Route(
        path="/v1/workers",
        handler=get_workers,
        doc="Every process of the services over the last 15 s, with its busiest threads.",
        answer=tuple[WorkerStatus, ...],
        query=(Query("service", "Only this service, by its name."), AT),
    ),
)
