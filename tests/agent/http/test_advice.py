"""Advice is cut to what was asked for, and findings are acknowledged."""

import msgspec
import pytest

from advisor.documents import AdviceDocument, FindingEvent
from agent.http.deps import AckRequest
from tests.agent.http.example import BEARER, example_deps
from tests.snapshots import HEALTHY, LOADED, example_findings

OVERSUBSCRIBED, PRESSURE, SWITCHES, DEFAULT, IDLE = example_findings()


async def advice(client, query: str) -> AdviceDocument:
    answer = await client.get(f"/v1/advice?{query}")
    assert answer.status == 200, await answer.text()
    return msgspec.convert((await answer.json())["data"], type=AdviceDocument)


async def problem(client, query: str) -> dict[str, str]:
    answer = await client.get(f"/v1/advice?{query}")
    assert answer.status == 400
    return (await answer.json())["error"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("severity=info", [OVERSUBSCRIBED, PRESSURE, SWITCHES, DEFAULT, IDLE]),
        ("severity=medium", [OVERSUBSCRIBED, PRESSURE, SWITCHES]),
        ("severity=critical", [PRESSURE]),
        ("state=acknowledged", [DEFAULT]),
        ("state=resolved", []),
        ("rule=context-switch-storm", [SWITCHES]),
        (f"service={LOADED}", [OVERSUBSCRIBED, SWITCHES]),
        (f"service={HEALTHY}&state=open", [IDLE]),
    ],
)
async def test_a_filter_keeps_what_was_asked_for(client, query, expected):
    assert list((await advice(client, query)).findings) == expected


async def test_a_service_filter_cuts_verdicts_and_inconclusive_rules_too(client):
    own = await advice(client, f"service={LOADED}")
    assert [one.name for one in own.services] == [LOADED]
    assert [one.rule for one in own.inconclusive] == ["gil-bound-worker"]
    other = await advice(client, f"service={HEALTHY}")
    assert other.inconclusive == ()


@pytest.mark.parametrize(
    ("query", "key", "named"),
    [
        ("severity=terrible", "query.bad-value", "info, low, medium, high, critical"),
        ("state=closed", "query.bad-value", "open, acknowledged, snoozed, resolved, superseded"),
        ("rule=none", "query.bad-value", "memory-pressure"),
        ("service=none", "query.bad-value", LOADED),
        ("since=1", "query.unknown", "service, severity, state, rule"),
        ("rule=memory-pressure&rule=gil-bound-worker", "query.twice", "once"),
        ("severity=", "query.bad-value", "critical"),
    ],
)
async def test_a_bad_parameter_names_what_is_possible(client, query, key, named):
    error = await problem(client, query)
    assert error["key"] == key
    assert named in error["hint"]


async def test_one_finding_is_read_by_its_id(client):
    answer = await client.get(f"/v1/advice/{OVERSUBSCRIBED.id}")
    assert (await answer.json())["data"]["rule"] == "cpu-oversubscribed-openmp"
    assert (await client.get("/v1/advice/0000")).status == 404


class Kept:
    """One finding that has ended."""

    def finding(self, identity):
        return msgspec.structs.replace(IDLE, id="ended", state="resolved") if identity == "ended" else None

    def history(self, **wanted):
        self.wanted = wanted
        return (
            FindingEvent(
                at="2026-11-20T10:00:00Z", finding="ended", event="resolved", rule=IDLE.rule,
                subject=HEALTHY, severity=IDLE.severity, title=IDLE.title,
            ),
        )  # fmt: skip


