"""Requests are sent and read as each kind of endpoint wants, and what goes wrong has a short name."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.errors import CliError
from agent.loadtest.outcome import Outcome
from agent.loadtest.payload import Payload, Wanted, find_payload
from agent.loadtest.probe import first_answer, unloaded
from agent.loadtest.sending import Sender, open_session
from agent.loadtest.target import find_target

PIECES = [{"delta": {"role": "assistant"}}, *({"delta": {"content": word}} for word in ("the", " sea", " falls"))]


class Seen:
    def __init__(self) -> None:
        self.bodies: list[object] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []


SEEN = web.AppKey("seen", Seen)


async def note(request: web.Request) -> str:
    seen = request.app[SEEN]
    seen.paths.append(request.path)
    seen.headers.append(dict(request.headers))
    text = await request.text()
    seen.bodies.append(json.loads(text) if text.startswith("{") else text)
    return text


async def metadata(request: web.Request) -> web.Response:
    await note(request)
    inputs = [
        {"name": "x", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "n", "datatype": "INT64", "shape": [2]},
        {"name": "text", "datatype": "BYTES", "shape": [1]},
    ]
    return web.json_response({"name": "m", "platform": "", "inputs": inputs if "none" not in request.path else []})


async def models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "tiny"}, {"id": "other"}]})


async def stream(request: web.Request) -> web.StreamResponse:
    await note(request)
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await answer.prepare(request)
    for piece in PIECES:
        await asyncio.sleep(0.02)
        await answer.write(b"data: " + json.dumps({"choices": [piece]}).encode() + b"\n\n")
    last = b'{"error": {"message": "out of memory"}}' if "broken" in request.path else b"[DONE]"
    await answer.write(b": comment\n\ndata: " + last + b"\n\n")
    return answer


async def other(request: web.Request) -> web.Response:
    await note(request)
    match request.match_info["what"]:
        case "away":
            return web.Response(status=307, headers={"Location": "http://192.0.2.7/"})
        case "busy":
            return web.Response(status=503, text="try later")
        case "slow":
            await asyncio.sleep(5)
        case "cut":
            assert request.transport is not None
            request.transport.abort()
    return web.Response(text="ok")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app[SEEN] = Seen()
    app.router.add_get("/v2/models/{name}", metadata)
    app.router.add_get("/base/v1/models", models)
    app.router.add_post("/base/v1/chat/completions", stream)
    app.router.add_post("/base/broken/stream", stream)
    app.router.add_route("*", "/{what:.*}", other)
    async with TestServer(app) as running:
        yield running


class Asking:
    """A session with one endpoint of the server."""

    def __init__(self, server: TestServer, path: str, timeout: float = 2.0, **headers: str) -> None:
        self.seen = server.app[SEEN]
        self.target = find_target(f"http://127.0.0.1:{server.port}{path}", ())
        self.session = open_session(self.target, headers, timeout, fresh=False)

    async def __aenter__(self) -> "Asking":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def payload(self, **wanted: object) -> Payload:
        return await find_payload(self.target.url, Wanted(**wanted), self.session)  # type: ignore[arg-type]

    async def one(self, payload: Payload) -> Outcome:
        loop = asyncio.get_running_loop()
        outcome = Outcome(loop.time())
        await Sender(self.session, payload).send(outcome, loop.time)
        return outcome


async def test_a_v2_model_is_asked_what_it_takes(server):
    async with Asking(server, "/v2/models/m") as asking:
        payload = await asking.payload()
        assert (await asking.one(payload)).answered
    assert asking.seen.paths == ["/v2/models/m", "/v2/models/m/infer"]
    assert asking.seen.bodies[1] == {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [0.5, 0.5, 0.5]},
            {"name": "n", "datatype": "INT64", "shape": [2], "data": [1, 1]},
            {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a short text"]},
        ]
    }
    assert asking.seen.headers[1]["Content-Type"] == "application/json"
    assert payload.notes[0].startswith("inputs are made from the model's metadata")


async def test_a_v2_model_that_does_not_say_what_it_takes_needs_a_body(server, tmp_path):
    async with Asking(server, "/v2/models/none/infer") as asking:
        with pytest.raises(CliError, match="name no inputs") as silent:
            await asking.payload()
        assert (silent.value.exit_status, silent.value.hint) == (4, "give --body FILE")
        (tmp_path / "body").write_text('{"inputs": []}')
        assert (await asking.payload(body=tmp_path / "body")).bodies == (b'{"inputs": []}',)


async def test_a_chat_is_streamed_and_its_tokens_are_timed(server):
    async with Asking(server, "/base/v1/chat/completions", **{"X-Key": "abc"}) as asking:
        payload = await asking.payload(max_tokens=3)
        outcome = await asking.one(payload)
    body = asking.seen.bodies[0]
    assert (body["model"], body["stream"], body["max_tokens"], len(body["messages"])) == ("tiny", True, 3, 1)
    assert asking.seen.headers[0]["X-Key"] == "abc"
    assert (outcome.answered, outcome.tokens) == (True, 3)
    assert outcome.first_token - outcome.planned >= 0.04  # the first piece names a role and has no content
    assert outcome.last_token - outcome.first_token >= 0.03
    assert outcome.last_token <= outcome.ended


async def test_bodies_of_a_corpus_are_sent_in_turn(server, tmp_path):
    (tmp_path / "corpus").write_text('{"a": 1}\n\n{"a": 2}\n')
    async with Asking(server, "/predict") as asking:
        payload = await asking.payload(corpus=tmp_path / "corpus")
        sender, loop = Sender(asking.session, payload), asyncio.get_running_loop()
        for _ in range(3):
            await sender.send(Outcome(loop.time()), loop.time)
    assert asking.seen.bodies == [{"a": 1}, {"a": 2}, {"a": 1}]
    assert payload.method == "POST"


@pytest.mark.parametrize(
    ("path", "failure"),
    [("/busy", "HTTP 503"), ("/away", "HTTP 307"), ("/slow", "timeout"), ("/cut", "disconnected"),
     ("/base/broken/stream", "error in the stream")],
)  # fmt: skip
async def test_what_goes_wrong_has_a_name(server, path, failure):
    async with Asking(server, path, timeout=0.3) as asking:
        method = "POST" if "stream" in path else "GET"
        payload = Payload(method=method, url=asking.target.url, bodies=(None,), headers={})
        outcome = await asking.one(payload)
    assert outcome.failure == failure
    assert outcome.ended is not None


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("/busy", "HTTP 503", "try later"),
        ("/away", "HTTP 307", "redirects to http://192.0.2.7/, which is not followed"),
    ],
)
async def test_a_first_request_that_fails_ends_it_with_the_reason(server, path, message, hint):
    async with Asking(server, path) as asking:
        with pytest.raises(CliError, match=message) as ended:
            await first_answer(asking.session, await asking.payload())
    assert (ended.value.key, ended.value.exit_status) == ("loadtest.no-answer", 4)
    assert hint in ended.value.hint
    assert asking.seen.paths == [path]


async def test_unloaded_latency_is_that_of_one_request_after_the_other(server):
    async with Asking(server, "/base/v1/chat/completions") as asking:
        alone = await unloaded(Sender(asking.session, await asking.payload()), 0.5)
    assert alone.requests >= 5
    assert 0.08 <= alone.p50 <= alone.p99
    assert 0.04 <= alone.first_token_p99 < alone.p99
