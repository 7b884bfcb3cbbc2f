"""Models that push each other out of a server's memory, and evictions that are none of its business."""

import msgspec
import pytest

from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need, Severity
from advisor.rules.model_eviction_thrash import ModelEvictionThrash
from advisor.view import PageView, View
from collectors.entities import Process, Role, Worker, WorkerKey
from collectors.levers import Lever, Setting
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, thread, verdict, view, worker

RULE = ModelEvictionThrash()
AGENT = ("/bin/agent", "--tracing-config-path=/mnt/tracing/tracing.json")


def thrashing(
    *, evicted: float | None = 2.0, loaded: float | None = 2.0, answered: float | None = 50.0, pages: int = 12,
    p50: float | None = 0.02, p99: float | None = 2.0,
) -> View:  # fmt: skip
    """The agent of a Seldon server: two models out and two in, for fifty requests every ten seconds."""
    one = worker(101, [thread(101, 0.05)], role=Role.GATEWAY)
    process = Process(key=WorkerKey(101, 1101), ppid=1, uid=0, comm="agent", argv=AGENT)
    member = Worker(
        process=process, role=Role.GATEWAY, framework="seldon-core", service="seldon-core/agent:9001", slot=1
    )
    seen = view([one])
    service = msgspec.structs.replace(seen.service, framework="seldon-core", workers=(member,))
    said = tuple(
        PageView(age_seconds=10.0 * k, seconds=10.0, evicted=evicted, loaded=loaded, answered=answered)
        for k in range(pages)
    )
    return msgspec.structs.replace(
        seen, service=service, pages=said, latency_p50_seconds=p50, latency_p99_seconds=p99, samples=0
    )


def overcommitting(seen: View, percent: int | None) -> ServiceFacts:
    setting = Setting(lever=Lever.MODEL_OVERCOMMIT, value=percent, origin="env SELDON_OVERCOMMIT_PERCENTAGE")
    return msgspec.structs.replace(built.facts(seen, environ={}), settings=(setting,))


def test_twelve_evictions_a_minute_that_come_back_are_thrash() -> None:
    seen = thrashing()
    found = concluded(RULE, seen, overcommitting(seen, 10))
    shown = numbers(found)
    assert (shown["evictions_a_minute"], shown["evictions"], shown["loads_for_each_eviction"]) == (12.0, 24.0, 1.0)
    assert shown["requests_that_met_a_load"] == pytest.approx(0.04)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("model_overcommit", 10, 0)]
    assert "where there is none" in found.summary


def test_the_gain_is_told_by_the_tail_where_loads_are_in_it() -> None:
    seen = thrashing()
    found = concluded(RULE, seen, overcommitting(seen, 10))
    assert gains(found) == {"latency_p99_ratio": (0.01, 0.1, 1.0)}


@pytest.mark.parametrize("known", [{"answered": 500.0}, {"answered": 3.0}, {"answered": None}, {"p99": None}], ids=str)
def test_without_a_load_in_the_tail_there_is_no_gain_to_tell(known) -> None:
    seen = thrashing(**known)
    assert concluded(RULE, seen, overcommitting(seen, 10)).gains == ()


@pytest.mark.parametrize("percent", [0, None])
def test_without_overcommit_to_take_back_it_is_memory_or_another_server(percent: int | None) -> None:
    seen = thrashing()
    found = concluded(RULE, seen, overcommitting(seen, percent))
    assert found.changes == ()
    assert "more memory" in found.title
    assert ("does not overcommit" in found.summary) == (percent == 0)


@pytest.mark.parametrize(
    "known",
    [
        {"evicted": 0.1},  # 0.6 a minute
        {"evicted": 0.4, "pages": 9},  # 3.6 in all
        {"loaded": 0.9},  # what goes does not come back
        {"evicted": 0.0},
        {"evicted": None},
    ],
    ids=str,
)
def test_what_just_misses(known) -> None:
    seen = thrashing(**known)
    assert verdict(RULE, seen, overcommitting(seen, 10)) is None


def test_the_first_minute_is_waited_for() -> None:
    seen = thrashing(pages=5)
    need = verdict(RULE, seen, overcommitting(seen, 10))
    assert isinstance(need, Need)
    assert (need.kind, need.text.startswith("10 more seconds")) == ("time", True)


def test_the_place_is_the_agents_environment_and_it_is_known_from_documents_only() -> None:
    seen = thrashing()
    (found,) = Engine([RULE]).judge(seen, overcommitting(seen, 10)).judged
    (change,) = found.conclusion.changes
    assert [(place.kind, place.key, place.value) for place in change.how] == [
        ("argument", "--over-commit-percentage", "0"),
        ("env", "SELDON_OVERCOMMIT_PERCENTAGE", "0"),
    ]
    assert found.conclusion.confidence == 0.3
    assert found.severity is Severity.MEDIUM
