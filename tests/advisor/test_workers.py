"""In which numbers servers count their workers, and what more or fewer processes are in them."""

import msgspec
import pytest

from advisor.facts import ServiceFacts
from advisor.view import View
from advisor.workers import can_count, change_to, count_told, processes_after, processes_each
from collectors.entities import Model
from collectors.levers import Lever, Value
from collectors.registry import all_frameworks
from tests.advisor.gpu_services import with_settings
from tests.advisor.gpus_built import gpu, on_gpus, process
from tests.advisor.llm_built import known, server

LANGUAGE_MODELS = ("vllm", "sglang", "tgi", "nim", "dynamo", "llama-server", "ollama")


def host(framework: str, processes: int, models: int = 0, **settings: Value) -> tuple[View, ServiceFacts]:
    seen = server(
        framework,
        range(101, 101 + processes),
        models=[Model(name=f"m{number}") for number in range(models)],
    )
    return seen, with_settings(known(seen), {Lever(name): value for name, value in settings.items()})


@pytest.mark.parametrize(
    ("framework", "processes", "models", "settings", "each"),
    [
        ("gunicorn", 6, 0, {"workers": 6}, 1),
        ("gunicorn", 6, 0, {"workers": 2}, 1),  # scaled by a signal: what is asked for is what runs, and more
        ("generic", 3, 0, {}, 1),
        ("mlserver", 6, 3, {"workers": 2}, 3),
        ("mlserver", 1, 3, {"workers": 1}, 1),
        ("mlserver", 6, 3, {"workers": 6, "model_pool": 3}, None),  # counted, and of three pools
        ("mlserver", 6, 3, {"workers": 4}, None),
        ("torchserve", 4, 2, {"workers": 2}, 2),
        ("torchserve", 4, 2, {"workers": 4}, None),
        ("torchserve", 4, 1, {"workers": 4}, 1),
        *((name, 2, 0, {}, None) for name in (*LANGUAGE_MODELS, "triton", "tensorflow-serving", "openvino-model-server")),
    ],
)  # fmt: skip
def test_processes_of_one_step(
    framework: str, processes: int, models: int, settings: dict[str, Value], each: int | None
) -> None:
    seen, facts = host(framework, processes, models, **settings)
    assert processes_each(seen, facts) == each
    assert can_count(facts) is (each is not None or framework in ("mlserver", "torchserve"))


def test_a_server_that_counts_for_each_device_has_as_many_of_each() -> None:
    seen, facts = host("litserve", 4, workers=4)
    assert processes_each(seen, facts) == 1
    two = on_gpus(seen, gpu([process(101), process(102)]), gpu([process(103), process(104)], uuid="GPU-2", index=1))
    more = change_to(two, facts, 7)
    assert more is not None
    assert (more.current, more.proposed, processes_after(two, more)) == (2, 3, 6)
    assert count_told(facts, more, "workers") == "3 workers for each device"


def test_no_more_processes_than_asked_for_and_no_fewer() -> None:
    seen, facts = host("mlserver", 6, 3, workers=2)
    found = {wanted: change_to(seen, facts, wanted) for wanted in (1, 3, 4, 6, 8, 9, 12)}
    assert {wanted: None if one is None else one.proposed for wanted, one in found.items()} == {
        1: 1, 3: 1, 4: None, 6: None, 8: None, 9: 3, 12: 4,
    }  # fmt: skip
    assert found[9] is not None
    assert count_told(facts, found[9], "workers") == "3 workers for each pool"
    plain, same = host("gunicorn", 6, workers=6)
    change = change_to(plain, same, 8)
    assert change is not None
    assert (change.current, change.proposed, count_told(same, change)) == (6, 8, "8")
    assert change_to(plain, same, 0) is None


def test_every_framework_with_knobs_says_whether_it_has_workers() -> None:
    without = {one.name for one in all_frameworks() if one.knobs and one.knob(Lever.WORKERS) is None}
    assert set(LANGUAGE_MODELS) <= without
    assert not without & {"gunicorn", "uvicorn", "hypercorn", "mlserver", "torchserve", "kserve", "bentoml", "litserve"}


def test_a_service_of_no_known_framework_is_one_of_which_nothing_is_known() -> None:
    seen, facts = host("gunicorn", 2)
    other = msgspec.structs.replace(facts.service, framework="unheard-of")
    assert processes_each(seen, msgspec.structs.replace(facts, service=other)) == 1
