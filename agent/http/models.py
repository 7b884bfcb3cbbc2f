"""Which models do the services hold?"""

from aiohttp import web

from advisor.documents import ModelStatus
from agent.http.context import AT, from_snapshot, need_snapshot, of_service
from agent.http.envelope import data
from agent.http.route import Query, Route


async def get_models(request: web.Request) -> web.Response:
    service = of_service(request, need_snapshot(request)) if request.query else None
    if service is None:
        return from_snapshot(request, "models", lambda snapshot: snapshot.models)
    return data([model for model in need_snapshot(request).models if model.service == service])


ROUTES = (
    Route(
        path="/v1/models",
        handler=get_models,
        doc="Every model that a service holds.",
        answer=tuple[ModelStatus, ...],
        query=(Query("service", "Only this service, by its name."), AT),
    ),
)
