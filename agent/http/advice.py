"""What holds the services back, what is to be changed, and who has taken note?"""

import asyncio
from typing import get_args

import msgspec
from aiohttp import web

from advisor.documents import AdviceDocument
from advisor.evidence_series import evidence_series
from advisor.finding import Finding, Inconclusive, Severity, Subject
from advisor.series import EvidenceSeries
from agent.http.context import AT, DEPS, from_snapshot, need_snapshot, of_service, of_snapshot, read_body
from agent.http.deps import AckRequest
from agent.http.envelope import Refused, data
from agent.http.moments import moment
from agent.http.past_snapshot import AnySnapshot
from agent.http.route import Query, Route

STATES: tuple[str, ...] = get_args(Finding.__annotations__["state"])


async def get_advice(request: web.Request) -> web.Response:
    if not request.query:
        return await from_snapshot(request, "advice")
    snapshot = await need_snapshot(request)
    rules = [page.id for page in request.app[DEPS].rules()]
    rule = request.query.get("rule")
    if rule is not None and rule not in rules:
        raise Refused(400, "query.bad-value", f"there is no rule {rule!r}", f"rules: {', '.join(rules)}")
    severity = request.query.get("severity")
    document = filtered(
        snapshot,
        service=of_service(request, snapshot),
        severity=None if severity is None else Severity(severity),
        state=request.query.get("state"),
        rule=rule,
    )
    return of_snapshot(snapshot, document)


async def get_finding(request: web.Request) -> web.Response:
    """As it stands, or as it was when it ended."""
    return data(await need_finding(request, request.match_info["id"], await need_snapshot(request)))


async def get_finding_series(request: web.Request) -> web.Response:
    """Over the time that was judged last, and half as much before it."""
    snapshot, deps = await need_snapshot(request), request.app[DEPS]
    found = await need_finding(request, request.match_info["id"], snapshot)
    until = moment(request.query.get("until", found.last_seen), "until", 0.0)
    cgroup = deps.service_cgroups().get(found.subject.name)
    return data(await asyncio.to_thread(evidence_series, found, until, snapshot, cgroup, deps.several))


async def need_finding(request: web.Request, name: str, snapshot: AnySnapshot) -> Finding:
    """As it stands, or as it was when it ended; Refused(404) where it is not known."""
    found = next((one for one in snapshot.advice.findings if one.id == name), None)
    if found is None:
        found = await asyncio.to_thread(request.app[DEPS].kept.finding, name)
    if found is None:
        raise _unknown(name)
    return found


async def post_finding(request: web.Request) -> web.Response:
    name = request.match_info["id"]
    asked = await read_body(request, AckRequest)
    deps = request.app[DEPS]
    found = await asyncio.to_thread(deps.acknowledge, name, asked)
    if found is not None:
        return data(found)
    ended = await asyncio.to_thread(deps.kept.finding, name)
    if ended is None:
        raise _unknown(name)
    message = f"the finding {name!r} is not open ({ended.rule}, last seen {ended.last_seen})"
    raise Refused(409, "finding.ended", message, "acknowledge it when it is seen again")


def filtered(
    snapshot: AnySnapshot, *, service: str | None, severity: Severity | None, state: str | None, rule: str | None
) -> AdviceDocument:
    """The advice cut to what was asked for. An inconclusive rule has neither severity nor state, so those leave it."""
    document = snapshot.advice
    pids = frozenset(pid for one in snapshot.services if one.name == service for pid in one.pids)

    def wanted(one: Finding | Inconclusive) -> bool:
        return (rule is None or one.rule == rule) and (service is None or concerns(one.subject, service, pids))

    return msgspec.structs.replace(
        document,
        services=tuple(one for one in document.services if service is None or one.name == service),
        findings=tuple(
            one
            for one in document.findings
            if wanted(one)
            and (severity is None or one.severity.level >= severity.level)
            and (state is None or one.state == state)
        ),
        inconclusive=tuple(one for one in document.inconclusive if wanted(one)),
        plans=tuple(plan for plan in document.plans if service is None or plan.service == service),
    )


def concerns(subject: Subject, service: str, pids: frozenset[int]) -> bool:
    """Whether a subject is the service itself or a part of it."""
    return subject.name == service or not pids.isdisjoint(subject.pids)


def _unknown(name: str) -> Refused:
    return Refused(404, "finding.unknown", f"there is no finding {name!r}", "the ids are in /v1/advice")


ROUTES = (
    Route(
        path="/v1/advice",
        handler=get_advice,
        doc="Findings, verdicts, and what could not be concluded.",
        answer=AdviceDocument,
        query=(
            Query("service", "Only what concerns this service, by its name."),
            Query("severity", "At least this severe.", tuple(Severity)),
            Query("state", "Only findings in this state.", STATES),
            Query("rule", "Only this rule, by its id."),
            AT,
        ),
    ),
    Route(
        path="/v1/advice/{id}",
        handler=get_finding,
        doc="One finding, as it stands or as it was when it ended.",
        answer=Finding,
    ),
    Route(
        path="/v1/advice/{id}/series",
        handler=get_finding_series,
        doc="How the figures of its evidence of which something is stored developed, over what was judged and before it.",
        answer=tuple[EvidenceSeries, ...],
        query=(
            Query("until", "End of what was judged: Unix seconds or RFC 3339; when it was seen last if not given."),
            AT,
        ),
    ),
    Route(
        method="POST",
        path="/v1/advice/{id}",
        handler=post_finding,
        doc="Acknowledge or snooze a finding, or open it again.",
        answer=Finding,
        body=AckRequest,
    ),
)
