"""Which address is asked when: order, memory, patience, restarts, JSON."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

import msgspec
import pytest

from advisor.serving import rates
from collectors.entities import Process, Role, Service, WorkerKey
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.metric_map import Distribution, MetricMap, series
from collectors.pages import served
from collectors.pages.served import Served
from collectors.reading import Unreadable
from collectors.sources.serving import ServingSample
from tests.answering import Pages, server
from tests.captures import process, service_of

SECOND_NS = 1_000_000_000
NAMES = MetricMap(requests=(series("r"),), latency=Distribution(of=(series("l"),)))


class Talking(Framework):
    """A framework that is not installed: only its page matters here."""

    evidence = "documented"
    metrics: ClassVar[MetricMap | None] = NAMES

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        return None

    def traits(self, processes: object, facts: Facts) -> Traits:
        return Traits(application="x")


class Json(Talking):
    json_page: ClassVar[bool] = True

    def page_text(self, body: str) -> str:
        return f"r {msgspec.json.decode(body)['done']}\n"


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def base(pages: Pages) -> Iterator[str]:
    with server(pages) as url:
        yield url.removesuffix("/metrics")


class Watched:
    """One service at `base`, asked round by round."""

    def __init__(self, base: str, *paths: str) -> None:
        made = service_of("mlserver", (process(7, "server"), Role.FRONT_END))
        urls = tuple(f"{base}/{path}" for path in paths)
        self.service: Service = msgspec.structs.replace(made, metrics_urls=urls)
        self.served = Served()
        self.framework: Framework = Talking()

    def ask(self, second: float) -> ServingSample:
        return self.served.samples(self.service, self.framework, NAMES, round(second * SECOND_NS))[0]

    def refusal(self, second: float) -> str:
        with pytest.raises(Unreadable) as state:
            self.ask(second)
        return state.value.reason

    def forks(self, pid: int) -> None:
        worker = self.service.workers[0]
        own = msgspec.structs.replace(worker.process, key=WorkerKey(pid, pid))
        workers = (worker, msgspec.structs.replace(worker, process=own))
        self.service = msgspec.structs.replace(self.service, workers=workers)


def test_addresses_are_tried_in_order_and_the_one_that_answered_is_kept(pages: Pages, base: str) -> None:
    pages.bodies = {"/b": "other 1\n", "/c": "r 5\n", "/d": "r 6\n"}
    watched = Watched(base, "a", "b", "c", "d")
    assert watched.ask(0).requests == 5
    assert pages.asked == ["/a", "/b", "/c"]
    assert watched.ask(10).requests == 5
    assert pages.asked == ["/a", "/b", "/c", "/c"]


def test_all_are_tried_again_in_the_round_after_the_kept_one_failed(pages: Pages, base: str) -> None:
    pages.bodies = {"/b": "r 5\n"}
    watched = Watched(base, "a", "b")
    assert watched.ask(0).requests == 5
    pages.bodies = {"/a": "r 6\n"}
    assert watched.refusal(10) == f"{base}/b answered 404"
    assert watched.ask(20).requests == 6
    assert pages.asked == ["/a", "/b", "/b", "/a"]


def test_no_more_than_four_addresses_are_asked(pages: Pages, base: str) -> None:
    assert Watched(base, *"abcdef").refusal(0) == f"{base}/a answered 404; 3 more addresses gave nothing either"
    assert pages.asked == ["/a", "/b", "/c", "/d"]


def test_no_more_than_two_seconds_go_into_one_service(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    given: list[float] = []

    def hang(url: str, *, json: bool, within: float) -> str:
        given.append(within)
        now[0] += min(1.0, within)
        raise Unreadable(f"{url} did not answer", "wait")

    monkeypatch.setattr(served, "fetch", hang)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert Watched("http://127.0.0.1:1", *"abcd").refusal(0).endswith("1 more addresses gave nothing either")
    assert given == [2.0, 1.0]


def test_a_server_that_never_answered_is_asked_ever_more_rarely(pages: Pages, base: str) -> None:
    watched = Watched(base, "a")
    asked_at = []
    for second in range(0, 1500, 10):
        before = len(pages.asked)
        assert watched.refusal(second) == f"{base}/a answered 404"
        if len(pages.asked) > before:
            asked_at.append(second)
    assert asked_at == [0, 10, 30, 70, 150, 310, 610, 910, 1210]


def test_rounds_that_come_a_little_early_are_not_lost(pages: Pages, base: str) -> None:
    watched = Watched(base, "a")
    for second in (0, 9.98, 29.97):
        watched.refusal(second)
    assert len(pages.asked) == 3


def test_new_processes_and_new_addresses_end_the_wait(pages: Pages, base: str) -> None:
    watched = Watched(base, "a")
    for second in (0, 10, 30):
        watched.refusal(second)
    watched.forks(8)
    watched.refusal(31)
    assert len(pages.asked) == 4
    watched.refusal(32)
    assert len(pages.asked) == 4
    pages.bodies = {"/b": "r 5\n"}
    watched.service = msgspec.structs.replace(watched.service, metrics_urls=(f"{base}/b",))
    assert watched.ask(33).requests == 5


def test_a_server_that_has_answered_is_asked_in_every_round(pages: Pages, base: str) -> None:
    pages.bodies = {"/a": "r 5\n"}
    watched = Watched(base, "a")
    watched.ask(0)
    pages.bodies = {}
    for second in (10, 20, 30, 40):
        watched.refusal(second)
    assert len(pages.asked) == 5


def test_quantiles_need_a_page_of_the_same_server_before(pages: Pages, base: str) -> None:
    def page(count: int) -> str:
        return f'r {count}\nl_bucket{{le="0.1"}} {count}\nl_bucket{{le="+Inf"}} {count}\nl_count {count}\n'

    watched = Watched(base, "a", "b")
    pages.bodies = {"/a": page(10)}
    assert watched.ask(0).latency_p50_us is None
    pages.bodies = {"/a": page(20)}
    assert watched.ask(10).latency_p50_us == 50_000
    pages.bodies = {"/b": page(40)}
    watched.refusal(20)
    assert watched.ask(30).latency_p50_us is None
    pages.bodies = {"/b": page(60)}
    watched.forks(8)
    assert watched.ask(40).latency_p50_us == 50_000
    watched.service = msgspec.structs.replace(watched.service, started=99)
    pages.bodies = {"/b": page(90)}
    assert (watched.ask(50).latency_p50_us, watched.ask(60).latency_p50_us) == (None, None)


def test_pages_of_workers_that_each_count_for_themselves_have_no_rate(pages: Pages, base: str) -> None:
    """Behind one port a random worker answers: 100, 5000, 110, 5010 requests are of two processes."""
    watched = Watched(base, "a")
    found = []
    for second, (count, started) in enumerate([(100, "1.5"), (5000, "2.5"), (5010, "2.5"), (110, "1.5")]):
        pages.bodies = {"/a": f"process_start_time_seconds {started}\nr {count}\n"}
        found.append(watched.ask(second * 10))
    assert [rates(now, before, 10.0).requests_per_second for before, now in pairwise(found)] == [None, 1.0, None]


def test_models_that_were_told_apart_stay_so(pages: Pages, base: str) -> None:
    names = msgspec.structs.replace(NAMES, model_label="model")
    pages.bodies = {"/a": "".join(f'r{{model="m{n:02}"}} 1\n' for n in range(40))}
    watched = Watched(base, "a")
    first = watched.served.samples(watched.service, watched.framework, names, 0)
    pages.bodies["/a"] += 'r{model="a"} 1\n'
    second = watched.served.samples(watched.service, watched.framework, names, 10 * SECOND_NS)
    assert [one.entity for one in first] == [one.entity for one in second]
    assert (len(first), first[0].requests, second[0].requests) == (33, 40, 41)


def test_json_is_asked_for_only_where_the_page_is_json(pages: Pages, base: str) -> None:
    pages.bodies, pages.kind = {"/a": '{"done": 12}'}, "application/json; charset=utf-8"
    watched = Watched(base, "a")
    assert watched.refusal(0) == f"{base}/a answered 'application/json', which is no metrics page"
    watched.framework = Json()
    assert watched.ask(10).requests == 12
    assert pages.accepted == ["text/plain", "application/json"]


@pytest.mark.parametrize("body", ["[]", "{}", "3", '{"done": ', "[" * 100_000, "", "\x00\ufffd"])
def test_json_of_another_form_is_a_reason(pages: Pages, base: str, body: str) -> None:
    pages.bodies, pages.kind = {"/a": body}, "application/json"
    watched = Watched(base, "a")
    watched.framework = Json()
    assert watched.refusal(0).endswith("has another form than expected")
