"""`nodewright loadtest` on a real server of known capacity: bounded, told in rows or as data, and one line where it cannot."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.loadtest.arrivals import arrivals
from agent.loadtest.offering import Plan, Watching, offer
from agent.loadtest.payload import Payload
from agent.loadtest.sending import Sender, open_session
from agent.loadtest.step import Limits, Step, step_of
from agent.loadtest.target import find_target
from tests.agent.running import command, free_port
from tests.live.client import Request, closed_loop

ONE_AT_A_TIME = Path(__file__).with_name("one_at_a_time.py")
SHORT = ("--no-agent", "--seconds", "6", "--step-seconds", "1")


@contextmanager
def one_at_a_time(*arguments: str) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, str(ONE_AT_A_TIME), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()
        process.wait(10)


@pytest.fixture(autouse=True)
def own_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def loadtest(url: str, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("loadtest", url, *arguments), capture_output=True, text=True, timeout=seconds, check=False
    )


def test_a_service_that_keeps_up_up_to_the_bound_has_a_lower_bound():
    with one_at_a_time("0.02") as port:
        done = loadtest(f"http://127.0.0.1:{port}/", *SHORT, "--max-rate", "10", "--slo", "2", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)["data"]
    assert (report["kept_up_per_second"], report["fell_behind_per_second"], report["ended"]) == (10.0, None, "max-rate")
    assert 0.01 <= report["unloaded_p50_seconds"] <= report["unloaded_p99_seconds"]
    (step,) = report["steps"]
    assert (step["verdict"], step["failures"]) == ("kept up", {})
    assert step["requests"] >= 10
    assert (report["service"], report["told"]) == (None, None)


async def open_loop(port: int, rate: float, seconds: float) -> Step:
    target = find_target(f"http://127.0.0.1:{port}/", ())
    plan = Plan(
        due=arrivals(rate, "constant", 1), seconds=seconds, most_seconds=seconds, most_requests=1000, most_in_flight=256,
        drain_seconds=10.0,
    )  # fmt: skip
    async with open_session(target, {}, 10.0, fresh=False) as session:
        sender = Sender(session, Payload(method="GET", url=target.url, bodies=(None,), headers={}))
        found = await offer(plan, sender.send, Watching(plan, lambda *_: False, lambda *_: True))
    return step_of(rate, found.outcomes, found.effort, Limits(latency_p99=0.1))


async def test_a_server_that_stalls_is_seen_by_an_open_loop_and_not_by_a_closed_one():
    """One request of a hundred takes a second: of one client's requests it alone is slow. Here all wait that are due then."""
    with one_at_a_time("0.001", "100", "1") as port:
        closed = sorted((await asyncio.to_thread(closed_loop, port, [Request(path="/")] * 200, 1)).seconds["200"])
        step = await open_loop(port, 50.0, 4.0)
    assert closed[-2] > 0.5
    assert closed[int(0.9 * len(closed))] < 0.5
    assert (step.requests, step.answered) == (200, 200)
    assert step.latency_p90_seconds > 0.5
    assert not step.kept_up


def test_ctrl_c_ends_it_with_what_was_learnt():
    with one_at_a_time("0.02") as port, subprocess.Popen(
        command("loadtest", f"http://127.0.0.1:{port}/", "--no-agent", "--step-seconds", "1", "--slo", "2"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        killer = threading.Timer(60, process.kill)
        killer.start()
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=10)
        killer.cancel()
    assert "offered/s" in lines[0]
    assert "kept up" in lines[1]
    assert "a lower bound, as it was interrupted" in rest
    assert (process.returncode, errors) == (130, "")


@pytest.mark.parametrize(
    ("url", "arguments", "status", "named"),
    [
        ("127.0.0.1:1", (), 2, "loadtest.bad-url"),
        ("http://192.0.2.7:80/", (), 2, "--allow-host 192.0.2.7"),
        (f"http://127.0.0.1:{free_port()}/", (), 4, "nobody listens"),
        ("http://127.0.0.1:{port}/", ("--body", "/none"), 2, "/none"),
        ("http://127.0.0.1:{port}/", ("--body", "/none", "--corpus", "/none"), 2, "exclude each other"),
        ("http://127.0.0.1:{port}/", ("--header", "hunter2"), 2, "loadtest.bad-header"),
        ("http://127.0.0.1:{port}/", ("--seconds", "6", "--step-seconds", "5"), 2, "two steps"),
        ("http://127.0.0.1:{port}/", ("--slo", "1ms"), 4, "loadtest.slo-missed"),
        ("http://127.0.0.1:{port}/v2/models/m", (), 4, "metadata are not of the V2 protocol"),
        ("http://127.0.0.1:{port}/v1/completions", (), 4, "lists no model"),
    ],
)
def test_what_cannot_be_done_is_one_line(url, arguments, status, named):
    with one_at_a_time("0.02") as port:
        done = loadtest(url.format(port=port), "--no-agent", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1)
    assert done.stderr.startswith("nodewright: ")
    assert named in done.stderr


@pytest.mark.slow
@pytest.mark.heavy
def test_the_knee_of_a_server_of_fifty_a_second_is_found_within_a_tenth():
    with one_at_a_time("0.02") as port:
        done = loadtest(f"http://127.0.0.1:{port}/", "--no-agent", "--seconds", "90", seconds=120)
    print(done.stdout)
    assert done.returncode == 0
    found = re.search(r"the knee lies between ([\d.]+)/s, which it kept up with, and ([\d.]+)/s\n", done.stdout)
    assert found is not None
    assert 45.0 <= float(found[1]) <= 52.0
    assert float(found[2]) <= 55.0
