"""Which profiles were taken? This version takes none."""

from typing import NoReturn

from aiohttp import web

from agent.http.envelope import Refused, data
from agent.http.route import Query, Route

HINT = "use py-spy record -p PID"


async def get_profiles(request: web.Request) -> web.Response:
    return data(())


async def get_profile(request: web.Request) -> NoReturn:
    raise Refused(404, "profile.unknown", f"there is no profile {request.match_info['id']!r}", HINT)


async def post_profile(request: web.Request) -> NoReturn:
    raise Refused(501, "profile.unsupported", "profiling is not part of this version", HINT)


_FORMATS = ("speedscope", "collapsed", "svg")
ROUTES = (
    Route(path="/v1/profiles", handler=get_profiles, doc="The profiles that were taken.", answer=tuple[()]),
    Route(method="POST", path="/v1/profiles", handler=post_profile, doc="Take a profile: not in this version (501)."),
    Route(
        path="/v1/profiles/{id}",
        handler=get_profile,
        doc="One profile.",
        query=(Query("format", "How it is written.", _FORMATS),),
    ),
)
