"""KServe's Python servers from their documentation: processes, models, options and pages."""

from pathlib import Path

import msgspec
import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import Library
from collectors.framework import ModelRequest
from collectors.frameworks.kserve import KServe
from collectors.levers import Lever
from collectors.model_file import ModelFile
from tests.captures import facts, process, service_of
from tests.pages import sample_of_page, samples_of_page

FRONT, WORKER, SUPPORT = Role.FRONT_END, Role.WORKER, Role.SUPPORT
PAGE = (Path(__file__).parents[2] / "fixtures" / "metrics" / "kserve.prom").read_text()
KSERVE = KServe()


def server(*arguments: str, module: str = "sklearnserver") -> Process:
    return process(10, "python", "-m", module, "--model_name=iris", "--model_dir=/mnt/models", *arguments)


def service(one: Process) -> Service:
    return service_of("kserve", (one, FRONT))


def said(lever: Lever, one: Process) -> tuple[object, str]:
    found = KSERVE.setting(lever, service(one), {one.key: facts(one, environ={})})
    assert found is not None
    return found.value, found.origin


@pytest.mark.parametrize(
    "argv",
    [
        ("python", "-m", "sklearnserver", "--model_name=iris", "--model_dir=/mnt/models"),
        ("python3", "-m", "xgbserver", "--model_name", "iris", "--model_dir", "/mnt/models"),
        ("python3.11", "-u", "-m", "huggingfaceserver", "--model_id=org/llm"),
        ("python", "-m", "predictiveserver", "--model_dir=/mnt/models", "--framework=lightgbm"),
        ("python", "-m", "lgbserver"),
        ("python3", "-m", "pmmlserver"),
        ("python", "-m", "paddleserver"),
        ("python", "-m", "autogluonserver"),
        ("python", "-m", "artserver"),
        ("python", "-m", "aifserver"),
        ("python", "-m", "custom_model.model", "--model_name=shop", "--http_port=8080"),
        ("python", "-m", "image_transformer.model", "--model_name", "shop", "--predictor_host", "shop-predictor"),
        ("python", "-m", "driver_transformer.transformer", "--model_name=shop", "--predictor_protocol=v2"),
    ],
)
def test_every_way_to_start_it_is_recognised(argv: tuple[str, ...]) -> None:
    assert KSERVE.recognise(process(10, *argv), None, None) is FRONT


@pytest.mark.parametrize(
    "argv",
    [
        ("python", "-m", "shop.model", "--model_name=shop"),
        ("python", "-m", "custom_model.model"),
        ("python", "-m", "shop.model", "--http_port=8080"),
        ("pip", "install", "kserve"),
        ("vim", "sklearnserver"),
        ("python", "-m", "pytest", "sklearnserver"),
        ("bash", "-c", "python -m sklearnserver --model_dir=/mnt/models"),
        (),
    ],
)
def test_other_programs_are_not_recognised(argv: tuple[str, ...]) -> None:
    assert KSERVE.recognise(process(1, *argv), None, None) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("/ko-app/agent", "--enable-puller", "--config-dir=/mnt/configs"),
        ("/ko-app/qpext",),
        ("/ko-app/queue",),
        ("python", "/storage-initializer/scripts/initializer-entrypoint", "s3://models/iris", "/mnt/models"),
    ],
)
def test_what_runs_beside_it_in_the_pod_is_no_service(argv: tuple[str, ...]) -> None:
    assert KSERVE.recognise(process(7, *argv), None, None) is None
    assert KSERVE.recognise(process(7, *argv), FRONT, None) is None


def test_workers_are_spawned_and_forked_children() -> None:
    spawned = process(12, "python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(9)", "--x", ppid=10)
    tracker = process(11, "python", "-c", "from multiprocessing.resource_tracker import main;main(6)", ppid=10)
    grpc = process(13, *server().argv, ppid=10)
    engine = process(14, "VLLM::EngineCore", ppid=10, comm="VLLM::EngineCor")
    roles = [KSERVE.recognise(each, FRONT, None) for each in (tracker, spawned, grpc, engine)]
    assert roles == [SUPPORT, WORKER, WORKER, WORKER]
    assert [KSERVE.recognise(each, None, None) for each in (tracker, spawned, engine)] == [None, None, None]


