"""TensorFlow Serving from its documentation: its process, options, files and page."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import Facts, SettingsFile
from collectors.frameworks.tensorflow_serving import TensorFlowServing
from collectors.levers import Lever, Place
from tests.captures import facts, process, service_of
from tests.pages import sample_of_page, samples_of_page
from tests.settings_text import settings_of

FRONT = Role.FRONT_END
PAGE = (Path(__file__).parents[2] / "fixtures" / "metrics" / "tensorflow_serving.prom").read_text()
SERVING = TensorFlowServing()
Scalar = bool | int | float | str | None
IMAGE = ("--port=8500", "--rest_api_port=8501", "--model_name=resnet", "--model_base_path=/models/resnet")


def server(*arguments: str) -> Process:
    return process(10, "tensorflow_model_server", *IMAGE, *arguments, comm="tensorflow_mode")


def read(name: str, path: str, problem: str | None = None, /, **values: Scalar) -> SettingsFile:
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return SettingsFile(name, path, True, dotted, problem)


def known_of(one: Process, *files: SettingsFile, environ: dict[str, str] | None = None) -> Facts:
    return {one.key: facts(one, environ={} if environ is None else environ, files=files)}


def service(one: Process) -> Service:
    return service_of("tensorflow-serving", (one, FRONT))


def said(lever: Lever, one: Process, *files: SettingsFile, environ: dict[str, str] | None = None) -> tuple[object, str]:
    found = SERVING.setting(lever, service(one), known_of(one, *files, environ=environ))
    assert found is not None
    return found.value, found.origin


def places(lever: Lever, value: int, one: Process, *files: SettingsFile) -> list[Place]:
    return list(SERVING.places(lever, value, service(one), known_of(one, *files)))


def test_its_one_process_is_the_front_end() -> None:
    assert SERVING.name == "tensorflow-serving"
    assert SERVING.recognise(process(10, "/usr/bin/tensorflow_model_server", *IMAGE), None, None) is FRONT
    assert [worker.pid for worker in service(server()).serving] == [10]


@pytest.mark.parametrize(
    "argv",
    [
        ("/bin/bash", "/usr/bin/tf_serving_entrypoint.sh"),
        ("bash", "-c", "tensorflow_model_server --port=8500"),
        ("grep", "tensorflow_model_server"),
        ("docker", "run", "tensorflow/serving"),
        ("vim", "tensorflow_model_server.md"),
        ("pip", "install", "tensorflow-serving-api"),
        (),
    ],
)
def test_what_only_names_it_is_no_server(argv: tuple[str, ...]) -> None:
    assert SERVING.recognise(process(1, *argv), None, None) is None


def test_what_the_image_starts() -> None:
    traits = SERVING.traits([(server(), FRONT)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == ("resnet", 8501, ())
    assert traits.models == (Model(name="resnet", runtime="tensorflow", path="/models/resnet"),)


@pytest.mark.parametrize(
    ("arguments", "application", "port"),
    [
        ((), "default", 8500),
        (("--port=9000",), "default", 9000),
        (("--port=9000", "--rest_api_port=0"), "default", 9000),
        (("--port=0",), "default", None),
        (("--model_config_file=/models/models.config", "--rest_api_port=8501"), "models", 8501),
    ],
)
def test_names_and_ports(arguments: tuple[str, ...], application: str, port: int | None) -> None:
    traits = SERVING.traits([(process(10, "tensorflow_model_server", *arguments), FRONT)], {})
    assert (traits.application, traits.port) == (application, port)


def test_only_files_that_can_be_read_are_asked_for() -> None:
    arguments = ("--batching_parameters_file=/c/batching.pbtxt", "--monitoring_config_file=/c/monitoring.proto",
                 "--model_config_file=/c/models.config")  # fmt: skip
    wanted = SERVING.settings_requests(server(*arguments))
    assert [(one.name, one.pattern) for one in wanted] == [
        ("batching_parameters_file", "/c/batching.pbtxt"),
        ("model_config_file", "/c/models.config"),
    ]
    assert "max_batch_size.value" in wanted[0].keys
    assert SERVING.settings_requests(server()) == []


def test_models_of_a_list() -> None:
    one = server("--model_config_file=/c/models.pbtxt")
    several = read("model_config_file", "/c/models.pbtxt", model_config_list__config__0__name="a",
                   model_config_list__config__0__base_path="/m/a", model_config_list__config__1__name="b")  # fmt: skip
    assert SERVING.traits([(one, FRONT)], known_of(one, several)).models == (
        Model(name="a", runtime="tensorflow", path="/m/a"),
        Model(name="b", runtime="tensorflow"),
    )
    assert SERVING.traits([(one, FRONT)], {}).models == ()


ON = "--monitoring_config_file=/c/monitoring.pbtxt"


@pytest.mark.parametrize(
    ("arguments", "values", "urls"),
    [
        ((ON,), None, ("http://127.0.0.1:8501/monitoring/prometheus/metrics",)),
        ((ON,), {"prometheus_config__enable": True}, ("http://127.0.0.1:8501/monitoring/prometheus/metrics",)),
        (
            (ON,),
            {"prometheus_config__enable": True, "prometheus_config__path": "/prom"},
            ("http://127.0.0.1:8501/prom",),
        ),
        ((ON,), {"prometheus_config__enable": False}, ()),
        ((ON,), {}, ()),
        ((ON, "--rest_api_port=0"), None, ()),
    ],
)
def test_the_metrics_page(arguments: tuple[str, ...], values: dict[str, Scalar] | None, urls: tuple[str, ...]) -> None:
    one = server(*arguments)
    files = () if values is None else (read("monitoring_config_file", "/c/monitoring.pbtxt", **values),)
    assert SERVING.traits([(one, FRONT)], known_of(one, *files)).metrics_urls == urls


INTRA, INTER = "--tensorflow_intra_op_parallelism", "--tensorflow_inter_op_parallelism"
SESSION = "--tensorflow_session_parallelism"


@pytest.mark.parametrize(
    ("arguments", "environ", "value", "origin"),
    [
        ((f"{INTRA}=4",), {"TF_NUM_INTRAOP_THREADS": "2"}, 4, f"argument {INTRA}"),
        ((f"{INTRA}=0",), {"TF_NUM_INTRAOP_THREADS": "2"}, 2, "env TF_NUM_INTRAOP_THREADS"),
        ((f"{SESSION}=6",), {}, 6, f"argument {SESSION}"),
        ((f"{SESSION}=6", f"{INTER}=2"), {}, "unset", "default (one per CPU)"),
        ((f"{INTRA}=4", f"{SESSION}=6"), {}, 4, f"argument {INTRA}"),
        ((), {}, "unset", "default (one per CPU)"),
        ((f"{INTRA}=4", "--platform_config_file=/c/p.config"), {}, None, "--platform_config_file sets it"),
    ],
)
def test_compute_threads(arguments: tuple[str, ...], environ: dict[str, str], value: object, origin: str) -> None:
    assert said(Lever.COMPUTE_THREADS, server(*arguments), environ=environ) == (value, origin)


def test_threads_are_unknown_where_the_environment_is() -> None:
    one = server()
    known = {one.key: facts(one, environ=None)}
    found = SERVING.setting(Lever.COMPUTE_THREADS, service(one), known)
    assert found is not None
    assert (found.value, found.origin.startswith("environment not readable")) == (None, True)


def test_inter_op_and_request_threads() -> None:
    assert said(Lever.INTER_OP_THREADS, server(f"{INTER}=3")) == (3, f"argument {INTER}")
    assert said(Lever.INTER_OP_THREADS, server(f"{INTRA}=3", f"{SESSION}=8")) == ("unset", "default (one per CPU)")
    assert said(Lever.REQUEST_THREADS, server("--rest_api_num_threads=16")) == (16, "argument --rest_api_num_threads")
    assert said(Lever.REQUEST_THREADS, server()) == (None, "default (4 per CPU)")
    share = said(Lever.GPU_MEMORY_SHARE, server("--per_process_gpu_memory_fraction=0.5"))
    assert share == (0.5, "argument --per_process_gpu_memory_fraction")


def test_where_threads_are_set() -> None:
    found = [(one.key, one.value, one.effective) for one in places(Lever.COMPUTE_THREADS, 4, server())]
    assert found == [(INTRA, "4", True), (SESSION, "4", True), ("TF_NUM_INTRAOP_THREADS", "4", True)]
    found = [(one.key, one.value, one.effective) for one in places(Lever.COMPUTE_THREADS, 4, server(f"{SESSION}=8"))]
    assert found == [(SESSION, "4", True), (INTRA, "4", True), ("TF_NUM_INTRAOP_THREADS", "4", False)]
    doubtful = places(Lever.COMPUTE_THREADS, 4, server("--platform_config_file=/c/p.config"))
    assert {(one.effective, one.because) for one in doubtful} == {(None, "--platform_config_file sets it")}


BATCHING = ("--enable_batching", "--batching_parameters_file=/c/batching.pbtxt")
SHARED = {"max_batch_size__value": 128, "batch_timeout_micros__value": 500, "max_enqueued_batches__value": 100}


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        (BATCHING, SHARED, [(128, "file /c/batching.pbtxt"), (500, "file /c/batching.pbtxt"),
                            (100, "file /c/batching.pbtxt")]),
        (BATCHING, {}, [(1000, "default"), (0, "default"), (10, "default")]),
        (("--enable_batching=true",), None, [(1000, "default"), (0, "default"), (10, "default")]),
        (BATCHING, None, [(None, "/c/batching.pbtxt is not readable")] * 3),
        ((*BATCHING, "--enable_per_model_batching_parameters"), SHARED,
         [(None, "each model's own batching_params.pbtxt decides")] * 3),
        ((*BATCHING, "--platform_config_file=/c/p"), SHARED, [(None, "--platform_config_file sets it")] * 3),
    ],
)  # fmt: skip
def test_batching(
    arguments: tuple[str, ...], values: dict[str, Scalar] | None, expected: list[tuple[int | None, str]]
) -> None:
    one = server(*arguments)
    files = () if values is None else (read("batching_parameters_file", "/c/batching.pbtxt", **values),)
    levers = (Lever.MAX_BATCH_SIZE, Lever.MAX_BATCH_DELAY, Lever.MAX_QUEUE)
    assert [said(lever, one, *files) for lever in levers] == expected


def test_files_in_their_own_words() -> None:
    one = server(*BATCHING, "--model_config_file=/c/models.config", "--monitoring_config_file=/c/monitoring.config")
    batching, monitoring, models = SERVING.settings_requests(one)
    shared = "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 0 }\nnum_batch_threads { value: 8 }\n"
    listed = "model_config_list { config { name: 'a' base_path: '/m/a' } config { name: 'b' base_path: '/m/b' } }"
    files = (
        settings_of(batching, shared),
        settings_of(monitoring, 'prometheus_config { enable: true, path: "/prom" }'),
        settings_of(models, listed),
    )
    where = "file /c/batching.pbtxt"
    assert said(Lever.MAX_BATCH_SIZE, one, *files) == (128, where)
    assert said(Lever.MAX_BATCH_DELAY, one, *files) == (0, where)
    assert said(Lever.MAX_QUEUE, one, *files) == (10, "default")
    traits = SERVING.traits([(one, FRONT)], known_of(one, *files))
    assert traits.metrics_urls == ("http://127.0.0.1:8501/prom",)
    assert [(model.name, model.path) for model in traits.models] == [("a", "/m/a"), ("b", "/m/b")]


def test_without_batching_there_is_no_queue() -> None:
    for one in (server(), server("--enable_batching=false")):
        assert said(Lever.MAX_BATCH_SIZE, one) == (0, "default (off without --enable_batching)")
        assert SERVING.setting(Lever.MAX_BATCH_DELAY, service(one), known_of(one)) is None
        assert SERVING.setting(Lever.MAX_QUEUE, service(one), known_of(one)) is None


def test_a_file_that_was_not_understood_is_unknown() -> None:
    damaged = read("batching_parameters_file", "/c/batching.pbtxt", "line 2: no value", max_batch_size__value=8)
    assert said(Lever.MAX_BATCH_SIZE, server(*BATCHING), damaged)[0] == 8
    assert said(Lever.MAX_QUEUE, server(*BATCHING), damaged)[0] is None


def test_where_batching_is_set() -> None:
    switch, file = places(Lever.MAX_BATCH_SIZE, 64, server())
    assert (switch.kind, switch.key, switch.value) == ("argument", "--enable_batching", "true")
    assert (file.kind, file.target, file.key, file.value) == (
        "file", "the file of --batching_parameters_file", "max_batch_size.value", 64,
    )  # fmt: skip
    shared = read("batching_parameters_file", "/c/batching.pbtxt", **SHARED)
    (file,) = places(Lever.MAX_BATCH_SIZE, 64, server(*BATCHING), shared)
    assert (file.target, file.effective) == ("/c/batching.pbtxt", True)
    (file,) = places(Lever.MAX_QUEUE, 5, server(*BATCHING, "--enable_per_model_batching_parameters"), shared)
    assert (file.effective, file.because) == (None, "each model's own batching_params.pbtxt decides")


def test_what_it_could_tell() -> None:
    def gaps(one: Process, *files: SettingsFile) -> list[tuple[str, str]]:
        return [(gap.turn_on, gap.where) for gap in SERVING.gaps(service(one), known_of(one, *files))]

    line = "prometheus_config { enable: true }"
    assert gaps(server()) == [(f"--monitoring_config_file=FILE, in it: {line}", "command line")]
    assert gaps(server(ON)) == []
    assert gaps(server(ON), read("monitoring_config_file", "/c/monitoring.pbtxt")) == [(line, "/c/monitoring.pbtxt")]
    assert gaps(server(ON, "--rest_api_port=0")) == [("--rest_api_port=8501", "command line")]


def test_the_page_of_all_models() -> None:
    sample = sample_of_page(SERVING, PAGE)
    assert (sample.requests, sample.errors) == (5000, 20)
    assert (sample.latency_sum_us, sample.latency_count) == (55_000_000, 5000)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (9_500_000, 5000)
    assert (sample.queue, sample.in_flight, sample.batch_size_count) == (None, None, None)


def test_quantiles_are_of_what_was_added() -> None:
    sample = sample_of_page(SERVING, PAGE, before="# TYPE :tensorflow:serving:request_latency histogram\n")
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (6427, 11568)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (11568, 20823)


def test_the_page_of_one_model() -> None:
    resnet = samples_of_page(SERVING, PAGE)["model:5e41ce/resnet"]
    assert (resnet.requests, resnet.errors) == (4000, 20)
    assert (resnet.latency_sum_us, resnet.latency_count) == (40_000_000, 4000)
