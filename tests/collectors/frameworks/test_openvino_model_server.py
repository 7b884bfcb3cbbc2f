"""OpenVINO Model Server from its documentation: its process, models, options, files and page."""

from pathlib import Path

import msgspec
import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import Facts, SettingsFile
from collectors.framework import ModelRequest
from collectors.frameworks.openvino_model_server import OpenVinoModelServer
from collectors.levers import Lever, Place, Value
from collectors.model_file import ModelFile
from tests.captures import facts, process, service_of
from tests.pages import sample_of_page, samples_of_page
from tests.settings_text import settings_of

FRONT = Role.FRONT_END
PAGE = (Path(__file__).parents[2] / "fixtures" / "metrics" / "openvino_model_server.prom").read_text()
OVMS = OpenVinoModelServer()
Scalar = bool | int | float | str | None


def server(*arguments: str) -> Process:
    argv = ("/ovms/bin/ovms", "--model_name", "resnet", "--model_path", "/models/resnet", "--port", "9000")
    return process(10, *argv, "--rest_port=8000", *arguments, comm="ovms")


def several(*arguments: str) -> Process:
    return process(10, "ovms", "--config_path", "/models/vision.json", "--rest_port", "8000", *arguments, comm="ovms")


def config(**values: Scalar) -> SettingsFile:
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return SettingsFile("config_path", "/models/vision.json", True, dotted)


def listed(number: int, name: str, **values: Scalar) -> dict[str, Scalar]:
    return {f"model_config_list__{number}__config__{key}": value for key, value in {"name": name, **values}.items()}


def known_of(one: Process, *files: SettingsFile) -> Facts:
    return {one.key: facts(one, environ={}, files=files)}


def service(one: Process) -> Service:
    return service_of("openvino-model-server", (one, FRONT))


def said(lever: Lever, one: Process, *files: SettingsFile) -> tuple[object, str]:
    found = OVMS.setting(lever, service(one), known_of(one, *files))
    assert found is not None
    return found.value, found.origin


def places(lever: Lever, value: Value, one: Process, *files: SettingsFile) -> list[Place]:
    return list(OVMS.places(lever, value, service(one), known_of(one, *files)))


@pytest.mark.parametrize(
    "argv",
    [
        ("/ovms/bin/ovms", "--model_name", "resnet", "--model_path", "/models/resnet", "--port", "9000"),
        ("ovms", "--config_path=/models/config.json", "--rest_port=8000"),
        (
            "ovms",
            "--source_model",
            "OpenVINO/Qwen3-8B-int4-ov",
            "--model_repository_path",
            "/models",
            "--rest_port",
            "80",
        ),
    ],
)
def test_its_one_process_is_the_front_end(argv: tuple[str, ...]) -> None:
    assert OVMS.recognise(process(10, *argv), None, None) is FRONT


@pytest.mark.parametrize(
    "argv",
    [
        ("ovms", "--pull", "--source_model", "OpenVINO/Qwen3-8B-int4-ov", "--model_repository_path", "/models"),
        ("ovms", "--list_models", "--model_repository_path", "/models"),
        ("ovms", "--add_to_config", "--config_path", "/models/config.json", "--model_name", "resnet"),
        ("ovms", "--configure", "--model_path", "/models/llm"),
        ("ovms", "--version"),
        ("ovms",),
        ("bash", "-c", "ovms --port 9000"),
        ("grep", "ovms", "--port"),
        ("vim", "ovms"),
        ("docker", "run", "openvino/model_server", "--port", "9000"),
        (),
    ],
)
def test_other_verbs_and_programs_are_not_recognised(argv: tuple[str, ...]) -> None:
    assert OVMS.recognise(process(1, *argv), None, None) is None


