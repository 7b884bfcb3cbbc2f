"""How does every answer come in one envelope, `{"data": …}` or `{"error": {key, message, hint}}`?"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from advisor.documents import PastStatus, Problem
from agent.http.encoded import data_body, error_body

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
JSON = "application/json"
_log = logging.getLogger(__name__)

_OF_STATUS: Mapping[int, Problem] = {
    400: Problem("request.malformed", "the request cannot be understood", "see /openapi.json"),
    404: Problem("path.unknown", "there is nothing at this path", "the paths are listed in /openapi.json"),
    413: Problem("body.too-large", "the body is larger than 64 KiB", "send less"),
}


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """Ends a request with this status and problem."""

    def __init__(
        self, status: int, key: str, message: str, hint: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(key, message, hint)
        self.headers = dict(headers or {})


def data(document: object, status: int = 200, past: PastStatus | None = None) -> web.Response:
    """`past`: how a moment of the past comes to be known, told beside the document."""
    return web.Response(body=data_body(document, past), status=status, content_type=JSON)


@web.middleware
async def envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost step: whatever ends a request becomes an answer in the envelope; a fault of ours is logged."""
    try:
        response = await handler(request)
    except Refused as refused:
        response = _error(refused.status, refused.problem, refused.headers)
    except web.HTTPException as end:
        response = _of_http(request, end)
    except ConnectionError:  # the client has gone; there is nobody to answer
        raise
    except Exception:  # the boundary of the interface: a fault in one answer ends neither the agent nor the envelope
        _log.exception("request failed", extra={"method": request.method, "path": request.path})
        problem = Problem("internal", "this answer could not be made", "see the agent's log")
        response = _error(500, problem, {})
    if not response.prepared:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    return response


def _error(status: int, problem: Problem, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=error_body(problem), status=status, content_type=JSON, headers=dict(headers))


def _of_http(request: web.Request, end: web.HTTPException) -> web.Response:
    if isinstance(end, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(end.allowed_methods))
        problem = Problem("method.not-allowed", f"{request.method} is not possible here", f"possible: {allowed}")
        return _error(end.status, problem, {"Allow": allowed})
    return _error(end.status, _OF_STATUS.get(end.status, Problem("http", end.reason, "see /openapi.json")), {})
