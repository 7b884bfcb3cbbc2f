"""Which models do the services hold?"""

from aiohttp import web

from advisor.documents import ModelStatus
from agent.http.context import AT, from_snapshot, need_snapshot, of_service, of_snapshot
from agent.http.route import Query, Route


async def get_models(request: web.Request) -> web.Response:
    if "service" not in request.query:
        return await from_snapshot(request, "models")
    snapshot = await need_snapshot(request)
    service = of_service(request, snapshot)
    return of_snapshot(snapshot, [model for model in snapshot.models if model.service == service])


ROUTES = (
    Route(
        path="/v1/models",
        handler=get_models,
        doc="Every model that a service holds.",
        answer=tuple[ModelStatus, ...],
        query=(Query("service", "Only this service, by its name."), AT),
    ),
)
