"""Does a real server get each new finding once, signed, whatever goes wrong on the way, and does nobody wait for it?"""

import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from advisor.finding import Finding, Severity
from agent.cli import run_command
from agent.config import NotifySettings
from agent.notify.message import Message
from agent.notify.notifier import MOST_ATTEMPTS, MOST_QUEUED, Notifier, Target
from tests.agent.running import agent
from tests.agent.test_findings_log import Life
from tests.agent.tls_server import certificate, speak_tls
from tests.snapshots import example_findings

SECRET = "the-shared-secret-of-this-test"
WAIT_SECONDS = 20.0
FINDING = example_findings()[0]


class Hook:
    """Answers each POST with the next of `answers`, the last one for ever; None waits until the end."""

    def __init__(self, *answers: int | None) -> None:
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.changed = threading.Condition()
        self.end = threading.Event()
        left = list(answers)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.changed:
                    outer.received.append((self.path, dict(self.headers), body))
                    status = left.pop(0) if len(left) > 1 else left[0]
                    outer.changed.notify_all()
                if status is None:
                    outer.end.wait(WAIT_SECONDS)
                    return
                self.send_response(status)
                self.send_header("Location", f"{outer.url}/elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def wait(self, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, WAIT_SECONDS)
        return self.received

    def close(self) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


Opened = Callable[..., tuple[Hook, Target]]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Makes servers, each with a started target before it."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    made: list[tuple[Hook, Target]] = []

    def make(*answers: int | None, **settings: Any) -> tuple[Hook, Target]:
        hook = Hook(*answers)
        known = {"url": f"{hook.url}/in/path-token?x=1", "secret_file": secret, **settings}
        target = Target("test", NotifySettings(**known), timeout_seconds=5.0, first_backoff_seconds=0.001)
        made.append((hook, target))
        target.start()
        return hook, target

    yield make
    for hook, target in made:
        hook.end.set()
        target.stop(WAIT_SECONDS)
        hook.close()


def message(number: int = 0) -> Message:
    return Message(event="finding.opened", node="node-1", finding=replace(FINDING, id=f"{number:016x}"))


def settled(target: Target, sent: int, dropped: int) -> str | None:
    """Wait until so many are through; the problem that stands."""
    end = time.monotonic() + WAIT_SECONDS
    while (status := target.status()).sent + status.dropped < sent + dropped:
        assert time.monotonic() < end, status
        time.sleep(0.005)
    assert (status.sent, status.dropped, status.queued) == (sent, dropped, 0)
    return status.problem


def test_what_is_sent_is_the_finding_signed_with_its_time(opened: Opened) -> None:
    hook, target = opened(200)
    target.push(message())
    [(path, headers, body)] = hook.wait(1)
    assert path == "/in/path-token?x=1"
    told = json.loads(body)
    assert (told["event"], told["node"], told["finding"]["rule"]) == ("finding.opened", "node-1", FINDING.rule)
    at = headers["X-Nodewright-Timestamp"]
    assert abs(int(at) - time.time()) < 60
    wanted = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["X-Nodewright-Signature"] == f"v1={wanted}"
    assert SECRET not in str(headers) + body.decode()


def test_a_server_that_fails_is_tried_again_with_the_same_delivery(opened: Opened) -> None:
    hook, target = opened(500, 429, 503, 204)
    target.push(message())
    assert settled(target, sent=1, dropped=0) is None
    assert len({headers["X-Nodewright-Delivery"] for _, headers, _ in hook.received}) == 1
    assert len(hook.received) == 4


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404])
def test_a_refusal_is_not_tried_again_nor_a_redirection_followed(
    opened: Opened, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook, target = opened(status, 200)
    target.push(message(0))
    target.push(message(1))
    assert settled(target, sent=1, dropped=1) is None
    assert [path for path, _, _ in hook.received] == ["/in/path-token?x=1"] * 2
    assert f"it answered {status}" in caplog.text
    assert "path-token" not in caplog.text
    assert SECRET not in caplog.text


def test_a_server_that_stays_away_costs_the_message_and_nothing_else(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    hook, target = opened(500)
    with caplog.at_level(logging.WARNING):
        target.push(message())
        deadline = time.monotonic() + WAIT_SECONDS
        hook.wait(MOST_ATTEMPTS)
        assert settled(target, sent=0, dropped=1) == "it answered 500"
    assert len(hook.received) == MOST_ATTEMPTS
    assert time.monotonic() < deadline


def test_a_server_that_hangs_holds_up_nobody_and_the_queue_is_bounded(opened: Opened) -> None:
    hook, target = opened(None)
    target.push(message(0))
    hook.wait(1)
    for number in range(1, MOST_QUEUED + 11):
        target.push(message(number))
    status = target.status()
    assert (status.sent, status.dropped, status.queued) == (0, 10, MOST_QUEUED)


def test_a_secret_that_cannot_be_read_sends_nothing_unsigned(opened: Opened, tmp_path: Path) -> None:
    late = tmp_path / "late"
    hook, target = opened(200, secret_file=late)
    target.push(message())
    end = time.monotonic() + WAIT_SECONDS
    while target.status().problem is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert hook.received == []
    assert "late" in (target.status().problem or "")
    late.write_text(SECRET)
    [(_, headers, _)] = hook.wait(1)
    assert "X-Nodewright-Signature" in headers


def test_slack_takes_text_without_markup(opened: Opened, tmp_path: Path) -> None:
    hook, _ = opened(200)
    address = tmp_path / "address"
    address.write_text(f"{hook.url}/services/T0/B0/token\n")
    _, target = opened(200, url=None, url_file=address, format="slack", secret_file=None)
    target.push(Message(event="finding.opened", node="node-1", finding=replace(FINDING, title="a <b> & c")))
    [(path, headers, body)] = hook.wait(1)
    assert path == "/services/T0/B0/token"
    assert json.loads(body)["text"].startswith("[high] node-1: gunicorn/app:8000: a &lt;b&gt; &amp; c\n")
    assert "X-Nodewright-Signature" not in headers


def test_an_https_hook_is_known_by_the_authority_of_its_file(opened: Opened, tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    hook, _ = opened(200)
    speak_tls(hook.server, made, key)
    url = hook.url.replace("http:", "https:")
    _, stranger = opened(200, url=url)
    stranger.push(message())
    end = time.monotonic() + WAIT_SECONDS
    while stranger.status().problem is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert "CERTIFICATE_VERIFY_FAILED" in (stranger.status().problem or "")
    assert hook.received == []
    _, known = opened(200, url=f"{url}/hook", ca_file=made)
    known.push(message())
    assert hook.wait(1)[0][0] == "/hook"


class Pushed(Notifier):
    """What would be sent."""

    def __init__(self, least: str) -> None:
        super().__init__({"x": NotifySettings(url="http://127.0.0.1:1", severity=least)}, "node-1")  # type: ignore[arg-type]

    @property
    def messages(self) -> list[Message]:
        return list(self._targets[0]._queue)


def test_each_finding_is_told_once_from_its_severity_on() -> None:
    life, told = Life(), Pushed("high")
    life.log.on_news = told.news
    life.judge(0)
    for seconds in range(2, 20, 2):
        life.judge(seconds, severity=Severity.MEDIUM)
    assert told.messages == []
    for seconds in range(20, 300, 2):
        life.judge(seconds, severity=Severity.HIGH if seconds % 140 < 70 else Severity.LOW)
    assert [(one.event, one.finding.severity) for one in told.messages] == [("finding.raised", Severity.HIGH)]


def test_what_stood_before_a_restart_and_what_somebody_knows_of_is_no_news() -> None:
    life, told = Life(), Pushed("info")
    finding = life.opened()
    life.log.on_news = told.news
    for seconds in range(4, 100, 2):
        life.judge(seconds)
    assert told.messages == []
    known: Finding = replace(finding, state="acknowledged")
    told.news(known, None)
    assert told.messages == []
    told.news(finding, None)
    assert [one.event for one in told.messages] == ["finding.opened"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('url = "http://example.org/x"', "could be read and changed"),
        ('url = "https://ada:pw@example.org"', "password"),
        ('severity = "high"', "url is missing"),
        ('url = "https://example.org"\nurl_file = "/x"', "both set"),
        ('url = "https://example.org"\nseverity = "loud"', "is not one of info"),
        ('url = "https://example.org"\nseverty = "high"', "did you mean notify.ops.severity?"),
    ],
)
def test_a_bad_target_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, part: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[notify.ops]\n{text}\n")
    assert run_command(["config", "check", "--config", str(file)]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "notify.ops" in told.err
    assert part in told.err


def test_an_agent_tells_of_its_targets_and_the_secret_is_nowhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    config = tmp_path / "config.toml"
    kubernetes = '[notify.k8s]\nkind = "kubernetes"\n'  # in no pod, which is said when there is something to tell
    ops = f'[notify.ops]\nurl = "https://localhost:1/x"\nsecret_file = "{tmp_path}/secret"\n'
    config.write_text(kubernetes + ops)
    with agent(tmp_path / "a", "--no-sidecar", "--config", str(config)) as running:
        found = running.wait_for("/v1/self", lambda self: self["ticks"] > 2)
        told = [(one["name"], one["sent"], one["problem"]) for one in found["notify"]]
        assert told == [("k8s", 0, None), ("ops", 0, None)]
        page = running.text("/metrics")
        assert 'nodewright_notifications_total{notify="ops",outcome="sent"} 0.0' in page
        running.process.terminate()
        assert running.process.wait(10) == 0
        files = [one for one in (tmp_path / "a").rglob("*") if one.is_file()]
        assert not [one for one in files if SECRET.encode() in one.read_bytes()]
