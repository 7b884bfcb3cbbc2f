"""Does a browser get the screens, and nobody anything without the token?"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

pytest.importorskip("textual_serve")

from tests.tui.test_cli import top
from tui import web

TOKEN = "a-token-that-only-the-tests-know"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Client = TestClient[Any, Any]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = await web.make_app(["--url", "http://127.0.0.1:1"], TOKEN, 9755)
    async with TestClient(TestServer(app)) as found:
        yield found


@pytest.mark.parametrize("path", ["/ws", "/ws?width=80&height=24", "/static/js/textual.js", "/download/x"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer no"}, {"Cookie": "nodewright=no"}])
async def test_nothing_is_there_without_the_token(client: Client, path: str, headers: dict[str, str]) -> None:
    answer = await client.get(path, headers=headers)
    assert answer.status == 401
    with pytest.raises(WSServerHandshakeError):
        await client.ws_connect("/ws", headers=headers)


async def test_the_form_gives_a_cookie_for_the_token_only(client: Client) -> None:
    first = await client.get("/", allow_redirects=False)
    assert (first.status, first.headers["Location"]) == (303, "/login")
    wrong = await client.post("/login", data={"token": "no"}, allow_redirects=False)
    assert (wrong.status, wrong.cookies) == (401, wrong.cookies)
    assert "nodewright" not in wrong.cookies
    right = await client.post("/login", data={"token": f" {TOKEN}\n"}, allow_redirects=False)
    cookie = right.cookies["nodewright"]
    assert (right.status, cookie["httponly"], cookie["samesite"]) == (303, True, "Strict")
    assert TOKEN not in cookie.value
    page = await client.get("/", headers={"Cookie": f"nodewright={cookie.value}"})
    assert page.status == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert TOKEN not in await page.text()


async def test_the_page_names_the_address_by_which_it_was_asked_for(client: Client) -> None:
    page = await client.get("/", headers={**BEARER, "Host": "localhost:8080"})
    assert "ws://localhost:8080/ws" in await page.text()


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example:9755"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "127.0.0.1.x"}],
)
async def test_another_name_or_origin_is_refused_with_the_token_too(client: Client, headers: dict[str, str]) -> None:
    for path in ("/", "/login", "/ws"):
        assert (await client.get(path, headers={**BEARER, **headers})).status == 403


@pytest.mark.slow
async def test_a_browser_with_the_token_gets_the_screens(client: Client) -> None:
    others = set(psutil.Process().children(recursive=True))  # of tests before
    async with client.ws_connect("/ws?width=80&height=24", headers=BEARER) as socket:
        drawn = b""
        while b"No connection to" not in drawn:
            message = await socket.receive(timeout=30)
            assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT), (message, drawn[-500:])
            drawn += message.data if isinstance(message.data, bytes) else b""
        await socket.send_json(["stdin", "?"])
        while b"this page" not in drawn:
            message = await socket.receive(timeout=30)
            drawn += message.data if isinstance(message.data, bytes) else b""
        for key in ("q", "q"):  # closes the help, then ends the screens
            await socket.send_json(["stdin", key])
        while not socket.closed:
            await socket.receive(timeout=30)
    async with asyncio.timeout(10):
        while set(psutil.Process().children(recursive=True)) - others:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)


def test_without_a_token_nothing_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr("tui.cli.UNIT_TOKEN", tmp_path / "none")
    monkeypatch.delenv("NODEWRIGHT_TOKEN", raising=False)
    answer = top("--web", "--token-file", str(tmp_path / "missing"))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "cannot read" in answer.stderr
