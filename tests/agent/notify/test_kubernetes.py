"""Does a finding become an Event that the API server takes, once, and does a token that is renewed go on working?

Before a stand-in for the API server (see api_server.py). The Event is held against the published schema in tests/deploy.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.cli import run_command
from agent.config import NotifySettings
from agent.notify.kubernetes import KubernetesEvents, event_of
from agent.notify.message import Message
from agent.notify.notifier import Target
from tests.agent.notify.api_server import ApiServer, invalid
from tests.snapshots import example_findings

FINDING = example_findings()[0]
WAIT_SECONDS = 20.0


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def target(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    sender = KubernetesEvents(api.environment, api.account)
    monkeypatch.setattr("agent.notify.notifier.sender_of", lambda _: sender)
    one = Target("k8s", NotifySettings(kind="kubernetes"), timeout_seconds=5.0, first_backoff_seconds=0.001)
    one.start()
    yield one
    one.stop(WAIT_SECONDS)


def message(first_seen: str = "2026-11-27T10:00:00Z", **changes: object) -> Message:
    return Message(event="finding.opened", node="n1", finding=replace(FINDING, first_seen=first_seen, **changes))


def settled(target: Target, sent: int, dropped: int = 0) -> str | None:
    end = time.monotonic() + WAIT_SECONDS
    while (status := target.status()).sent + status.dropped < sent + dropped:
        assert time.monotonic() < end, status
        time.sleep(0.005)
    assert (status.sent, status.dropped) == (sent, dropped)
    return status.problem


def test_the_event_is_about_the_pod_and_says_what_the_finding_says(api: ApiServer, target: Target) -> None:
    target.push(message())
    assert settled(target, sent=1) is None
    [event] = api.events.values()
    assert event["regarding"] == {
        "apiVersion": "v1", "kind": "Pod", "name": "model-server-7d9f8b6c5-x2x7q", "namespace": "models", "uid": "6a1e",
    }  # fmt: skip
    assert event["related"]["name"] == "n1"
    assert event["type"] == "Warning"
    assert event["reason"] == "".join(part.capitalize() for part in FINDING.rule.split("-"))
    assert event["note"].startswith(f"[{FINDING.severity}] {FINDING.subject.name}: {FINDING.title}. ")


def test_a_finding_that_comes_back_raises_the_count_of_its_event(api: ApiServer, target: Target) -> None:
    for hour in range(10, 13):
        target.push(message(f"2026-11-27T{hour}:00:00Z"))
    settled(target, sent=3)
    [event] = api.events.values()
    assert event["series"]["count"] == 3
    api.events.clear()  # its time is over
    target.push(message("2026-11-27T15:00:00Z"))
    settled(target, sent=4)
    [event] = api.events.values()
    assert "series" not in event
    assert [method for method, _, _ in api.asked] == ["POST", "PATCH", "PATCH", "PATCH", "POST"]


def test_an_attempt_whose_answer_was_lost_makes_no_second_event(api: ApiServer, target: Target) -> None:
    api.answers = [503, 201]
    target.push(message())
    assert settled(target, sent=1) is None
    assert [status for _, _, status in api.asked] == [503, 500, 409]
    assert len(api.events) == 1


def test_a_token_that_was_renewed_is_used_at_the_next_attempt(api: ApiServer, target: Target) -> None:
    target.push(message())
    settled(target, sent=1)
    api.token = "second-token"
    target.push(message(id="b" * 16))
    with api.changed:
        assert api.changed.wait_for(lambda: api.asked[-1][2] == 401, WAIT_SECONDS)
    (api.account / "token").write_text("second-token\n")
    assert settled(target, sent=2) is None


def test_what_the_account_may_not_do_is_said_once_and_not_tried_again(
    api: ApiServer, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    api.answers = [403]
    target.push(message())
    assert settled(target, sent=0, dropped=1) == "it answered 403: so it was wanted"
    assert len(api.asked) == 1
    assert api.token not in caplog.text


def test_a_server_of_another_authority_is_told_nothing(
    api: ApiServer, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = ApiServer(tmp_path_factory.mktemp("other"))
    other.close()
    (api.account / "ca.crt").write_bytes((other.account / "ca.crt").read_bytes())
    target.push(message())
    end = time.monotonic() + WAIT_SECONDS
    while target.status().problem is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert "CERTIFICATE_VERIFY_FAILED" in (target.status().problem or "")
    assert api.asked == []


@pytest.mark.parametrize("title", ["x" * 2000, "é" * 1000, "\ud800 <&>"])
def test_whatever_a_finding_says_makes_an_event_that_is_taken(api: ApiServer, title: str) -> None:
    odd = message(title=title, rule="x" * 300)
    assert invalid(event_of(odd, api.environment, "models"), "models") == ""
    with pytest.raises(ValueError, match="POD_NAME is not set"):
        event_of(odd, {}, "models")


@pytest.mark.parametrize("text", ['url = "https://example.org"', 'secret_file = "/x"'])
def test_what_is_of_webhooks_only_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[notify.k8s]\nkind = "kubernetes"\n{text}\n')
    assert run_command(["config", "check", "--config", str(file)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "of webhooks only" in told
