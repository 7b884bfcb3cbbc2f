"""What is one route: its path, what it takes and what it answers? Checks and `/openapi.json` come from it."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from agent.http.envelope import Handler, Refused


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query. `choices` are its only values, where they are fixed."""

    name: str
    doc: str
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`answer` is the type inside `data`; None where the answer is not JSON (`media`)."""

    method: str = "GET"
    path: str
    handler: Handler
    doc: str
    answer: Any = None
    media: str = "application/json"
    other_media: tuple[str, ...] = ()
    """As what else it can be answered, where the query asks for it."""
    query: tuple[Query, ...] = ()
    body: Any = None
    public: bool = False
    """Answered to anybody: says nothing about the node."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The handler, after the query was found to be as declared. Raises Refused(400)."""
        self._check_query(request)
        return await self.handler(request)

    def _check_query(self, request: web.Request) -> None:
        known = {query.name: query for query in self.query}
        for name in request.query:
            if name not in known:
                allowed = ", ".join(known) or "none"
                raise Refused(
                    400, "query.unknown", f"unknown parameter {name!r}", f"parameters of {self.path}: {allowed}"
                )
            values = request.query.getall(name)
            if len(values) > 1:
                raise Refused(400, "query.twice", f"parameter {name!r} is given {len(values)} times", "give it once")
            if known[name].choices and values[0] not in known[name].choices:
                allowed = ", ".join(known[name].choices)
                raise Refused(400, "query.bad-value", f"{name}={values[0]!r} is not possible", f"one of: {allowed}")
        for query in self.query:
            if query.required and query.name not in request.query:
                raise Refused(400, "query.missing", f"parameter {query.name!r} is missing", query.doc)