async def test_a_finding_that_ended_is_still_read_but_cannot_be_acknowledged(make_client):
    client = await make_client(example_deps(kept=Kept()))
    answer = await client.get("/v1/advice/ended")
    assert (await answer.json())["data"]["state"] == "resolved"
    answer = await client.post("/v1/advice/ended", json={"state": "acknowledged", "reason": "x"}, headers=BEARER)
    assert answer.status == 409
    error = (await answer.json())["error"]
    assert (error["key"], error["hint"]) == ("finding.ended", "acknowledge it when it is seen again")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/history", {"finding": None, "service": None, "start": 0.0, "end": 9e9, "limit": 100}),
        (
            "/v1/history?service=gone&since=1970-01-01T00:01:00Z&limit=7",
            {"finding": None, "service": "gone", "start": 60.0, "end": 9e9, "limit": 7},
        ),
        (
            "/v1/advice/ended/history?since=-5&until=9e10",
            {"finding": "ended", "service": None, "start": 0.0, "end": 9e9, "limit": 100},
        ),
    ],
)
async def test_history_is_asked_for_by_service_finding_and_time(make_client, path, wanted):
    kept = Kept()
    client = await make_client(example_deps(kept=kept))
    answer = await client.get(path)
    assert answer.status == 200, await answer.text()
    assert [one["event"] for one in (await answer.json())["data"]] == ["resolved"]
    assert kept.wanted == wanted


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "since=yesterday", "finding=ended"])
async def test_a_history_is_bounded(client, query):
    assert (await client.get(f"/v1/history?{query}")).status == 400


async def test_a_finding_is_acknowledged_with_the_token(client):
    url = f"/v1/advice/{OVERSUBSCRIBED.id}"
    answer = await client.post(url, json={"state": "acknowledged", "reason": "known"}, headers=BEARER)
    assert answer.status == 200
    assert (await answer.json())["data"]["state"] == "acknowledged"
    assert (await client.post("/v1/advice/0000", json={"state": "open"}, headers=BEARER)).status == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"state": "gone"}',
        b'{"state": "snoozed"}',
        b'{"state": "snoozed", "expires_in": "7"}',
        b'{"state": "snoozed", "expires_in": "0s"}',
        b'{"state": "open", "expires_in": "900y"}',
        b'{"state": "open", "reson": "typo"}',
        b'{"state": "open", "reason": "two\\nlines"}',
        b'{"state": "open", "owner": " "}',
        b'{"state": "open", "owner": "a\\u001b[31mb"}',
        b'{"state": "open", "reason": "' + b"x" * 1001 + b'"}',
        b"\xff",
    ],
)
async def test_a_body_that_is_not_as_described_is_refused(client, body):
    headers = BEARER | {"Content-Type": "application/json"}
    answer = await client.post(f"/v1/advice/{OVERSUBSCRIBED.id}", data=body, headers=headers)
    assert answer.status == 400
    assert (await answer.json())["error"]["key"] == "body.invalid"


def test_an_expiry_is_a_duration_with_its_unit():
    assert AckRequest(state="snoozed", expires_in="7d").expires_seconds == 604800
    assert AckRequest(state="acknowledged").expires_seconds is None


async def test_the_figures_of_a_finding_are_told_as_they_developed(make_client):
    asked = []

    def several(kind, entities, field, start, end, step):
        asked.append((kind, len(entities), field, start, end, step))
        return {one: [(start, 0.25)] for one in entities} if kind == "thread_class" else {}

    client = await make_client(example_deps(several=several, service_cgroups=lambda: {LOADED: "cgroup:/app"}))
    found = OVERSUBSCRIBED.id
    answer = await client.get(f"/v1/advice/{found}/series?until=2026-11-20T09:59:58Z")
    (one,) = (await answer.json())["data"]
    end = 1795168800.0
    assert one == {
        "metric": "waiting_cores", "start": end - 60, "step_seconds": 2.0, "judged_from": end - 17, "judged_to": end - 2,
        "values": [3.75, *[None] * 29],
    }  # fmt: skip
    assert asked == [("thread_class", 15, "delay_ns", end - 60, end, 2.0)]
    answer = await client.get("/v1/advice/nothing/series")
    assert (answer.status, (await answer.json())["error"]["key"]) == (404, "finding.unknown")