@pytest.mark.parametrize(
    ("one", "application", "port", "urls"),
    [
        (server(), "resnet", 8000, ()),
        (server("--metrics_enable"), "resnet", 8000, ("http://127.0.0.1:8000/metrics",)),
        (server("--metrics_enable", "--rest_bind_address", "10.0.0.7,::1"), "resnet", 8000,
         ("http://10.0.0.7:8000/metrics",)),
        (server("--rest_port=0"), "resnet", 9000, ()),
        (process(10, "ovms", "--model_path", "/m/face/"), "face", None, ()),
        (several(), "vision", 8000, ("http://127.0.0.1:8000/metrics",)),
        (process(10, "ovms", "--config_path="), "openvino-model-server", None, ()),
    ],
)  # fmt: skip
def test_names_ports_and_the_metrics_page(one: Process, application: str, port: int | None, urls: tuple[str]) -> None:
    traits = OVMS.traits([(one, FRONT)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_the_page_may_be_switched_on_in_the_file() -> None:
    one = several()

    def urls(**values: Scalar) -> int:
        return len(OVMS.traits([(one, FRONT)], known_of(one, config(**values))).metrics_urls)

    assert (urls(monitoring__metrics__enable=True), urls(monitoring__metrics__enable=False), urls()) == (1, 0, 0)


def test_the_model_of_the_command_line() -> None:
    one = server()
    weights = (ModelFile(path="/models/resnet/1/model.onnx", format="onnx", size_bytes=900),)
    known = {one.key: msgspec.structs.replace(facts(one, environ={}), models=weights)}
    assert OVMS.traits([(one, FRONT)], known).models == (
        Model(name="resnet", runtime="openvino", path="/models/resnet", files=weights),
    )
    assert OVMS.model_requests(one, None) == [ModelRequest(location="/models/resnet")]
    assert OVMS.model_requests(process(10, "ovms", "--model_path=s3://bucket/m", "--port=1"), None) == []


def test_the_models_of_a_file() -> None:
    one = several()
    values = listed(0, "resnet", base_path="/models/resnet") | listed(1, "face", base_path="face")
    values |= {"mediapipe_config_list__0__name": "llm", "mediapipe_config_list__0__base_path": "llm"}
    values |= {"pipeline_config_list__0__nodes__0__model_name": "face",
               "pipeline_config_list__0__nodes__1__model_name": "resnet"}  # fmt: skip
    traits = OVMS.traits([(one, FRONT)], known_of(one, config(**values)))
    assert [(model.name, model.path) for model in traits.models] == [
        ("resnet", "/models/resnet"), ("face", "/models/face"), ("llm", "/models/llm"),
    ]  # fmt: skip
    assert traits.chains == (("face", "resnet"),)
    assert OVMS.traits([(one, FRONT)], {}).models == ()


def test_the_file_is_asked_for() -> None:
    (wanted,) = OVMS.settings_requests(several())
    assert (wanted.name, wanted.pattern) == ("config_path", "/models/vision.json")
    assert "model_config_list.*.config.plugin_config.NUM_STREAMS" in wanted.keys
    assert OVMS.settings_requests(server()) == []


STREAMS = '{"NUM_STREAMS": "4", "INFERENCE_NUM_THREADS": 8, "ENABLE_CPU_PINNING": false}'
CALCULATED = "default (as many as the device has room for)"
SOCKETS = "default (one stream per CPU socket or GPU)"


@pytest.mark.parametrize(
    ("lever", "arguments", "value", "origin"),
    [
        (Lever.MAX_REQUESTS_IN_FLIGHT, ("--nireq", "16"), 16, "argument nireq"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, ("--nireq=0",), None, CALCULATED),
        (Lever.MAX_REQUESTS_IN_FLIGHT, (), None, CALCULATED),
        (Lever.MODEL_INSTANCES, ("--plugin_config", STREAMS), 4, "argument plugin_config NUM_STREAMS"),
        (Lever.COMPUTE_THREADS, ("--plugin_config", STREAMS), 8, "argument plugin_config INFERENCE_NUM_THREADS"),
        (Lever.THREAD_BINDING, ("--plugin_config", STREAMS), False, "argument plugin_config ENABLE_CPU_PINNING"),
        (Lever.THREAD_BINDING, (), None, "default (on; newer servers leave it off under a CPU limit)"),
        (Lever.MODEL_INSTANCES, (), None, SOCKETS),
        (Lever.MODEL_INSTANCES, ('--plugin_config={"NUM_STREAMS": "AUTO"}',), None, SOCKETS),
        (Lever.MODEL_INSTANCES, ('--plugin_config={"PERFORMANCE_HINT": "THROUGHPUT"}',), None,
         "argument PERFORMANCE_HINT THROUGHPUT decides"),
        (Lever.MODEL_INSTANCES, ("--plugin_config={",), None, "argument plugin_config is not readable"),
        (Lever.MODEL_INSTANCES, ("--plugin_config=[1]",), None, "argument plugin_config is not readable"),
        (Lever.REQUEST_THREADS, ("--rest_workers", "24"), 24, "argument --rest_workers"),
        (Lever.REQUEST_THREADS, (), None, "default (one per CPU)"),
        (Lever.API_SERVERS, (), 1, "default"),
        (Lever.API_SERVERS, ("--grpc_workers=4",), 4, "argument --grpc_workers"),
        (Lever.METRICS, ("--metrics_enable",), True, "argument --metrics_enable"),
        (Lever.METRICS, (), False, "default"),
    ],
)  # fmt: skip
def test_what_the_command_line_sets(lever: Lever, arguments: tuple[str, ...], value: object, origin: str) -> None:
    assert said(lever, server(*arguments)) == (value, origin)


def test_what_the_file_sets() -> None:
    one = several()
    own = listed(0, "a", nireq=8, plugin_config__NUM_STREAMS="2") | listed(
        1, "b", nireq=8, plugin_config__NUM_STREAMS=4
    )
    assert said(Lever.MAX_REQUESTS_IN_FLIGHT, one, config(**own)) == (8, "file /models/vision.json nireq")
    assert said(Lever.MODEL_INSTANCES, one, config(**own)) == (None, "differs between models: a 2, b 4")
    assert said(Lever.METRICS, one, config(monitoring__metrics__enable=True)) == (True, "file /models/vision.json")
    unread = "--config_path was not read, or lists no model"
    assert said(Lever.MODEL_INSTANCES, one) == (None, unread)
    assert said(Lever.METRICS, one) == (None, "/models/vision.json is not readable")


def test_a_file_in_its_own_words() -> None:
    one = several()
    text = """{
      "model_config_list": [
        {"config": {"name": "resnet", "base_path": "/models/resnet", "nireq": 8, "target_device": "CPU",
                    "plugin_config": {"NUM_STREAMS": "2", "ENABLE_CPU_PINNING": false}}},
        {"config": {"name": "face", "base_path": "face", "nireq": 8, "plugin_config": {"NUM_STREAMS": 2}}}],
      "pipeline_config_list": [{"name": "both", "inputs": ["image"], "nodes": [
        {"name": "find", "model_name": "face", "type": "DL model"},
        {"name": "crop", "library_name": "crop", "type": "custom"},
        {"name": "tell", "model_name": "resnet", "type": "DL model"}]}],
      "monitoring": {"metrics": {"enable": true}}
    }"""
    read = settings_of(OVMS.settings_requests(one)[0], text)
    assert said(Lever.MAX_REQUESTS_IN_FLIGHT, one, read) == (8, "file /models/vision.json nireq")
    assert said(Lever.MODEL_INSTANCES, one, read) == (2, "file /models/vision.json plugin_config NUM_STREAMS")
    assert said(Lever.METRICS, one, read) == (True, "file /models/vision.json")
    traits = OVMS.traits([(one, FRONT)], known_of(one, read))
    assert ([model.name for model in traits.models], traits.chains) == (["resnet", "face"], (("face", "resnet"),))


def test_a_file_that_was_not_understood_is_unknown() -> None:
    one = several()
    damaged = SettingsFile("config_path", "/models/vision.json", True, {"model_config_list.0.config.name": "a"}, "cut")
    assert said(Lever.MODEL_INSTANCES, one, damaged) == (None, "/models/vision.json: cut")
    assert said(Lever.METRICS, one, damaged) == (None, "/models/vision.json is not readable")


def test_where_streams_are_set() -> None:
    (place,) = places(Lever.MODEL_INSTANCES, 6, server("--plugin_config", STREAMS))
    assert (place.kind, place.key, place.effective) == ("argument", "--plugin_config", True)
    assert msgspec.json.decode(str(place.value)) == {
        "NUM_STREAMS": 6, "INFERENCE_NUM_THREADS": 8, "ENABLE_CPU_PINNING": False,
    }  # fmt: skip
    (place,) = places(Lever.MODEL_INSTANCES, 6, server("--plugin_config={"))
    assert (place.value, place.effective) == ('{"NUM_STREAMS":6}', None)
    (place,) = places(Lever.MAX_REQUESTS_IN_FLIGHT, 6, server())
    assert (place.key, place.value) == ("--nireq", "6")
    found = places(Lever.MODEL_INSTANCES, 6, several(), config(**listed(0, "a") | listed(1, "b")))
    assert [(one.target, one.key, one.value, one.restart) for one in found] == [
        ("/models/vision.json", f'"{name}": plugin_config.NUM_STREAMS', 6, False) for name in "ab"
    ]


def test_where_binding_is_switched_off() -> None:
    one = server()
    known = {one.key: facts(one, environ={"OMP_PROC_BIND": "close"})}
    own, shared = OVMS.places(Lever.THREAD_BINDING, "false", service(one), known)
    assert (own.key, own.value) == ("--plugin_config", '{"ENABLE_CPU_PINNING":false}')
    assert (shared.key, shared.value) == ("OMP_PROC_BIND", "false")


def test_where_metrics_are_switched_on() -> None:
    (flag,) = places(Lever.METRICS, True, server())
    assert (flag.kind, flag.key, flag.value) == ("argument", "--metrics_enable", None)
    file, flag = places(Lever.METRICS, True, several())
    assert (file.target, file.key, file.value) == ("/models/vision.json", "monitoring.metrics.enable", True)


def test_what_it_could_tell() -> None:
    def gaps(one: Process, *files: SettingsFile) -> list[tuple[str, str]]:
        return [(gap.turn_on, gap.where) for gap in OVMS.gaps(service(one), known_of(one, *files))]

    assert gaps(server("--metrics_enable")) == []
    assert gaps(server()) == [("--metrics_enable", "command line")]
    assert gaps(server("--rest_port=0")) == [("--rest_port 8000", "command line"), ("--metrics_enable", "command line")]
    line = '"monitoring": {"metrics": {"enable": true}}'
    assert gaps(several(), config()) == [(line, "/models/vision.json")]
    assert gaps(several()) == []


def test_the_page_of_all_models() -> None:
    sample = sample_of_page(OVMS, PAGE)
    assert (sample.requests, sample.errors) == (4620, 9)
    assert (sample.latency_sum_us, sample.latency_count) == (275_000_000, 4620)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (61_000, 4500)
    assert (sample.in_flight, sample.queue) == (8, None)


def test_quantiles_are_of_what_was_added() -> None:
    sample = sample_of_page(OVMS, PAGE, before="# TYPE ovms_request_time_us histogram\n")
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (6427, 11568)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (37481, None)


def test_the_page_of_one_model() -> None:
    face = samples_of_page(OVMS, PAGE)["model:5e41ce/face"]
    assert (face.requests, face.errors, face.in_flight) == (500, 0, 1)
    assert (face.latency_sum_us, face.latency_count, face.queue_time_sum_us) == (1_000_000, 500, 1_000)
