"""SGLang from its documentation: its processes, what its options set, and what its page says."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import SettingsFile
from collectors.framework import Facts, Gap, ModelRequest
from collectors.frameworks.sglang import SgLang
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, server, title, written, zeroed
from tests.pages import sample_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
QWEN = "Qwen/Qwen3-8B"
SGLANG = SgLang()


def launch(*arguments: str) -> Process:
    return process(10, "python3", "-m", "sglang.launch_server", *arguments)


def service(*arguments: str) -> tuple[Service, Facts]:
    return server(SGLANG, *launch(*arguments).argv, environ={})


@pytest.mark.parametrize(
    "argv",
    [
        ("python3", "-m", "sglang.launch_server", "--model-path", QWEN),
        ("/usr/bin/python3", "/usr/local/bin/sglang", "serve", QWEN),
        ("/usr/local/bin/sglang", "serve", "--model-path", QWEN),
    ],
)
def test_every_way_to_start_it_is_recognised(argv: tuple[str, ...]) -> None:
    assert SGLANG.recognise(process(10, *argv), None, None) is FRONT


@pytest.mark.parametrize(
    "argv",
    [
        ("vim", "sglang.py"), ("grep", "sglang", "serve"), ("tail", "-f", "sglang.log"), ("pip", "install", "sglang"),
        ("docker", "run", "lmsysorg/sglang", "python3", "-m", "sglang.launch_server"), ("sglang", "generate"),
        ("bash", "-c", "python3 -m sglang.launch_server --model-path x"), ("sglang", "version"), ("sglang",),
        ("python3", "-m", "sglang.bench_serving"), ("killall_sglang",), ("sglang::unknown",), ("less", "sglang::scheduler"),
    ],
)  # fmt: skip
def test_tools_beside_it_are_no_servers(argv: tuple[str, ...]) -> None:
    assert SGLANG.recognise(process(10, *argv), None, None) is None


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("sglang::scheduler", WORKER), ("sglang::scheduler_DP1_PP0_TP3_EP3", WORKER), ("sglang::detokenizer", GATEWAY),
        ("sglang::detokenizer_router", GATEWAY), ("sglang::data_parallel_controller", GATEWAY),
        ("sglang::tokenizer_worker:4242", GATEWAY), ("sgl_diffusion::scheduler_TP0", WORKER),
    ],
)  # fmt: skip
def test_titles_tell_the_processes_apart(name: str, role: Role) -> None:
    assert SGLANG.recognise(title(11, name), FRONT, None) is role
    if name.startswith("sglang"):
        assert SGLANG.recognise(process(11, comm=name[:15]), None, None) is role


def test_schedulers_run_the_model(tmp_path: Path) -> None:
    tracker = process(11, "python3", "-c", "from multiprocessing.resource_tracker import main;main(5)", ppid=10)
    schedulers = [title(12 + rank, f"sglang::scheduler_TP{rank}") for rank in (0, 1)]
    found = discovered(HostTree(tmp_path), [launch("--model-path", QWEN, "--tp", "2"), tracker, *schedulers,
                                            title(14, "sglang::detokenizer")])  # fmt: skip
    roles = {10: "front-end", 11: "support", 12: "worker", 13: "worker", 14: "gateway"}
    assert found == [("sglang/Qwen3-8B:30000", roles)]


@pytest.mark.parametrize(
    ("arguments", "application", "port", "urls"),
    [
        (("--model-path", QWEN, "--enable-metrics"), "Qwen3-8B", 30000, ("http://127.0.0.1:30000/metrics",)),
        (("--model", QWEN, "--port", "31000", "--host", "0.0.0.0", "--enable-metrics"), "Qwen3-8B", 31000,
         ("http://127.0.0.1:31000/metrics",)),
        (("--model-path", "/m/q", "--served-model-name", "chat", "--enable-metrics", "--host", "10.1.2.3"), "chat", 30000,
         ("http://10.1.2.3:30000/metrics",)),
        (("--model-path", QWEN), "Qwen3-8B", 30000, ()),
        (("--model-path", QWEN, "--enable-metrics", "--ssl-keyfile", "k"), "Qwen3-8B", 30000, ()),
        (("--model-path", QWEN, "--enable-metrics", "--nnodes", "2", "--node-rank", "1"), "Qwen3-8B", None, ()),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    arguments: tuple[str, ...], application: str, port: int | None, urls: tuple[str, ...]
) -> None:
    traits = SGLANG.traits([(launch(*arguments), FRONT)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_nothing_that_does_work_is_ever_asked() -> None:
    one = launch("--model-path", QWEN, "--enable-metrics")
    urls = SGLANG.traits([(one, FRONT)], {one.key: facts(one, environ={}, ports=(30000, 30001))}).metrics_urls
    assert urls == ("http://127.0.0.1:30000/metrics",)


def test_its_model() -> None:
    (model,) = SGLANG.traits([(launch("--model", QWEN), FRONT)], {}).models
    assert model == Model(name=QWEN, path=QWEN, runtime="sglang")
    assert SGLANG.model_requests(launch("--model", QWEN), None) == (ModelRequest(location=QWEN, hub=True),)
    serve = process(10, "sglang", "serve", "/models/qwen")
    assert SGLANG.model_requests(serve, None) == (ModelRequest(location="/models/qwen"),)
    assert SGLANG.model_requests(title(11, "sglang::scheduler"), None) == ()


@pytest.mark.parametrize(
    ("lever", "arguments", "value", "origin"),
    [
        (Lever.GPU_MEMORY_SHARE, ("--mem-fraction-static", "0.8"), 0.8, "argument --mem-fraction-static"),
        (Lever.GPU_MEMORY_SHARE, ("--mem-fraction", "0.8"), 0.8, "argument --mem-fraction-static"),
        (Lever.GPU_MEMORY_SHARE, (), None, "default (from the GPU's memory and the other options)"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, ("--max-running-requests", "64"), 64, "argument --max-running-requests"),
        (Lever.MAX_QUEUE, ("--max-queued-requests=9",), 9, "argument --max-queued-requests"),
        (Lever.PREFILL_CHUNK, ("--chunked-prefill-size", "-1"), -1, "argument --chunked-prefill-size"),
        (Lever.MAX_BATCH_TOKENS, ("--max-prefill-tokens", "8Ki"), 8192, "argument --max-prefill-tokens"),
        (Lever.MAX_BATCH_TOKENS, (), 16384, "default"),
        (Lever.CONTEXT_LENGTH, ("--context-length", "32k"), 32_000, "argument --context-length"),
        (Lever.PRECISION, ("--quantization", "fp8"), "fp8", "argument --quantization"),
        (Lever.DTYPE, ("--dtype", "float16"), "float16", "argument --dtype"),
        (Lever.KV_CACHE_PRECISION, (), "auto", "default"),
        (Lever.CPU_OFFLOAD, ("--cpu-offload-gb", "8"), 8, "argument --cpu-offload-gb"),
        (Lever.TENSOR_PARALLEL, ("--tp", "2"), 2, "argument --tp-size"),
        (Lever.TENSOR_PARALLEL, ("--tensor-parallel-size", "2"), 2, "argument --tp-size"),
        (Lever.TENSOR_PARALLEL, (), 1, "default"),
        (Lever.PIPELINE_PARALLEL, ("--pipeline-parallel-size", "2"), 2, "argument --pp-size"),
        (Lever.PIPELINE_PARALLEL, (), 1, "default"),
        (Lever.DATA_PARALLEL, ("--dp", "4"), 4, "argument --dp-size"),
        (Lever.API_SERVERS, ("--tokenizer-worker-num", "2"), 2, "argument --tokenizer-worker-num"),
        (Lever.API_SERVERS, (), 1, "default"),
        (Lever.METRICS, ("--enable-metrics",), True, "argument --enable-metrics"),
        (Lever.METRICS, ("--enable-metrics-for-all-schedulers",), False, "default"),
    ],
)
def test_every_knob_and_where_it_comes_from(
    lever: Lever, arguments: tuple[str, ...], value: object, origin: str
) -> None:
    found = said(SGLANG, lever, *service("--model-path", QWEN, *arguments))
    assert found == (value, origin.replace("argument --enable", "flag --enable"))


def test_a_title_hides_the_options() -> None:
    one = title(12, "sglang::scheduler")
    found = said(SGLANG, Lever.TENSOR_PARALLEL, service_of("sglang", (one, WORKER)), {one.key: facts(one)})
    assert found == (None, "its title replaced the command line")


def test_options_in_a_file_count_below_those_of_the_command_line() -> None:
    one = launch("--config", "/etc/sglang.yaml", "--tp", "2")
    held = {"model-path": QWEN, "enable-metrics": True, "tp-size": 8, "dp_size": 2, "port": 31000}
    known = {one.key: facts(one, environ={}, files=(SettingsFile("--config", "/etc/sglang.yaml", True, held),))}
    whole = service_of("sglang", (one, FRONT))
    traits = SGLANG.traits([(one, FRONT)], known)
    assert (traits.application, traits.metrics_urls) == ("Qwen3-8B", ("http://127.0.0.1:31000/metrics",))
    assert said(SGLANG, Lever.TENSOR_PARALLEL, whole, known) == (2, "argument --tp-size")
    assert said(SGLANG, Lever.DATA_PARALLEL, whole, known) == (2, "file --config")
    assert said(SGLANG, Lever.METRICS, whole, known) == (True, "file --config")
    assert said(SGLANG, Lever.METRICS, whole, {}) == (None, "--config is not readable")
    assert SGLANG.gaps(whole, known) == SGLANG.gaps(whole, {}) == ()


def test_the_places_of_a_knob() -> None:
    whole, known = service("--model-path", QWEN)
    assert written(SGLANG.places(Lever.MAX_REQUESTS_IN_FLIGHT, 64, whole, known)) == [
        ("argument", "--max-running-requests", "64", True)
    ]
    assert written(SGLANG.places(Lever.METRICS, True, whole, known)) == [("argument", "--enable-metrics", None, True)]


def test_without_metrics_the_exact_option_is_named() -> None:
    assert SGLANG.gaps(*service("--model-path", QWEN)) == (
        Gap(
            missing="the metrics page: requests, latency, queue, tokens, KV cache",
            turn_on="--enable-metrics",
            where="the command line of sglang",
        ),
    )
    assert SGLANG.gaps(*service("--model-path", QWEN, "--enable-metrics")) == ()
    hidden = service_of("sglang", (title(12, "sglang::scheduler"), WORKER))
    assert SGLANG.gaps(hidden, {}) == ()


def test_its_page() -> None:
    text = page("sglang.prom")
    sample = sample_of_page(SGLANG, text, zeroed(text))
    assert (sample.requests, sample.errors) == (180, 5)
    assert (sample.in_flight, sample.queue) == (14, 4)  # neither the second pipeline stage nor a priority's own part
    assert (sample.kv_cache_ppm, sample.preemptions) == (620_000, 2)
    assert (sample.tokens_in, sample.tokens_out) == (100_000, 36_000)
    assert (sample.latency_sum_us, sample.latency_count) == (480_000_000, 180)
    assert (sample.latency_p50_us, sample.latency_p99_us) == (1_750_000, 7_600_000)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (16_000_000, 180)
    assert (sample.first_token_sum_us, sample.first_token_count, sample.first_token_p50_us) == (
        31_000_000,
        150,
        150_000,
    )
    assert (sample.inter_token_sum_us, sample.inter_token_count, sample.inter_token_p50_us) == (
        594_000_000,
        36_000,
        15_000,
    )
    assert sample.batch_size_count is None
