"""A pipeline whose slowest stage is named, and pipelines that nothing of their own holds back."""

from collections.abc import Sequence

import msgspec
import pytest

from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.pipeline_critical_path import PipelineCriticalPath
from advisor.serving_rates import ServingRates
from advisor.view import StageView, View
from collectors.entities import Model, Role
from collectors.facts import SettingsFile
from tests.advisor import built
from tests.advisor.built import MIB, concluded, gains, numbers, thread, verdict, view, worker

RULE = PipelineCriticalPath()
CHAIN = ("tokenizer", "bert", "labels")


def stage(
    name: str, busy: float, *, instances: int = 1, rate: float = 100.0, waited: float | None = 0.05, batch: float = 1.0
) -> tuple[StageView, int]:
    """A model whose instances are busy for that share of the time, for `rate` requests a second in batches."""
    work = busy * instances * batch / rate
    queue = None if waited is None else work * waited / (1 - waited)
    said = ServingRates(
        requests_per_second=rate,
        latency_seconds=work + (queue or 0.0),
        queue_seconds=queue,
        batches_per_second=rate / batch,
    )
    return StageView(name=name, rates=said), instances


def pipeline(
    *stages: tuple[StageView, int], chain: Sequence[str] = CHAIN, counted: bool = True, resident: int = 200 * MIB,
    others: float = 0.0,
) -> View:  # fmt: skip
    """A Triton on eight cores that uses two of them for the stages of one ensemble."""
    front = worker(101, [thread(101, 2.0, allowed=range(8))], role=Role.FRONT_END, resident=resident)
    seen = view([front], cores=8, others=others)
    models = tuple(
        Model(name=one.name, path=f"/models/{one.name}", instances=count if counted else None) for one, count in stages
    )
    service = msgspec.structs.replace(seen.service, framework="triton", models=models, chains=(tuple(chain),))
    return msgspec.structs.replace(seen, service=service, stages=tuple(one for one, _ in stages), samples=0)


def slow_middle(**more: object) -> View:
    own = {"waited": 0.6, "instances": 2, **more}
    return pipeline(stage("tokenizer", 0.2), stage("bert", 0.95, **own), stage("labels", 0.475))  # type: ignore[arg-type]


def test_the_stage_that_is_always_busy_is_named_with_what_the_next_one_allows() -> None:
    seen = slow_middle()
    found = concluded(RULE, seen)
    assert found.subject.kind == "pipeline"
    assert "bert holds tokenizer → bert → labels back" in found.title
    shown = numbers(found)
    assert (shown["stage_busy"], shown["stage_waited"], shown["next_stage_busy"]) == (0.95, 0.6, 0.475)
    assert shown["stage_capacity"] == pytest.approx(100 / 0.95, abs=1e-3)
    assert shown["next_stage_capacity_ratio"] == 2.0
    assert [(c.lever, c.current, c.proposed, c.model) for c in found.changes] == [("model_instances", 2, 4, "bert")]
    assert gains(found)["throughput_ratio"] == (1.0, 1.5, 2.0)


def test_the_next_stage_bounds_the_gain_and_the_instances() -> None:
    seen = pipeline(stage("tokenizer", 0.8), stage("bert", 0.96, instances=5, waited=0.5))
    found = concluded(RULE, seen)
    assert (found.changes[0].proposed, gains(found)["throughput_ratio"][2]) == (6, 1.2)


def test_batches_count_as_one_execution() -> None:
    seen = pipeline(stage("tokenizer", 0.3), stage("bert", 0.9, waited=0.5, batch=8.0))
    assert numbers(concluded(RULE, seen))["stage_busy"] == 0.9


def test_the_place_is_the_file_of_that_model_alone() -> None:
    seen = slow_middle()
    facts = built.facts(seen, environ={})
    files = tuple(
        SettingsFile("config.pbtxt", f"/models/{name}/config.pbtxt", True, {"name": name, "backend": "python"})
        for name in CHAIN
    )
    (front,) = seen.service.workers
    argv = ("tritonserver", "--model-repository=/models")
    member = msgspec.structs.replace(front, process=msgspec.structs.replace(front.process, argv=argv))
    own = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=(member,)))
    known = ServiceFacts(
        service=own.service,
        processes={k: msgspec.structs.replace(p, settings_files=files) for k, p in facts.processes.items()},
    )
    (found,) = Engine([RULE]).judge(own, known).judged
    (change,) = found.conclusion.changes
    assert [(place.kind, place.target, place.key, place.value) for place in change.how] == [
        ("file", "/models/bert/config.pbtxt", "instance_group.0.count", 4)
    ]


@pytest.mark.parametrize(
    "stages",
    [
        (stage("tokenizer", 0.2), stage("bert", 0.8, waited=0.6)),
        (stage("tokenizer", 0.2), stage("bert", 0.95, waited=0.15)),  # nothing waits for it
        (stage("tokenizer", 0.9, waited=0.5), stage("bert", 0.95, waited=0.6)),  # 5 % to gain
        (stage("bert", 0.95, waited=0.6),),  # nothing is known of any other
        (),
    ],
    ids=["not busy", "nothing waits", "both", "one stage", "none"],
)
def test_what_just_misses(stages) -> None:
    assert verdict(RULE, pipeline(*stages)) is None


def test_a_model_that_is_in_no_pipeline_is_not_judged() -> None:
    seen = slow_middle()
    alone = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, chains=()))
    assert verdict(RULE, alone) is None


def test_stages_that_are_served_elsewhere_make_the_path_partial() -> None:
    seen = pipeline(stage("tokenizer", 0.2), stage("bert", 0.95, waited=0.6))
    whole = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, chains=(CHAIN[:2],)))
    found = concluded(RULE, seen)
    assert "Of labels nothing is seen here: the path is partial." in found.summary
    assert found.confidence < concluded(RULE, whole).confidence


def test_full_cores_and_full_memory_leave_no_room_for_another_instance() -> None:
    crowded = concluded(RULE, msgspec.structs.replace(slow_middle(), cores=slow_middle().cores[:2]))
    assert (crowded.changes, crowded.gains) == ((), ())
    assert "No other instance has room" in crowded.summary
    large = msgspec.structs.replace(slow_middle(), memory_available_bytes=100 * MIB)
    assert concluded(RULE, large).changes == ()


def test_what_is_not_told_is_asked_for() -> None:
    uncounted = verdict(RULE, pipeline(stage("tokenizer", 0.2), stage("bert", 0.95, waited=0.6), counted=False))
    assert isinstance(uncounted, Need)
    assert "instances of bert" in uncounted.text
    silent = verdict(RULE, pipeline(stage("tokenizer", 0.2), stage("bert", 0.95, waited=None)))
    assert isinstance(silent, Need)
    assert silent.kind == "metrics"
