"""Which document describes the interface? OpenAPI 3.1, from the routes and the documents' own declarations."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from advisor.documents import PastStatus, Problem
from agent.http.encoded import encode
from agent.http.envelope import JSON
from agent.http.route import Query, Route
from agent.http.stream import StreamEvent

_REFERENCE = "#/components/schemas/{name}"


def openapi_document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Every route with its parameters, body and answers."""
    answers = [route.answer for route in routes if route.answer is not None]
    bodies = [route.body for route in routes if route.body is not None]
    kinds = [*answers, *bodies, Problem, PastStatus, StreamEvent]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    schema_of = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "nodewright", "version": version, "description": "What holds a node's model servers back."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def openapi_route(routes: Callable[[], Sequence[Route]], version: str) -> Route:
    """`/openapi.json`; the bytes are made at the first request."""
    made: list[bytes] = []

    async def get_openapi(request: web.Request) -> web.Response:
        if not made:
            made.append(encode(openapi_document(routes(), version)))
        return web.Response(body=made[0], content_type=JSON)

    return Route(path="/openapi.json", handler=get_openapi, doc="This description (not in the envelope).")


def _operation(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.doc,
        "operationId": route.handler.__name__,
        "parameters": [_path_parameter(name) for name in re.findall(r"{(\w+)}", route.path)]
        + [_query_parameter(query) for query in route.query],
        "responses": {"200": _answer(route, schema_of), "default": _problem(schema_of)},
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of[repr(route.body)]}}}
    if not route.public:
        operation["security"] = [{"token": []}] if route.method != "GET" else [{}, {"token": []}]
    return operation


def _answer(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if route.media == JSON:
        inner = {} if route.answer is None else schema_of[repr(route.answer)]
        beside = {"past": schema_of[repr(PastStatus)]} if any(query.name == "at" for query in route.query) else {}
        schema = {"type": "object", "required": ["data"], "properties": {"data": inner, **beside}}
    content = {media: {"schema": {"type": "string"}} for media in route.other_media}
    return {"description": route.doc, "content": {route.media: {"schema": schema}, **content}}


def _problem(schema_of: dict[str, Any]) -> dict[str, Any]:
    inner = schema_of[repr(Problem)]
    schema = {"type": "object", "required": ["error"], "properties": {"error": inner}}
    return {"description": "What went wrong and what to do.", "content": {JSON: {"schema": schema}}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameter(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} | ({"enum": list(query.choices)} if query.choices else {})
    return {"name": query.name, "in": "query", "required": query.required, "description": query.doc, "schema": schema}
