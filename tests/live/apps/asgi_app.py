"""An ASGI application that works as `work.py` says, in the event loop itself: while it works, its process does nothing
else."""

import numpy  # noqa: F401 - so that a compute library is mapped, as in a model server
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from work import WORK


def _route(path):
    async def endpoint(request):
        return JSONResponse(WORK[path]())

    return Route(path, endpoint)


app = Starlette(routes=[_route(path) for path in WORK])
