"""Each resource answers with its document in the envelope."""

from dataclasses import replace

import msgspec
import pytest

from advisor.documents import (
    AdviceDocument,
    ModelStatus,
    NodeStatus,
    RulePage,
    SelfStatus,
    ServiceStatus,
    ThreadStatus,
    WorkerStatus,
)
from advisor.finding import Finding
from advisor.migration.result import MigrationEstimate
from agent.http.encoded import EncodedSnapshot, encode
from tests.agent.http.conftest import Client, MakeClient
from tests.agent.http.example import RULES, example_deps
from tests.snapshots import HEALTHY, LOADED, example_findings, example_snapshot, example_threads


async def body(client: Client, path: str, status: int = 200) -> bytes:
    answer = await client.get(path)
    text = await answer.read()
    assert answer.status == status, text
    assert answer.content_type == "application/json"
    return text


async def document(client: Client, path: str, kind):
    return msgspec.convert(msgspec.json.decode(await body(client, path))["data"], type=kind)


@pytest.mark.parametrize(
    ("path", "kind", "of"),
    [
        ("/v1/node", NodeStatus, lambda s: s.node),
        ("/v1/services", tuple[ServiceStatus, ...], lambda s: s.services),
        ("/v1/workers", tuple[WorkerStatus, ...], lambda s: s.workers),
        ("/v1/models", tuple[ModelStatus, ...], lambda s: s.models),
        ("/v1/advice", AdviceDocument, lambda s: s.advice),
        ("/v1/migration", tuple[MigrationEstimate, ...], lambda s: s.migrations),
        ("/v1/self", SelfStatus, lambda s: s.self_status),
    ],
)
async def test_a_snapshot_document_reads_back_as_it_was(client, path, kind, of):
    assert await document(client, path, kind) == of(example_snapshot())


async def test_health_needs_no_snapshot_but_readiness_does(make_client: MakeClient):
    client = await make_client(replace(example_deps(), snapshot=lambda: None))
    assert msgspec.json.decode(await body(client, "/healthz")) == {"data": {"status": "ok"}}
    refused = msgspec.json.decode(await body(client, "/readyz", 503))["error"]
    assert refused["key"] == "not-ready"
    assert set(refused) == {"key", "message", "hint"}
    for path in ("/v1/node", "/v1/advice", "/metrics", "/v1/workers"):
        assert b'"not-ready"' in await body(client, path, 503)


async def test_workers_and_models_of_one_service(client):
    workers = await document(client, f"/v1/workers?service={HEALTHY}", list[WorkerStatus])
    assert [one.pid for one in workers] == [201]
    models = await document(client, f"/v1/models?service={LOADED}", list[ModelStatus])
    assert [one.name for one in models] == ["bert"]
    moves = await document(client, f"/v1/migration?service={LOADED}", list[MigrationEstimate])
    assert [one.service for one in moves] == [LOADED]
    error = msgspec.json.decode(await body(client, "/v1/workers?service=none", 400))["error"]
    assert LOADED in error["hint"]


async def test_rules_are_listed_and_shown_one_by_one(client):
    assert [page.id for page in await document(client, "/v1/rules", list[RulePage])] == list(RULES)
    assert (await document(client, "/v1/rules/memory-pressure", RulePage)).id == "memory-pressure"
    error = msgspec.json.decode(await body(client, "/v1/rules/memory-presure", 404))["error"]
    assert error["hint"] == "did you mean memory-pressure?"


async def test_unfiltered_bytes_are_made_once_for_a_snapshot():
    encoded = EncodedSnapshot()
    first, second = example_snapshot(1), example_snapshot(2)
    bodies = [encoded.body(snapshot, "node") for snapshot in (first, first, second)]
    assert bodies[0] is bodies[1]
    assert bodies[2] is not bodies[0]


async def test_a_name_that_is_not_utf8_does_not_spoil_the_answer():
    finding = msgspec.structs.replace(example_findings()[0], title="gunicorn \udcff")
    assert msgspec.json.decode(encode(finding), type=Finding).title == "gunicorn ?"


async def test_every_thread_of_a_process_is_told_by_its_pid(client: Client) -> None:
    answer = msgspec.json.decode(await body(client, "/v1/workers/101/threads"))["data"]
    assert msgspec.convert(answer, tuple[ThreadStatus, ...]) == example_threads(101)


@pytest.mark.parametrize("pid", ["1", "-101", "1e3", "٣", "9" * 5000])
async def test_a_process_that_is_not_watched_has_no_threads(client: Client, pid: str) -> None:
    answer = await client.get(f"/v1/workers/{pid}/threads")
    assert answer.status == 404
    assert (await answer.json())["error"]["key"] == "worker.unknown"
