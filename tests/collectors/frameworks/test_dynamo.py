"""Dynamo from its documentation: its front-end and workers, what options and variables set, and what their pages say."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.framework import Facts, Gap, ModelRequest
from collectors.frameworks.dynamo import Dynamo
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, server, title, written, zeroed
from tests.pages import sample_of_page, samples_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
QWEN = "Qwen/Qwen3-0.6B"
DYNAMO = Dynamo()


def part(name: str, *arguments: str, pid: int = 10) -> Process:
    return process(pid, "python3", "-m", f"dynamo.{name}", *arguments)


def service(name: str, *arguments: str, environ: dict[str, str] | None = None) -> tuple[Service, Facts]:
    return server(DYNAMO, *part(name, *arguments).argv, environ={} if environ is None else environ)


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("python3", "-m", "dynamo.frontend"), FRONT), (("python3", "-m", "dynamo.router", "--endpoint", "x"), FRONT),
        (("python3", "-m", "dynamo.vllm", "--model", QWEN), FRONT), (("python", "-m", "dynamo.sglang"), FRONT),
        (("python", "-m", "dynamo.trtllm"), FRONT), (("python", "-m", "dynamo.mocker"), FRONT),
        (("python", "-m", "dynamo.vllm.main"), FRONT), (("python", "-m", "dynamo.planner"), None),
        (("python", "-m", "dynamo.profiler"), None), (("python", "-m", "dynamo"), None), (("dynamo.vllm",), None),
        (("vim", "dynamo.vllm"), None), (("grep", "dynamo.frontend"), None), (("pip", "install", "ai-dynamo"), None),
        (("bash", "-c", "python3 -m dynamo.frontend"), None), (("docker", "run", "x", "python3", "-m", "dynamo.vllm"), None),
        (("VLLM::EngineCore",), None), (("sglang::scheduler",), None), ((), None),
    ],
)  # fmt: skip
def test_its_processes_and_those_that_are_not(argv: tuple[str, ...], role: Role | None) -> None:
    assert DYNAMO.recognise(process(10, *argv), None, None) is role


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("VLLM::EngineCore_DP0",), WORKER), (("VLLM::DPCoordinator",), SUPPORT), (("sglang::scheduler_TP0",), WORKER),
        (("sglang::detokenizer",), GATEWAY), (("python3", "-m", "dynamo.vllm"), WORKER),
        (("python3", "-c", "from multiprocessing.resource_tracker import main;main(4)"), SUPPORT),
        (("vllm", "serve", QWEN), None), (("nvidia-smi",), None),
    ],
)  # fmt: skip
def test_what_runs_below_a_worker_of_its(argv: tuple[str, ...], role: Role | None) -> None:
    assert DYNAMO.recognise(process(11, *argv, ppid=10), FRONT, None) is role


def test_each_root_is_a_service_and_owns_its_engine(tmp_path: Path) -> None:
    processes = [part("frontend"), part("vllm", "--model", QWEN, "--disaggregation-mode", "prefill", pid=20),
                 title(21, "VLLM::EngineCore", ppid=20), part("sglang", "--model-path", QWEN, pid=30),
                 title(31, "sglang::scheduler", ppid=30), title(32, "sglang::detokenizer", ppid=30),
                 process(40, "vllm", "serve", "/m/own", "--port", "9000", comm="vllm"),
                 title(41, "VLLM::EngineCore", ppid=40)]  # fmt: skip
    assert dict(discovered(HostTree(tmp_path), processes)) == {
        "dynamo/frontend:8000": {10: "front-end"},
        "dynamo/Qwen3-0.6B-prefill": {20: "front-end", 21: "worker"},
        "dynamo/Qwen3-0.6B": {30: "front-end", 31: "worker", 32: "gateway"},
        "vllm/own:9000": {40: "front-end", 41: "worker"},
    }


def test_a_server_that_a_part_of_it_starts_by_its_own_command_stays_its_own(tmp_path: Path) -> None:
    processes = [part("frontend"), process(40, "vllm", "serve", "/m/own", ppid=10, comm="vllm")]
    assert [name for name, _ in discovered(HostTree(tmp_path), processes)] == ["dynamo/frontend:8000", "vllm/own:8000"]


@pytest.mark.parametrize(
    ("name", "arguments", "environ", "application", "port", "urls"),
    [
        ("frontend", (), {}, "frontend", 8000, ("http://127.0.0.1:8000/metrics",)),
        ("frontend", ("--http-port", "8443"), {"DYN_HTTP_PORT": "1"}, "frontend", 8443, ("http://127.0.0.1:8443/metrics",)),
        ("frontend", (), {"DYN_HTTP_PORT": "8081", "DYN_HTTP_HOST": "10.0.0.7"}, "frontend", 8081,
         ("http://10.0.0.7:8081/metrics",)),
        ("frontend", (), None, "frontend", None, ("http://127.0.0.1:8000/metrics",)),
        ("frontend", ("--tls-cert-path", "c"), {}, "frontend", 8000, ()),
        ("router", (), {"DYN_SYSTEM_PORT": "9090"}, "router", None, ("http://127.0.0.1:9090/metrics",)),
        ("vllm", ("--model", QWEN), {"DYN_SYSTEM_PORT": "8081"}, "Qwen3-0.6B", 8081, ("http://127.0.0.1:8081/metrics",)),
        ("vllm", ("--model", QWEN, "--served-model-name", "chat"), {}, "chat", None, ()),
        ("vllm", (), {"DYN_SYSTEM_PORT": "-1"}, "vllm", None, ()),
        ("trtllm", (), {"DYN_TRTLLM_MODEL": "/m/x", "DYN_TRTLLM_SERVED_MODEL_NAME": "chat"}, "chat", None, ()),
        ("sglang", ("--model", QWEN), None, "Qwen3-0.6B", None, ()),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    name: str,
    arguments: tuple[str, ...],
    environ: dict[str, str] | None,
    application: str,
    port: int | None,
    urls: tuple[str, ...],
) -> None:
    one = part(name, *arguments)
    traits = DYNAMO.traits([(one, FRONT)], {one.key: facts(one, environ=environ)})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_the_model_of_a_worker() -> None:
    one = part("vllm", "--model", QWEN, "--served-model-name", "chat,small")
    assert DYNAMO.traits([(one, FRONT)], {}).models == (Model(name="chat", path=QWEN, runtime="vllm"),)
    assert DYNAMO.model_requests(one, None) == (ModelRequest(location=QWEN, hub=True),)
    assert DYNAMO.model_requests(part("sglang", "--model-path", "/m/x"), None) == (ModelRequest(location="/m/x"),)
    assert DYNAMO.model_requests(part("frontend"), None) == ()
    assert DYNAMO.traits([(part("frontend"), FRONT)], {}).models == ()


@pytest.mark.parametrize(
    ("name", "lever", "arguments", "environ", "value", "origin"),
    [
        ("vllm", Lever.MAX_REQUESTS_IN_FLIGHT, ("--max-num-seqs", "3"), {}, 3, "argument --max-num-seqs"),
        ("vllm", Lever.TENSOR_PARALLEL, (), {}, 1, "default"),
        ("sglang", Lever.TENSOR_PARALLEL, ("--tp", "2"), {}, 2, "argument --tp-size"),
        ("sglang", Lever.METRICS, (), {}, False, "default"),
        ("trtllm", Lever.MAX_BATCH_SIZE, ("--max-batch-size", "8"), {}, 8, "argument --max-batch-size"),
        ("trtllm", Lever.MAX_BATCH_SIZE, (), {"DYN_TRTLLM_MAX_BATCH_SIZE": "4"}, 4, "env DYN_TRTLLM_MAX_BATCH_SIZE"),
        ("trtllm", Lever.MAX_BATCH_TOKENS, ("--max-num-tokens", "8192"), {}, 8192, "argument --max-num-tokens"),
        ("trtllm", Lever.CONTEXT_LENGTH, ("--max-seq-len", "4096"), {}, 4096, "argument --max-seq-len"),
        ("trtllm", Lever.GPU_MEMORY_SHARE, (), {}, None, "default"),
        ("trtllm", Lever.TENSOR_PARALLEL, ("--tensor-parallel-size", "2", "--extra-engine-args", "e.yaml"), {}, None,
         "--extra-engine-args may set it and wins"),
    ],
)  # fmt: skip
def test_a_worker_has_the_knobs_of_its_engine(
    name: str, lever: Lever, arguments: tuple[str, ...], environ: dict[str, str], value: object, origin: str
) -> None:
    assert said(DYNAMO, lever, *service(name, *arguments, environ=environ)) == (value, origin)


def test_a_front_end_has_no_knobs_of_an_engine() -> None:
    whole, known = service("frontend")
    assert DYNAMO.setting(Lever.TENSOR_PARALLEL, whole, known) is None
    assert DYNAMO.places(Lever.TENSOR_PARALLEL, 2, whole, known) == ()
    assert DYNAMO.setting(Lever.MAX_BATCH_SIZE, *service("vllm")) is None


def test_the_places_of_a_knob() -> None:
    whole, known = service("trtllm", environ={"DYN_TRTLLM_MAX_BATCH_SIZE": "4"})
    assert written(DYNAMO.places(Lever.MAX_BATCH_SIZE, 8, whole, known)) == [
        ("env", "DYN_TRTLLM_MAX_BATCH_SIZE", "8", True),
        ("argument", "--max-batch-size", "8", True),
    ]
    whole, known = service("vllm", "-tp", "2")
    assert written(DYNAMO.places(Lever.TENSOR_PARALLEL, 4, whole, known)) == [
        ("argument", "--tensor-parallel-size", "4", True)
    ]


@pytest.mark.parametrize(
    ("name", "environ", "missing"),
    [
        ("vllm", {}, True), ("vllm", {"DYN_SYSTEM_PORT": "-1"}, True), ("vllm", {"DYN_SYSTEM_PORT": "8081"}, False),
        ("vllm", {"DYN_SYSTEM_PORT": "0"}, False), ("frontend", {}, False),
    ],
)  # fmt: skip
def test_a_worker_without_a_port_for_metrics_is_a_gap(name: str, environ: dict[str, str], missing: bool) -> None:
    gap = Gap(
        missing="the worker's page: queue, KV cache and latency of its engine",
        turn_on="DYN_SYSTEM_PORT=8081",
        where=f"the environment of python -m dynamo.{name}",
    )
    assert DYNAMO.gaps(*service(name, environ=environ)) == ((gap,) if missing else ())


def test_where_the_environment_is_not_readable_no_gap_is_claimed() -> None:
    one = part("vllm")
    assert DYNAMO.gaps(service_of("dynamo", (one, FRONT)), {one.key: facts(one)}) == ()


def test_the_page_of_the_front_end() -> None:
    text = page("dynamo.prom")
    sample = sample_of_page(DYNAMO, text, zeroed(text))
    assert (sample.requests, sample.errors) == (800, 3 + 5)
    assert (sample.in_flight, sample.queue) == (20, 3)
    assert (sample.tokens_in, sample.tokens_out) == (130_000, 80_000)
    assert (sample.latency_sum_us, sample.latency_count, sample.latency_p50_us) == (1_360_750_000, 800, 1_285_714)
    assert (sample.first_token_count, sample.first_token_p50_us) == (800, 61_765)
    assert (sample.inter_token_sum_us, sample.inter_token_count) == (840_000_000, 80_000)
    assert sample.kv_cache_ppm is sample.queue_time_count is None
    of_models = samples_of_page(DYNAMO, text)
    assert of_models["model:5e41ce/Qwen/Qwen3-8B"].requests == 200
    assert of_models["model:5e41ce/Qwen/Qwen3-0.6B"].errors == 3


def test_without_the_queue_of_a_router_what_waits_is_not_told() -> None:
    lines = [line for line in page("dynamo.prom").splitlines() if "router_queue" not in line]
    assert sample_of_page(DYNAMO, "\n".join(lines)).queue is None


@pytest.mark.parametrize(("name", "requests", "kv_cache"), [("vllm.prom", 294, 937_500), ("sglang.prom", 180, 620_000)])
def test_the_page_of_a_worker_is_that_of_its_engine(name: str, requests: int, kv_cache: int) -> None:
    own = "# TYPE dynamo_component_requests_total counter\ndynamo_component_requests_total 5000\n"
    sample = sample_of_page(DYNAMO, own + page(name))
    assert (sample.requests, sample.kv_cache_ppm) == (requests, kv_cache)


def test_the_page_of_a_worker_with_tensorrt_llm() -> None:
    sample = sample_of_page(
        DYNAMO,
        'trtllm_request_success_total{model_name="m"} 9\ntrtllm_num_requests_waiting 2\ntrtllm_kv_cache_utilization 0.5\n'
        "trtllm_time_to_first_token_seconds_sum 3.5\ntrtllm_time_to_first_token_seconds_count 9\n",
    )
    assert (sample.requests, sample.queue, sample.kv_cache_ppm) == (9, 2, 500_000)
    assert (sample.first_token_sum_us, sample.first_token_count) == (3_500_000, 9)
