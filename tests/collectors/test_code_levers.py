"""Levers that only code turns."""

import pytest

from collectors.code_levers import code_places, stage_advice
from collectors.entities import Role
from collectors.levers import Lever, Value
from collectors.places import places_for
from collectors.registry import all_frameworks
from tests.captures import process, service_of


def shown(lever: Lever, value: Value, framework: str) -> list[tuple[str, str, Value]]:
    service = service_of(framework, (process(10, "python"), Role.FRONT_END))
    return [(p.kind, p.key, p.value) for p in code_places(lever, value, service)]


@pytest.mark.parametrize(
    ("framework", "key"),
    [
        ("uvicorn", "application/octet-stream"),
        ("mlserver", "raw_input_contents"),
        ("triton", "binary_data=True"),
        ("tensorflow-serving", "tensor_content"),
    ],
)
def test_bytes_are_sent_as_each_server_takes_them(framework: str, key: str) -> None:
    assert shown(Lever.PAYLOAD_FORMAT, "bytes", framework) == [("code", key, "bytes")]


def test_servers_of_language_models_take_text_and_have_no_such_place() -> None:
    for framework in ("vllm", "ollama", "tgi", "llama-server"):
        assert shown(Lever.PAYLOAD_FORMAT, "bytes", framework) == []


def test_every_name_in_the_table_is_a_framework() -> None:
    named = {f.name for f in all_frameworks() if shown(Lever.PAYLOAD_FORMAT, "bytes", f.name)}
    assert {"mlserver", "seldon-core", "kserve", "triton", "openvino-model-server", "tensorflow-serving", "torchserve",
            "ray-serve", "bentoml", "litserve", "gunicorn", "uvicorn", "hypercorn", "generic"} == named  # fmt: skip


def test_waiting_moves_to_a_thread_and_python_to_a_process() -> None:
    assert shown(Lever.LOOP_OFFLOAD, "thread", "uvicorn") == [("code", "asyncio.to_thread", "thread")]
    key = "concurrent.futures.ProcessPoolExecutor"
    assert shown(Lever.LOOP_OFFLOAD, "process pool", "uvicorn") == [("code", key, "process pool")]


def test_the_code_of_a_model_captures_its_kernels_where_no_setting_does() -> None:
    key = 'torch.compile(mode="reduce-overhead")'
    assert shown(Lever.CUDA_GRAPHS, True, "litserve") == [("code", key, True)]
    assert shown(Lever.CUDA_GRAPHS, True, "sglang") == []


@pytest.mark.parametrize("stage", ["decode", "tokenise", "features"])
def test_each_stage_of_preprocessing_has_its_advice(stage: str) -> None:
    assert shown(Lever.PREPROCESSING, stage_advice(stage), "uvicorn") == [("code", stage, stage_advice(stage))]


def test_servers_pass_them_on_and_know_no_others() -> None:
    service = service_of("gunicorn", (process(10, "gunicorn", "app:app"), Role.FRONT_END))
    (place,) = places_for(Lever.INPUT_SIZE, "as the model takes it", service, {})
    assert (place.kind, place.key) == ("code", "input of the clients")
    assert shown(Lever.WORKERS, 2, "gunicorn") == []
