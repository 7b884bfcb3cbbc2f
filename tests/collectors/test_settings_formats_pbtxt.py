"""Protobuf's text format: fields, lists, maps and messages, as Triton and TensorFlow Serving write them."""

import pytest

from tests.collectors.settings_asking import ask, values

TRITON = """
    # a model
    name: "densenet" platform: 'onnxruntime_onnx'
    backend: "onnx" "runtime"
    max_batch_size: 0x8;
    input [ { name: "data_0", data_type: TYPE_FP32, dims: [ 3, 224, -1 ] } ]
    instance_group [
      { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] },
      { count: 1 kind: KIND_CPU }
    ]
    dynamic_batching { }
    parameters { key: "intra_op_thread_count" value: { string_value: "4" } }
    parameters: < key: "flag" value < string_value: "\\"x\\"\\101\\303\\251" > >
    optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "tensorrt"
      parameters { key: "precision_mode" value: "FP16" } } ] } }
    ensemble_scheduling { step [ { model_name: "a" model_version: -1 }, { model_name: "b" } ] }
    version_policy: { specific: { versions: [1, 3] } }
    response_cache { enable: true }
    ratio: 1.5e-1f
"""


def test_pbtxt_of_triton() -> None:
    keys = (
        "name", "platform", "backend", "max_batch_size", "instance_group.*.count", "instance_group.0.kind",
        "instance_group.0.gpus.1", "dynamic_batching", "dynamic_batching.max_queue_delay_microseconds", "parameters.*",
        "ensemble_scheduling.step.*.model_name", "ensemble_scheduling.step.0.model_version", "input.0.dims.2",
        "optimization.execution_accelerators.gpu_execution_accelerator.0.parameters.precision_mode",
        "version_policy.specific.versions.1", "response_cache.enable", "ratio",
    )  # fmt: skip
    assert values("config.pbtxt", TRITON, *keys) == {
        "name": "densenet", "platform": "onnxruntime_onnx", "backend": "onnxruntime", "max_batch_size": 8,
        "instance_group.0.count": 2, "instance_group.1.count": 1, "instance_group.0.kind": "KIND_GPU",
        "instance_group.0.gpus.1": 1, "dynamic_batching": True, "parameters.intra_op_thread_count": "4",
        "parameters.flag": '"x"Aé', "ensemble_scheduling.step.0.model_name": "a",
        "ensemble_scheduling.step.1.model_name": "b", "ensemble_scheduling.step.0.model_version": -1,
        "input.0.dims.2": -1, "version_policy.specific.versions.1": 3, "response_cache.enable": True, "ratio": 0.15,
        "optimization.execution_accelerators.gpu_execution_accelerator.0.parameters.precision_mode": "FP16",
    }  # fmt: skip


def test_a_message_with_fields_is_there_too() -> None:
    text = "dynamic_batching { preferred_batch_size: 4 preferred_batch_size: 8 max_queue_delay_microseconds: 100 }"
    assert values("c.pbtxt", text, "dynamic_batching", "dynamic_batching.*", "dynamic_batching.preferred_batch_size.*") == {
        "dynamic_batching": True,
        "dynamic_batching.preferred_batch_size.0": 4,
        "dynamic_batching.preferred_batch_size.1": 8,
        "dynamic_batching.max_queue_delay_microseconds": 100,
    }  # fmt: skip


def test_one_value_of_a_repeated_field_is_a_list_and_a_second_of_another_is_numbered() -> None:
    text = "instance_group { count: 3 } other: 1 other: 2 other { x: 3 } list: [7] none: []"
    keys = ("instance_group.0.count", "other", "other.1", "other.2.x", "list.0", "none")
    assert values("c.pbtxt", text, *keys) == {
        "instance_group.0.count": 3, "other": 1, "other.1": 2, "other.2.x": 3, "list.0": 7,
    }  # fmt: skip


def test_pbtxt_of_tensorflow_serving() -> None:
    batching = "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 0 }\nallowed_batch_sizes : 8"
    assert values("batching.txt", batching, "max_batch_size.value", "batch_timeout_micros.value", "allowed_batch_sizes.0") == {
        "max_batch_size.value": 128, "batch_timeout_micros.value": 0, "allowed_batch_sizes.0": 8,
    }  # fmt: skip
    models = "model_config_list { config { name: 'a' base_path: '/m/a' } config { name: 'b' } }"
    assert values("models.config", models, "model_config_list.config.*.name") == {
        "model_config_list.config.0.name": "a", "model_config_list.config.1.name": "b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "line 1: a value is missing"),
        ("a: 1\nb: {", "line 2: a name is missing"),
        ("a: {\n>", "line 2: a name is missing"),
        ("a: [1 2]", "line 1: `,` is missing"),
        ("a: 09", "line 1: a number is broken"),
        ("a: -x", "line 1: a number is missing"),
        ("a: 1\n[x]: 2", "line 2: a name is missing"),
        ('a: "x', "line 1: not protobuf's text format"),
        ("a: 1.2.3", "line 1: not protobuf's text format"),
        ('a: "\\q"', "line 1: an escape that is not read"),
        ("a{" * 50, "line 1: nested too deep"),
        ("a:1 " * 30_000, "more than 65536 words"),
        ("a: " + "1" * 100, "line 1: a number is too long"),
        ("}", "line 1: a name is missing"),
    ],
)
def test_pbtxt_that_is_not_read(text: str, problem: str) -> None:
    assert ask("c.pbtxt", text, "a") == ({}, problem)
