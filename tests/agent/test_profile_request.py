"""A profile that a person asks a running agent for: through HTTP, the sidecar, the store, and back in every format."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.agent.running import Agent, agent, prefork_server

SECONDS = 2.0


def post(running: Agent, body: dict[str, Any], token: str | None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("POST", "/v1/profiles", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def watching(tmp_path: Path) -> Iterator[tuple[Agent, str, str]]:
    """A running agent, the name of a server that it watches, and its token."""
    with prefork_server(tmp_path / "server") as port, agent(tmp_path / "agent") as running:
        name = f"gunicorn/shop:{port}"
        running.wait_for("/v1/services", lambda services: any(one["name"] == name for one in services))
        (token,) = [path.read_text().strip() for path in tmp_path.rglob("token")]
        yield running, name, token


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    with watching(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with watching(tmp_path_factory.mktemp("refusing")) as found:
        yield found


def test_a_service_is_profiled_on_request_and_the_result_is_stored(watched):
    running, name, token = watched
    asked = time.monotonic()
    status, answer = post(running, {"target": name, "seconds": SECONDS}, token)
    assert status == 202, answer
    state = answer["data"]
    assert state["state"] == "running"
    done = running.wait_for(f"/v1/profiles/{state['id']}", lambda one: one["state"] != "running")
    took = time.monotonic() - asked
    assert done["state"] == "done", done
    profile = done["profile"]
    assert (profile["service"], profile["kind"], profile["reason"]) == (name, "request", "requested")
    assert profile["seconds"] >= 0.9 * SECONDS
    assert {stack["side"] for stack in profile["stacks"]} >= {"gil"}
    assert any(frame.startswith("work (") for stack in profile["stacks"] for frame in stack["frames"])
    kept = running.wait_for("/v1/profiles?kind=request", lambda found: len(found) == 1)
    assert kept[0]["id"] == state["id"]
    print(f"from the request for {SECONDS:g} s of two workers to the stored result: {took:.2f} s")
    for form, begin in (("svg", "<svg"), ("speedscope", "{"), ("collapsed", ""), ("text", "")):
        text = running.text(f"/v1/profiles/{state['id']}?format={form}")
        assert text.lstrip("\ufeff").removeprefix('<?xml version="1.0" encoding="UTF-8"?>').strip().startswith(begin)
        assert "work" in text
    cost = running.wait_for("/v1/self", lambda own: own["profiling"]["cpu_seconds"] > 0)["profiling"]
    assert cost["stopped_seconds"] == 0


@pytest.mark.parametrize(
    ("body", "token", "status", "key"),
    [
        ({"target": "gunicorn/none:1"}, True, 404, "profile.target-unknown"),
        ({"target": 1}, True, 404, "profile.target-unknown"),
        ({"target": 1, "seconds": 1e9}, True, 400, "body.invalid"),
        ({"target": 1, "hertz": 0}, True, 400, "body.invalid"),
        ({"target": 1}, False, 401, "token.missing"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_line(refusing, body, token, status, key):
    running, _, known = refusing
    found, answer = post(running, body, known if token else None)
    assert (found, answer["error"]["key"]) == (status, key)
    assert answer["error"]["hint"]


def test_the_agent_ends_at_once_while_a_profile_is_taken(watched):
    running, name, token = watched
    status, _ = post(running, {"target": name, "seconds": 60.0}, token)
    assert status == 202
    time.sleep(1.0)
    began = time.monotonic()
    running.process.terminate()
    assert running.process.wait(20) == 0
    print(f"ended after {time.monotonic() - began:.2f} s with a profile under way")
    assert "Traceback" not in running.errors()
