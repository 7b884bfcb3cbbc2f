"""Which work of the services would be better off on a device?"""

from aiohttp import web

from advisor.migration.result import MigrationEstimate
from agent.http.context import AT, from_snapshot, need_snapshot, of_service, of_snapshot
from agent.http.route import Query, Route


async def get_migration(request: web.Request) -> web.Response:
    if "service" not in request.query:
        return await from_snapshot(request, "migrations")
    snapshot = await need_snapshot(request)
    service = of_service(request, snapshot)
    return of_snapshot(snapshot, [one for one in snapshot.migrations if one.service == service])


ROUTES = (
    Route(
        path="/v1/migration",
        handler=get_migration,
        doc="Of each service on CPUs: would a device be faster, does the model fit, what would it cost, and the verdict.",
        answer=tuple[MigrationEstimate, ...],
        query=(Query("service", "Only this service, by its name."), AT),
    ),
)