def test_name_port_model_and_page() -> None:
    traits = KSERVE.traits([(server("--http_port=9081"), FRONT)], {})
    assert (traits.application, traits.port, traits.calls) == ("iris", 9081, "synchronous")
    assert traits.metrics_urls == ("http://127.0.0.1:9081/metrics",)
    assert traits.models == (Model(name="iris", runtime="sklearnserver", path="/mnt/models"),)


def test_defaults_of_a_server_without_options() -> None:
    one = process(10, "python", "-m", "huggingfaceserver")
    traits = KSERVE.traits([(one, FRONT)], {})
    assert (traits.application, traits.port, traits.calls) == ("model", 8080, None)
    assert traits.models == (Model(name="model", runtime="huggingfaceserver", path="/mnt/models"),)


def test_a_transformer_holds_no_model_and_has_a_name_of_its_own() -> None:
    argv = ("python", "-m", "image.transformer", "--model_name=shop", "--predictor_host=shop-predictor")
    traits = KSERVE.traits([(process(10, *argv), FRONT)], {})
    assert (traits.application, traits.models, traits.calls) == ("shop-transformer", (), None)


def test_a_worker_whose_server_is_gone_says_nothing() -> None:
    spawned = process(12, "python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(9)", "--x")
    traits = KSERVE.traits([(spawned, WORKER)], {})
    assert (traits.application, traits.port, traits.models, traits.metrics_urls) == ("kserve", None, (), ())
    orphan = service_of("kserve", (spawned, WORKER))
    assert KSERVE.gaps(orphan, {}) == ()
    found = KSERVE.setting(Lever.WORKERS, orphan, {})
    assert found is not None
    assert (found.value, found.origin) == (None, "its command line is code and holds no options")


@pytest.mark.parametrize(
    ("argv", "requests"),
    [
        (server().argv, (ModelRequest(location="/mnt/models"),)),
        (("python", "-m", "huggingfaceserver", "--model_id=org/llm"), (ModelRequest(location="org/llm", hub=True),)),
        (("python", "-m", "huggingfaceserver"), (ModelRequest(location="/mnt/models"),)),
        (("python", "-m", "huggingfaceserver", "--model_id=/models/llm"), (ModelRequest(location="/mnt/models"),)),
        (("python", "-m", "shop.model", "--model_name=a", "--http_port=1"), ()),
        (("python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(9)"), ()),
    ],
)
def test_the_model_to_read(argv: tuple[str, ...], requests: tuple[ModelRequest, ...]) -> None:
    assert KSERVE.model_requests(process(10, *argv), None) == requests


def test_headers_belong_to_the_model() -> None:
    one = server()
    files = (ModelFile(path="/mnt/models/model.joblib", format="joblib", size_bytes=700),
             ModelFile(path="/opt/other.onnx", format="onnx", size_bytes=1))  # fmt: skip
    known = {one.key: msgspec.structs.replace(facts(one, environ={}), models=files)}
    (model,) = KSERVE.traits([(one, FRONT)], known).models
    assert model.size_bytes == 700


@pytest.mark.parametrize(
    ("lever", "arguments", "value", "origin"),
    [
        (Lever.WORKERS, (), 1, "default"),
        (Lever.WORKERS, ("--workers=4",), 4, "argument --workers"),
        (Lever.WORKERS, ("--workers", "2"), 2, "argument --workers"),
        (Lever.REQUEST_THREADS, ("--max_asyncio_workers=8",), 8, "argument --max_asyncio_workers"),
    ],
)
def test_options(lever: Lever, arguments: tuple[str, ...], value: int, origin: str) -> None:
    assert said(lever, server(*arguments)) == (value, origin)


def test_a_pool_that_is_not_given_is_sized_by_the_node() -> None:
    value, origin = said(Lever.REQUEST_THREADS, server())
    assert (value, origin.startswith("default (min(32, CPUs + 4)")) == (None, True)


def test_threads_of_boosted_trees_are_an_option() -> None:
    assert said(Lever.COMPUTE_THREADS, server(module="xgbserver"))[0] == 1
    assert said(Lever.COMPUTE_THREADS, server("--nthread=4", module="lgbserver")) == (4, "argument --nthread")
    (place,) = KSERVE.places(Lever.COMPUTE_THREADS, 2, service(server(module="xgbserver")), {})
    assert (place.kind, place.key, place.value, place.effective) == ("argument", "--nthread", "2", True)


