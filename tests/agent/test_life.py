"""Do people reach the agent from the command line: to take note of a finding, put it off, open it again and look back?"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advisor.documents import FindingEvent
from advisor.finding import Acknowledgement, Finding
from agent.cli import run_command
from agent.client import client_token, own_url
from agent.config_sources import load_config
from agent.http.app import build_app
from agent.http.deps import AckRequest
from agent.http.server import serve
from agent.life import login_name
from tests.agent.http.example import TOKEN, example_deps
from tests.snapshots import HEALTHY, LOADED, example_findings, example_snapshot

FIRST = example_findings()[0]
ENDED = "abcd000000000001"


class Kept:
    """Two findings have a history; one of them has ended."""

    asked: dict[str, Any]

    def finding(self, identity: str, /) -> Finding | None:
        return msgspec.structs.replace(FIRST, id=ENDED, state="resolved") if identity == ENDED else None

    def history(self, **asked: Any) -> tuple[FindingEvent, ...]:
        self.asked = asked
        if asked["service"] == HEALTHY:
            return ()
        event = FindingEvent(
            at="2026-11-20T09:45:00Z", finding=FIRST.id, event="opened", rule=FIRST.rule, subject=LOADED,
            severity=FIRST.severity, title=FIRST.title,
        )  # fmt: skip
        muted = msgspec.structs.replace(
            event, event="acknowledged", owner="ada", note="known", at="2026-11-20T09:50:00Z"
        )
        return (muted, event, msgspec.structs.replace(event, finding=ENDED, event="resolved"))


class Agent:
    """An agent over the example, and what was asked of it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, AckRequest]] = []
        self.kept = Kept()
        self.deps = example_deps(acknowledge=self.acknowledge, kept=self.kept)
        self.url = ""

    def acknowledge(self, name: str, asked: AckRequest) -> Finding | None:
        found = next((one for one in example_snapshot().advice.findings if one.id == name), None)
        if found is None:
            return None
        self.requests.append((name, asked))
        if asked.state == "open":
            return msgspec.structs.replace(found, state="open")
        until = None if asked.expires_in is None else "2026-11-27T10:00:00Z"
        entry = Acknowledgement(
            state=asked.state, reason=asked.reason, owner=asked.owner, at="2026-11-20T10:00:00Z", until=until
        )
        return msgspec.structs.replace(found, state=asked.state, acknowledgement=entry)

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(run_command, [*arguments, "--url", self.url])


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NODEWRIGHT_TOKEN", TOKEN)


@pytest.fixture(params=["port", "socket"])
async def agent(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Agent]:
    """Once over TCP and once over a Unix socket."""
    one = Agent()
    listen = "127.0.0.1:0" if request.param == "port" else f"unix:{tmp_path}/agent.sock"
    runner = await serve(build_app(one.deps), listen)
    one.url = runner.url
    yield one
    await runner.close()


async def test_a_finding_is_acknowledged_by_the_beginning_of_its_id(agent, capsys) -> None:
    assert await agent.run("ack", FIRST.id[:5], "--reason", "new node on Friday", "--for", "7d", "--owner", "ada") == 0
    assert agent.requests == [
        (FIRST.id, AckRequest(state="acknowledged", reason="new node on Friday", expires_in="7d", owner="ada"))
    ]
    assert capsys.readouterr().out == (
        f"{FIRST.id[:8]} [high] cpu-oversubscribed-openmp on {LOADED}: acknowledged by ada until 2026-11-27T10:00:00Z: "
        "new node on Friday\n"
    )


async def test_snooze_and_reopen_say_who_did_it_without_being_told(agent, monkeypatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert await agent.run("snooze", FIRST.id, "--for", "2d", "--reason", "later") == 0
    assert await agent.run("reopen", FIRST.id) == 0
    assert [(asked.state, asked.owner) for _, asked in agent.requests] == [("snoozed", "grace"), ("open", "grace")]


def test_behind_sudo_the_person_is_named(monkeypatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    monkeypatch.setenv("SUDO_USER", "ada")
    assert login_name() == "ada"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("ack", "0000", "--reason", "x"), 2, f"finding.unknown: there is no finding '0000' (open: {FIRST.id[:8]} "),
        (("ack", ENDED[:4], "--reason", "x"), 2, f"finding.ended: the finding '{ENDED}' is not open"),
        (("ack", FIRST.id, "--reason", "two\nlines"), 2, "ack.invalid: reason is not one line of text"),
        (("snooze", FIRST.id, "--reason", "x", "--for", "soon"), 2, "ack.invalid: 'soon' is not a duration"),
        (("snooze", FIRST.id, "--reason", "x"), 2, "usage: Missing option '--for'"),
        (("ack", FIRST.id), 2, "usage: Missing option '--reason'"),
        (("history", "no-such"), 2, "history.unknown: there is no finding and no service 'no-such' (services: "),
        (("history", "--since", "yesterday"), 2, "query.bad-value: since='yesterday' is not a time"),
    ],
)
async def test_what_cannot_be_done_is_one_line(agent, capsys, arguments, status, said) -> None:
    if "no-such" in arguments:
        agent.kept.history = lambda **asked: ()
    assert await agent.run(*arguments) == status
    captured = capsys.readouterr()
    assert captured.err.startswith(f"nodewright: {said}")
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert agent.requests == []


