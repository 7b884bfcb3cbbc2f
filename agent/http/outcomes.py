"""Which changes were made, what came of them, and how good were the promises?"""

import asyncio

import msgspec
from aiohttp import web

from advisor.documents import OutcomesDocument
from advisor.ledger.outcome import Outcome
from agent.http.context import DEPS, read_body
from agent.http.envelope import Refused, data
from agent.http.route import Query, Route
from collectors.units import parse_duration


class VerifyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/advice/{id}/verify`: what the finding asked for was done, `since` ago (`5min`); without it, now."""

    since: str | None = None

    def __post_init__(self) -> None:
        if self.since is not None and not 0 <= parse_duration(self.since) <= 86400:
            raise ValueError(f"since {self.since!r} is not between 0 and 24h")

    @property
    def since_seconds(self) -> float:
        return 0.0 if self.since is None else parse_duration(self.since)


async def get_outcomes(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(request.app[DEPS].outcomes)
    service, rule = request.query.get("service"), request.query.get("rule")
    outcomes = tuple(
        one
        for one in found.outcomes
        if (service is None or one.service == service) and (rule is None or any(p.rule == rule for p in one.promises))
    )
    scores = tuple(one for one in found.scores if rule is None or one.rule == rule)
    return data(OutcomesDocument(outcomes=outcomes, scores=scores))


async def get_outcome(request: web.Request) -> web.Response:
    name = request.match_info["id"]
    found = await asyncio.to_thread(request.app[DEPS].outcomes)
    outcome = next((one for one in found.outcomes if one.id == name), None)
    if outcome is None:
        raise Refused(404, "outcome.unknown", f"there is no outcome {name!r}", "the ids are in /v1/outcomes")
    return data(outcome)


async def post_verify(request: web.Request) -> web.Response:
    name = request.match_info["id"]
    asked = await read_body(request, VerifyRequest)
    begun = await asyncio.to_thread(request.app[DEPS].verify, name, asked.since_seconds)
    if begun is None:
        hint = "the ids are in /v1/advice; one that ended more than a day ago is not known any more"
        raise Refused(404, "finding.unknown", f"there is no finding {name!r}", hint)
    return data(begun)


ROUTES = (
    Route(
        path="/v1/outcomes",
        handler=get_outcomes,
        doc="Changes of services and what came of them beside what was promised, newest first; scores of the promises.",
        answer=OutcomesDocument,
        query=(
            Query("service", "Only changes of this service, by its name."),
            Query("rule", "Only what this rule promised."),
        ),
    ),
    Route(path="/v1/outcomes/{id}", handler=get_outcome, doc="One outcome.", answer=Outcome),
    Route(
        method="POST",
        path="/v1/advice/{id}/verify",
        handler=post_verify,
        doc="Measure from now on what came of a change that no lever shows.",
        answer=Outcome,
        body=VerifyRequest,
    ),
)