def test_threads_of_other_libraries_are_their_own() -> None:
    one = server()
    blas = (Library("openblas", "/x/libopenblas.so"),)
    known = {one.key: facts(one, environ={"OMP_NUM_THREADS": "3"}, libraries=blas)}
    found = KSERVE.setting(Lever.COMPUTE_THREADS, service(one), known)
    assert found is not None
    assert (found.value, found.origin) == (3, "env OMP_NUM_THREADS")
    assert [place.key for place in KSERVE.places(Lever.COMPUTE_THREADS, 1, service(one), known)] == ["OMP_NUM_THREADS"]


def test_options_of_vllm_count_where_it_runs() -> None:
    argv = ("python3", "-m", "huggingfaceserver", "--model_id=org/llm", "--max_model_len=4096", "--max-num-seqs", "64")
    one = process(10, *argv)
    engine = process(11, "VLLM::EngineCore", ppid=10, comm="VLLM::EngineCor")
    alone, both = service(one), service_of("kserve", (one, FRONT), (engine, WORKER))
    assert KSERVE.setting(Lever.CONTEXT_LENGTH, alone, {}) is None
    found = [KSERVE.setting(lever, both, {}) for lever in (Lever.CONTEXT_LENGTH, Lever.MAX_REQUESTS_IN_FLIGHT)]
    assert [(each.value, each.origin) for each in found if each] == [
        (4096, "argument --max-model-len"), (64, "argument --max-num-seqs"),
    ]  # fmt: skip


def test_where_workers_are_set() -> None:
    (place,) = KSERVE.places(Lever.WORKERS, 3, service(server()), {})
    assert (place.kind, place.target, place.key, place.value) == ("argument", "kserve", "--workers", "3")
    assert (place.effective, place.restart) == (True, True)


def test_with_several_workers_no_page_is_read_and_that_is_said() -> None:
    assert KSERVE.gaps(service(server()), {}) == ()
    several = server("--workers=2")
    assert KSERVE.traits([(several, FRONT)], {}).metrics_urls == ()
    (gap,) = KSERVE.gaps(service(several), {})
    assert (gap.turn_on, gap.where) == ("--workers=1, with more replicas instead", "command line")


def test_the_page_of_all_models() -> None:
    sample = sample_of_page(KSERVE, PAGE)
    assert (sample.requests, sample.errors, sample.queue, sample.in_flight) == (250, None, None, None)
    assert (sample.latency_sum_us, sample.latency_count) == (3_600_000, 250)
    assert (sample.tokens_out, sample.first_token_count, sample.kv_cache_ppm) == (None, None, None)


def test_quantiles_are_of_what_was_added() -> None:
    empty = "# TYPE request_predict_seconds histogram\n"
    sample = sample_of_page(KSERVE, PAGE, before=empty)
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (5_000, 10_000)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (50_000, 75_000)
    assert sample.latency_p50_us == 7083


def test_the_page_of_one_model() -> None:
    wine = samples_of_page(KSERVE, PAGE)["model:5e41ce/wine"]
    assert (wine.requests, wine.latency_sum_us, wine.latency_count) == (50, 2_000_000, 50)


def test_the_page_with_vllm_behind_it() -> None:
    page = """# TYPE request_predict_seconds histogram
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="llm"} 3.0
vllm:num_requests_running{engine="0",model_name="llm"} 8.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="llm"} 90.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="llm"} 10.0
vllm:request_success_total{engine="0",finished_reason="error",model_name="llm"} 4.0
vllm:prompt_tokens_total{engine="0",model_name="llm"} 5000.0
vllm:generation_tokens_total{engine="0",model_name="llm"} 20000.0
vllm:kv_cache_usage_perc{engine="0",model_name="llm"} 0.25
vllm:time_to_first_token_seconds_sum{engine="0",model_name="llm"} 12.5
vllm:time_to_first_token_seconds_count{engine="0",model_name="llm"} 100.0
"""
    sample = sample_of_page(KSERVE, page)
    assert (sample.requests, sample.errors, sample.queue, sample.in_flight) == (100, 4, 3, 8)
    assert (sample.tokens_in, sample.tokens_out, sample.kv_cache_ppm) == (5000, 20000, 250_000)
    assert (sample.first_token_sum_us, sample.first_token_count) == (12_500_000, 100)
