"""Which routes make up the interface, and in which order is a request checked?"""

import asyncio

from aiohttp import web

from agent.http import (
    advice,
    health,
    history,
    metrics,
    migration,
    models,
    node,
    outcomes,
    profiles,
    rules,
    self_,
    series,
    services,
    stream,
    timeline,
    workers,
)
from agent.http.context import DEPS, ENCODED, MERGING, PAGES
from agent.http.deps import HttpDeps
from agent.http.encoded import EncodedSnapshot
from agent.http.envelope import envelope
from agent.http.openapi import openapi_route
from agent.http.page import Pages
from agent.http.prometheus import load_prometheus_client
from agent.http.route import Route
from agent.http.security import guard

BODY_LIMIT_BYTES = 64 << 10
_RESOURCES = (
    health, metrics, node, services, workers, models, migration, series, advice, history, outcomes, rules, profiles, stream,
    self_, timeline,
)  # fmt: skip


def all_routes(version: str) -> tuple[Route, ...]:
    """Every route, `/openapi.json` last."""
    own = tuple(route for resource in _RESOURCES for route in resource.ROUTES)
    return (*own, openapi_route(lambda: own, version))


def build_app(deps: HttpDeps, version: str = "") -> web.Application:
    """The interface over `deps`. Reads nothing until it is asked."""
    load_prometheus_client()
    routes = all_routes(version)
    public = frozenset(route.path for route in routes if route.public)
    app = web.Application(middlewares=[envelope, guard(deps, public)], client_max_size=BODY_LIMIT_BYTES)
    app[DEPS] = deps
    app[MERGING] = asyncio.Semaphore(1)
    app[ENCODED] = EncodedSnapshot()
    app[PAGES] = Pages()
    app[stream.STREAMS] = set()
    app.add_routes([web.route(route.method, route.path, route.handle) for route in routes if route.method != "GET"])
    app.add_routes([web.get(route.path, route.handle) for route in routes if route.method == "GET"])
    app.on_startup.append(_bind_updates)
    app.on_shutdown.append(_close_updates)
    return app


async def _bind_updates(app: web.Application) -> None:
    app[DEPS].updates.bind(asyncio.get_running_loop())


async def _close_updates(app: web.Application) -> None:
    """Ends the streams, which would otherwise hold up the end of the agent."""
    app[DEPS].updates.close()
