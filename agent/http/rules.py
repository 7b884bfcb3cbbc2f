"""Which rules judge, and what does the page of each say?"""

from aiohttp import web

from advisor.documents import RulePage
from agent.config_draft import nearest
from agent.http.context import DEPS
from agent.http.envelope import Refused, data
from agent.http.route import Route


async def get_rules(request: web.Request) -> web.Response:
    return data(request.app[DEPS].rules())


async def get_rule(request: web.Request) -> web.Response:
    name = request.match_info["id"]
    pages = {page.id: page for page in request.app[DEPS].rules()}
    if name not in pages:
        hint = f"did you mean {nearest(name, pages)}?" if pages else "this version has no rules"
        raise Refused(404, "rule.unknown", f"there is no rule {name!r}", hint)
    return data(pages[name])


ROUTES = (
    Route(path="/v1/rules", handler=get_rules, doc="The page of every rule.", answer=tuple[RulePage, ...]),
    Route(path="/v1/rules/{id}", handler=get_rule, doc="The page of one rule.", answer=RulePage),
)
