"""Profiles that people ask for: as many as can be taken at a time, and kept also when the agent ends."""

import threading
import time

import pytest

from advisor.profiling.request import ProfileRequest
from agent.profiling.access import NotStarted
from agent.profiling.requests import Requests
from collectors.profiles.profile import ProfileSpec
from tests.agent.profiling.profiles import profile_of
from tests.agent.profiling.scenes import service

SERVICES = (service("one", (101,)), service("two", (201, 202)), service("three", (301,)), service("four", (401,)))


class Taking:
    """Takes profiles until it is let, or they are to end."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.requests = Requests(
            self._take, lambda kept: self.kept.append(kept.service), lambda: SERVICES, lambda _: None
        )

    def _take(self, key, spec: ProfileSpec, end: threading.Event):
        self.begun.set()
        while not (self.go_on.is_set() or end.is_set()):
            time.sleep(0.005)
        return profile_of(key, spec)

    def start(self, target: int | str) -> str:
        return self.requests.start(ProfileRequest(target=target, seconds=60)).id

    def refusal(self, target: int | str) -> str:
        with pytest.raises(NotStarted) as refused:
            self.start(target)
        assert refused.value.cause == "busy"
        return refused.value.message


@pytest.fixture
def taking():
    made = Taking()
    yield made
    made.requests.stop(5)


def test_no_more_processes_than_can_be_looked_into_at_a_time(taking):
    taking.start("gunicorn/one:8000")
    assert "2 processes" in taking.refusal("gunicorn/two:8000")
    taking.start(301)
    assert "2 processes" in taking.refusal(401)
    assert taking.requests.state("nothing") is None


def test_one_process_is_profiled_once(taking):
    taking.start(101)
    assert "is being profiled" in taking.refusal("gunicorn/one:8000")


def test_those_that_ended_make_room(taking):
    name = taking.start("gunicorn/two:8000")
    taking.go_on.set()
    while taking.requests.state(name).state == "running":
        time.sleep(0.005)
    assert taking.requests.state(name).state == "done"
    taking.start("gunicorn/two:8000")


def test_at_the_end_what_was_seen_is_kept(taking):
    name = taking.start("gunicorn/two:8000")
    assert taking.begun.wait(10)
    taking.requests.end()
    taking.requests.stop(10)
    assert taking.requests.state(name).state == "done"
    assert taking.kept == ["gunicorn/two:8000"]


def test_what_had_not_begun_at_the_end_says_so(taking):
    taking.requests.end()
    name = taking.start("gunicorn/two:8000")
    taking.requests.stop(10)
    state = taking.requests.state(name)
    assert (state.state, taking.kept) == ("failed", [])
    assert "ended before" in state.reason
