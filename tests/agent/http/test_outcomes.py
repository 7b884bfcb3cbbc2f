"""What came of changes is told, cut to what was asked for, and begun by hand."""

import msgspec
import pytest

from advisor.documents import OutcomesDocument
from advisor.finding import Gain
from advisor.ledger.configuration import LeverChange
from advisor.ledger.outcome import Measured, Outcome, Promise
from advisor.ledger.scores import scored, scores
from tests.agent.http.example import BEARER, example_deps

GAIN = Gain(metric="throughput_ratio", p10=2.0, p50=4.0, p90=8.0)
PROMISE = Promise(
    finding="f1", rule="cpu-oversubscribed-openmp", rule_version="1", title="t", confidence=0.8, gains=(GAIN,),
    as_proposed=True,
)  # fmt: skip
MEASURED = Measured(
    metric="throughput_ratio", ratio=5.0, low=4.0, high=6.0, what="requests", before=10.0, after=50.0, samples_before=12,
    samples_after=12,
)  # fmt: skip
VERIFIED = Outcome(
    id="o1", service="gunicorn/a:1", service_id="1", state="verified",
    changes=(LeverChange(lever="compute_threads", old="default", new=1),), promises=(PROMISE,),
    changed_at="2026-11-20T10:00:00Z",
    measured=(MEASURED,), covered={"throughput_ratio": True}, because="it helped", stable=True, final=True,
)  # fmt: skip
OTHER = msgspec.structs.replace(VERIFIED, id="o2", service="gunicorn/b:2", promises=(), state="unclear", covered={})
DOCUMENT = OutcomesDocument(outcomes=(VERIFIED, OTHER), scores=scores(scored([VERIFIED]), {}))


@pytest.fixture
async def client(make_client):
    def verify(finding: str, since_seconds: float) -> Outcome | None:
        if finding != "f1":
            return None
        return msgspec.structs.replace(VERIFIED, state="waiting", because=f"{since_seconds:g} s ago", by_hand=True)

    return await make_client(example_deps(outcomes=lambda: DOCUMENT, verify=verify))


async def answer(client, path: str, kind: type) -> object:
    got = await client.get(path)
    assert got.status == 200, await got.text()
    return msgspec.convert((await got.json())["data"], type=kind)


async def test_all_of_them_with_the_scores_of_the_promises(client):
    found = await answer(client, "/v1/outcomes", OutcomesDocument)
    assert found == DOCUMENT
    assert (found.scores[0].rule, found.scores[0].outcomes, found.scores[0].coverage) == ("all", 1, 1.0)


@pytest.mark.parametrize(
    ("query", "ids"), [("service=gunicorn/b:2", ["o2"]), ("rule=cpu-oversubscribed-openmp", ["o1"]), ("rule=none", [])]
)
async def test_a_filter_keeps_what_was_asked_for(client, query, ids):
    found = await answer(client, f"/v1/outcomes?{query}", OutcomesDocument)
    assert [one.id for one in found.outcomes] == ids


async def test_one_by_its_id(client):
    assert await answer(client, "/v1/outcomes/o1", Outcome) == VERIFIED
    missing = await client.get("/v1/outcomes/none")
    assert (missing.status, (await missing.json())["error"]["key"]) == (404, "outcome.unknown")


async def test_verifying_begins_by_hand_and_needs_the_token(client):
    assert (await client.post("/v1/advice/f1/verify", json={})).status == 401
    begun = await client.post("/v1/advice/f1/verify", json={"since": "5min"}, headers=BEARER)
    told = (await begun.json())["data"]
    assert (begun.status, told["by_hand"], told["because"]) == (200, True, "300 s ago")


@pytest.mark.parametrize(
    ("path", "body", "status", "key"),
    [
        ("/v1/advice/none/verify", {}, 404, "finding.unknown"),
        ("/v1/advice/f1/verify", {"since": "3d"}, 400, "body.invalid"),
        ("/v1/advice/f1/verify", {"since": "soon"}, 400, "body.invalid"),
        ("/v1/advice/f1/verify", {"when": "now"}, 400, "body.invalid"),
    ],
)
async def test_what_cannot_be_verified_is_refused_in_one_sentence(client, path, body, status, key):
    refused = await client.post(path, json=body, headers=BEARER)
    assert (refused.status, (await refused.json())["error"]["key"]) == (status, key)