async def test_a_beginning_of_several_findings_names_them(agent, capsys) -> None:
    twin = msgspec.structs.replace(FIRST, id=FIRST.id[:4] + "ffffffffffff")
    example = example_snapshot()
    both = msgspec.structs.replace(example.advice, findings=(FIRST, twin))
    shown = msgspec.structs.replace(example, advice=both)
    runner = await serve(build_app(example_deps(shown)), "127.0.0.1:0")
    agent.url = runner.url
    try:
        assert await agent.run("ack", FIRST.id[:4], "--reason", "x") == 2
    finally:
        await runner.close()
    assert "begins 2 findings (more of: " in capsys.readouterr().err


async def test_history_is_of_all_of_a_finding_or_of_a_service(agent, capsys) -> None:
    assert await agent.run("history") == 0
    assert capsys.readouterr().out == (
        f"2026-11-20T09:50:00Z  {FIRST.id[:8]}  acknowledged  [high] {FIRST.rule} on {LOADED} by ada: known\n"
        f"2026-11-20T09:45:00Z  {FIRST.id[:8]}  opened        [high] {FIRST.rule} on {LOADED}\n"
        f"2026-11-20T09:45:00Z  {ENDED[:8]}  resolved      [high] {FIRST.rule} on {LOADED}\n"
    )
    before = time.time()
    assert await agent.run("history", ENDED[:6], "--since", "1h", "--limit", "3") == 0
    asked = agent.kept.asked
    assert (asked["finding"], asked["service"], asked["limit"]) == (ENDED, None, 3)
    assert before - 3600 <= asked["start"] <= time.time() - 3600
    capsys.readouterr()
    assert await agent.run("history", HEALTHY, "--format", "json") == 0
    assert (agent.kept.asked["finding"], agent.kept.asked["service"]) == (None, HEALTHY)
    assert json.loads(capsys.readouterr().out) == {"data": []}


async def test_no_agent_is_one_line_and_status_4(tmp_path, capsys) -> None:
    agent = Agent()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening
        for agent.url in (f"http://127.0.0.1:{unused.getsockname()[1]}", f"unix:{tmp_path}/none.sock"):
            assert await agent.run("ack", FIRST.id, "--reason", "x") == 4
            line = capsys.readouterr().err
            assert line.startswith(f"nodewright: agent.no-answer: {agent.url}: ")
            assert line.endswith("(is nodewright run there? --url names another address)\n")


async def test_without_the_token_it_says_how_to_get_permission_and_a_socket_knows_its_user(
    agent, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("NODEWRIGHT_TOKEN", "of another agent")
    by_socket = agent.url.startswith("unix:")
    assert await agent.run("ack", FIRST.id, "--reason", "x") == (0 if by_socket else 5)
    assert ("or set NODEWRIGHT_TOKEN" in capsys.readouterr().err) is not by_socket


async def test_what_is_no_address_and_what_is_no_agent_is_told(capsys) -> None:
    agent = Agent()
    agent.url = "ftp://node"
    assert await agent.run("history") == 2
    assert "is not an agent's address" in capsys.readouterr().err

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        agent.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await agent.run("history") == 4
    assert "agent.foreign" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9753", "http://127.0.0.1:9753"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:80", "http://[::1]:80"),
        ("unix:/run/n.sock", "unix:/run/n.sock"),
    ],
)
def test_the_agent_of_this_machine_is_asked_where_it_listens(listen, url) -> None:
    assert own_url(listen) == url


def test_the_token_of_this_machine_is_not_sent_to_another(tmp_path, monkeypatch) -> None:
    loaded = load_config(None)
    folder = tmp_path / "state" / "nodewright"
    folder.mkdir(parents=True)
    (folder / "token").write_text("of this machine\n")
    monkeypatch.delenv("NODEWRIGHT_TOKEN")
    assert client_token(loaded, "http://127.0.0.1:9753") == "of this machine"
    assert client_token(loaded, "unix:/run/n.sock") == "of this machine"
    assert client_token(loaded, "http://node-7:9753") is None
    monkeypatch.setenv("NODEWRIGHT_TOKEN", "given")
    assert client_token(loaded, "http://node-7:9753") == "given"
