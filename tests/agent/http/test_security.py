"""Who is refused: foreign hosts, foreign origins, missing and wrong tokens, large and unlabelled bodies."""

import os
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from agent.http.app import build_app
from agent.http.security import host_name
from agent.http.server import serve
from tests.agent.http.example import BEARER, TOKEN, example_deps
from tests.snapshots import example_findings

FINDING = f"/v1/advice/{example_findings()[0].id}"
ACK = {"state": "acknowledged"}


async def key_of(answer) -> str:
    return (await answer.json())["error"]["key"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9753", "127.0.0.1.evil.example", "", "10.0.0.7", "["])
async def test_a_foreign_host_header_is_refused(client, host):
    answer = await client.get("/v1/node", headers={"Host": host})
    assert answer.status == 403
    assert await key_of(answer) == "host.not-allowed"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9753", "[::1]:80", "::1", "localhost."])
async def test_a_local_host_header_is_answered_on_any_port(client, host):
    assert (await client.get("/v1/node", headers={"Host": host})).status == 200


async def test_a_configured_host_is_answered(make_client):
    client = await make_client(example_deps(allowed_hosts=frozenset({"Node-1.example"})))
    assert (await client.get("/v1/node", headers={"Host": "node-1.example:80"})).status == 200
    assert (await client.get("/v1/node", headers={"Host": "node-2.example"})).status == 403


async def test_beyond_loopback_an_address_is_a_host_but_a_name_is_not(make_client):
    client = await make_client(example_deps(loopback=False))
    assert (await client.get("/v1/node", headers=BEARER | {"Host": "10.0.0.7:9753"})).status == 200
    assert (await client.get("/v1/node", headers=BEARER | {"Host": "evil.example"})).status == 403


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, "token.missing"),
        ({"Authorization": "Bearer "}, "token.missing"),
        ({"Authorization": "Bearer wrong"}, "token.wrong"),
        ({"Authorization": f"Basic {TOKEN}"}, "token.wrong"),
        ({"Authorization": f"Bearer {TOKEN}x"}, "token.wrong"),
        ({"Authorization": "Bearer ÿ"}, "token.wrong"),
    ],
)
async def test_writing_needs_the_token_even_on_loopback(client, headers, key):
    answer = await client.post(FINDING, json=ACK, headers=headers)
    assert answer.status == 401
    assert await key_of(answer) == key
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_reading_beyond_loopback_needs_the_token_but_health_does_not(make_client):
    client = await make_client(example_deps(loopback=False))
    for path in ("/v1/node", "/metrics", "/v1/stream", "/openapi.json"):
        assert (await client.get(path)).status == 401
    assert (await client.get("/v1/node", headers=BEARER)).status == 200
    assert (await client.get("/healthz")).status == 200
    assert (await client.get("/readyz")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_page_of_another_origin_cannot_write_even_with_the_token(client, headers):
    answer = await client.post(FINDING, json=ACK, headers=BEARER | headers)
    assert answer.status == 403
    assert await key_of(answer) == "origin.foreign"


async def test_no_answer_allows_another_origin_to_read(client):
    answer = await client.get("/v1/node", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert (await client.options("/v1/node", headers={"Origin": "https://evil.example"})).status == 405


async def test_a_body_must_be_labelled_as_json(client):
    answer = await client.post(FINDING, data="state=open", headers=BEARER)
    assert answer.status == 415
    answer = await client.post(FINDING, data=b"{}", headers=BEARER | {"Content-Type": "text/plain"})
    assert await key_of(answer) == "body.not-json"


async def test_a_body_above_64_kib_is_refused_in_the_envelope(client):
    answer = await client.post(FINDING, json=ACK | {"reason": "x" * 65536}, headers=BEARER)
    assert answer.status == 413
    assert await key_of(answer) == "body.too-large"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_changes_nothing(make_client, method):
    def acknowledge(finding_id, asked):
        raise AssertionError("a read wrote")

    client = await make_client(example_deps(acknowledge=acknowledge))
    assert (await client.request(method, FINDING, headers=BEARER)).status == 200


async def test_a_recording_cannot_be_written(make_client):
    client = await make_client(example_deps(read_only=True))
    answer = await client.post(FINDING, json=ACK, headers=BEARER)
    assert answer.status == 403
    assert await key_of(answer) == "read-only"


async def test_unknown_paths_methods_and_faults_come_in_the_envelope(make_client, caplog):
    def broken():
        raise RuntimeError("a fault")

    client = await make_client(replace(example_deps(), snapshot=broken))
    missing = await client.get("/v1/nothing")
    assert (missing.status, await key_of(missing)) == (404, "path.unknown")
    method = await client.put("/v1/node", json={}, headers=BEARER)
    assert (method.status, await key_of(method)) == (405, "method.not-allowed")
    assert "GET" in method.headers["Allow"]
    fault = await client.get("/v1/node")
    assert (fault.status, await key_of(fault)) == (500, "internal")
    assert "a fault" not in await fault.text()
    assert "request failed" in caplog.text


async def test_the_own_user_writes_over_a_unix_socket_without_the_token(tmp_path: Path):
    path = tmp_path / "agent.sock"
    runner = await serve(build_app(example_deps(loopback=True)), f"unix:{path}")
    try:
        assert os.stat(path).st_mode & 0o777 == 0o660
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            async with session.post(f"http://any-name{FINDING}", json=ACK) as answer:
                assert answer.status == 200
            foreign = {"Origin": "https://evil.example"}
            async with session.post(f"http://any-name{FINDING}", json=ACK, headers=foreign) as answer:
                assert answer.status == 403
    finally:
        await runner.close()
    assert not path.exists()


async def test_another_user_on_the_unix_socket_needs_the_token(make_client, monkeypatch, tmp_path: Path):
    monkeypatch.setattr("agent.http.security.unix_peer", lambda request: 4242)
    client = await make_client(example_deps())
    assert (await client.post(FINDING, json=ACK)).status == 401
    assert (await client.post(FINDING, json=ACK, headers=BEARER)).status == 200
    assert (await client.get("/v1/node")).status == 200


def test_host_names_lose_port_brackets_and_case():
    assert [host_name(text) for text in ("A.b:80", "[::1]:80", "::1", "a.", "localhost:")] == [
        "a.b", "::1", "::1", "a", "localhost:",
    ]  # fmt: skip
