"""What was found is said in words that claim no more than it."""

import msgspec
import pytest

from advisor.measured import LoadStep
from agent.loadtest.agent_link import KnownService
from agent.loadtest.report import LoadTestReport, capacity_of, conclusion, row
from agent.loadtest.step import Limits
from tests.agent.loadtest.simulated import queue_step

LIMITS = Limits(latency_p99=0.1, spread=0.02)
STEPS = tuple(queue_step(rate, LIMITS, service_seconds=0.02) for rate in (25.0, 48.0, 52.0))
REPORT = LoadTestReport(
    url="http://127.0.0.1:8000/", at="2026-11-20T10:00:00Z", arrivals="constant", seed=1, unloaded_p50_seconds=0.02,
    unloaded_p99_seconds=0.021, latency_limit_seconds=0.105, first_token_limit_seconds=None, steps=STEPS,
    kept_up_per_second=48.0, fell_behind_per_second=52.0, ended="found", service="web", workers=2, told=None, notes=(),
)  # fmt: skip


def test_the_knee_is_an_interval_with_what_one_and_all_workers_do():
    assert conclusion(REPORT) == [
        "the knee lies between 48/s, which it kept up with, and 52/s",
        "one request after the other takes 20 ms each, 50/s; 2 workers kept up with 0.96 times that, 24/s each",
        "the generator itself took up to 0.10 cores of this node",
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"ended": "time"},
            "the knee lies between 48/s, which it kept up with, and 52/s; not closer, as the time was up",
        ),
        (
            {"fell_behind_per_second": None, "ended": "max-rate"},
            "it kept up with 48/s, the highest rate offered: a lower bound, as --max-rate was reached",
        ),
        ({"kept_up_per_second": None}, "it kept up with none of the rates that were offered"),
    ],
)
def test_what_was_not_found_is_not_claimed(change, line):
    assert conclusion(msgspec.structs.replace(REPORT, **change))[0].startswith(line)


def test_a_lower_bound_is_one_for_each_worker_too():
    bound = msgspec.structs.replace(REPORT, fell_behind_per_second=None, ended="max-rate", workers=1)
    assert conclusion(bound)[1].endswith("1 worker kept up with at least 0.96 times that, at least 48/s each")


def test_a_row_names_the_limit_that_was_not_kept():
    assert row(STEPS[0]).split() == ["25", "25", "20", "20", "20", "0.0%", "0", "kept", "up"]
    assert "fell behind: p99 of 415 ms is over 100 ms" in row(STEPS[2])


def test_the_agent_is_told_what_is_known_of_the_service_and_nothing_of_a_saturated_generator():
    late = msgspec.structs.replace(STEPS[2], verdict="generator saturated")
    told = capacity_of(msgspec.structs.replace(REPORT, steps=(*STEPS[:2], late)), generation=3)
    assert told is not None
    assert (told.generation, told.knee_per_second, told.upper_per_second, told.bound) == (3, 48.0, 52.0, "measured")
    assert told.steps[1] == LoadStep(
        offered_per_second=48.0, answered_per_second=48.0, errors_ratio=0.0, latency_p50_seconds=pytest.approx(0.02),
        latency_p99_seconds=pytest.approx(0.02), kept_up=True,
    )  # fmt: skip
    assert len(told.steps) == 2
    assert capacity_of(msgspec.structs.replace(REPORT, kept_up_per_second=None), 3) is None


@pytest.mark.parametrize(
    ("rate", "state", "text"),
    [(12.34, "loaded", "answers 12.3 requests/s"), (0.0, "loaded", ""), (None, "loaded", "works"), (None, "idle", "")],
)
def test_a_service_is_in_use_when_it_answers_or_where_that_is_not_known_works(rate, state, text):
    known = KnownService(id="1", name="web", port=80, state=state, workers=1, requests_per_second=rate)
    assert known.in_use == text
