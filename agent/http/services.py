"""Which services run on the node?"""

import asyncio

from aiohttp import web

from advisor.documents import ServiceStatus
from advisor.measured import MeasuredCapacity
from agent.capacities import CapacityRequest, StaleCapacity
from agent.http.context import AT, DEPS, from_snapshot, read_body
from agent.http.envelope import Refused, data
from agent.http.route import Route


async def get_services(request: web.Request) -> web.Response:
    return await from_snapshot(request, "services")


async def post_capacity(request: web.Request) -> web.Response:
    service = request.match_info["id"]
    told = await read_body(request, CapacityRequest)
    try:
        learnt = await asyncio.to_thread(request.app[DEPS].learn_capacity, service, told)
    except StaleCapacity as error:
        raise Refused(409, "capacity.stale", str(error), "run the load test again") from error
    if learnt is None:
        raise Refused(404, "service.unknown", f"there is no service {service!r}", "the ids are in /v1/services")
    return data(learnt)


ROUTES = (
    Route(
        path="/v1/services",
        handler=get_services,
        doc="Every service over the last 15 s.",
        answer=tuple[ServiceStatus, ...],
        query=(AT,),
    ),
    Route(
        method="POST",
        path="/v1/services/{id}/capacity",
        handler=post_capacity,
        doc="What a load test found out about a service.",
        answer=MeasuredCapacity,
        body=CapacityRequest,
    ),
)
