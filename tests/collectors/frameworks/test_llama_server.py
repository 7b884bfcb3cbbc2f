"""llama-server from its documentation: its processes, what its options set, and what its page says."""

from pathlib import Path

import msgspec
import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.framework import Facts, Gap, ModelRequest
from collectors.frameworks.llama_server import LlamaServer
from collectors.levers import Lever
from tests.captures import facts, process
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, server, written, zeroed
from tests.pages import sample_of_page

FRONT, WORKER = Role.FRONT_END, Role.WORKER
GGUF = "/models/qwen3-8b-q4_k_m.gguf"
LLAMA = LlamaServer()


def start(*arguments: str) -> Process:
    return process(10, "/opt/llama/llama-server", *arguments, comm="llama-server")


def child(pid: int, port: int, model: str) -> Process:
    argv = ("/opt/llama/llama-server", "--host", "127.0.0.1", "--port", str(port), "--alias", model, "--model")
    return process(pid, *argv, f"/models/{model}.gguf", ppid=10, comm="llama-server")


def service(*arguments: str, environ: dict[str, str] | None) -> tuple[Service, Facts]:
    return server(LLAMA, *start(*arguments).argv, environ=environ)


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("llama-server", "-m", GGUF), FRONT), (("./build/bin/llama-server", "-hf", "ggml-org/x-GGUF"), FRONT),
        (("/usr/bin/llama", "serve", "-hf", "ggml-org/x-GGUF"), FRONT), (("llama", "server", "-m", GGUF), FRONT),
        (("llama", "cli", "-m", GGUF), None), (("llama",), None), (("llama-cli", "-m", GGUF), None),
        (("llama-bench", "-m", GGUF), None), (("vim", "llama-server.cpp"), None), (("grep", "llama-server"), None),
        (("tail", "-f", "llama-server.log"), None), (("pip", "install", "llama-cpp-python"), None), ((), None),
        (("docker", "run", "ghcr.io/ggml-org/llama.cpp:server", "-m", GGUF), None), (("bash", "-c", "llama-server -m x"), None),
    ],
)  # fmt: skip
def test_its_processes_and_those_that_are_not(argv: tuple[str, ...], role: Role | None) -> None:
    assert LLAMA.recognise(process(10, *argv), None, None) is role


def test_a_router_starts_one_server_for_each_model(tmp_path: Path) -> None:
    processes = [start("--models-dir", "/models", "--port", "8080"), child(11, 40001, "a"), child(12, 40002, "b")]
    assert discovered(HostTree(tmp_path), processes) == [
        ("llama-server/router:8080", {10: "front-end", 11: "worker", 12: "worker"})
    ]
    members = [(processes[0], FRONT), *((each, WORKER) for each in processes[1:])]
    traits = LLAMA.traits(members, {})
    assert [(model.name, model.path) for model in traits.models] == [("a", "/models/a.gguf"), ("b", "/models/b.gguf")]
    assert traits.metrics_urls == ()  # one of several is not the service, and ?model= might load one
    assert LLAMA.traits(members[:2], {}).metrics_urls == ("http://127.0.0.1:40001/metrics",)


@pytest.mark.parametrize(
    ("arguments", "environ", "ports", "application", "port", "urls"),
    [
        (("-m", GGUF, "--port", "9000"), {}, (), "qwen3-8b-q4_k_m", 9000, ("http://127.0.0.1:9000/metrics",)),
        (("-m", GGUF, "-a", "qwen,chat"), {"LLAMA_ARG_PORT": "9001"}, (), "qwen", 9001, ("http://127.0.0.1:9001/metrics",)),
        (("-hf", "ggml-org/gemma-3-4b-it-GGUF", "--host", "0.0.0.0"), {}, (8080,), "gemma-3-4b-it-GGUF", 8080,
         ("http://127.0.0.1:8080/metrics",)),
        (("-m", GGUF, "--api-prefix", "/llm"), {}, (8080,), "qwen3-8b-q4_k_m", 8080, ("http://127.0.0.1:8080/llm/metrics",)),
        (("-m", GGUF, "--host", "/run/llama.sock"), {}, (), "qwen3-8b-q4_k_m", None, ()),
        (("-m", GGUF), None, (), "qwen3-8b-q4_k_m", None,
         ("http://127.0.0.1:8080/metrics", "http://127.0.0.1:9931/metrics")),
        ((), {"LLAMA_ARG_MODEL": GGUF}, (8080,), "qwen3-8b-q4_k_m", 8080, ("http://127.0.0.1:8080/metrics",)),
        ((), {}, (8080,), "llama-server", 8080, ("http://127.0.0.1:8080/metrics",)),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    arguments: tuple[str, ...],
    environ: dict[str, str] | None,
    ports: tuple[int, ...],
    application: str,
    port: int | None,
    urls: tuple[str, ...],
) -> None:
    one = start(*arguments)
    traits = LLAMA.traits([(one, FRONT)], {one.key: facts(one, environ=environ, ports=ports)})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_its_model() -> None:
    one = start("-m", "qwen.gguf")
    assert LLAMA.traits([(one, FRONT)], {}).models == (
        Model(name="qwen", path="qwen.gguf", runtime="llama.cpp", format="gguf"),
    )
    assert LLAMA.model_requests(one, None) == (ModelRequest(location="./qwen.gguf"),)
    assert LLAMA.model_requests(start("--model", GGUF), None) == (ModelRequest(location=GGUF),)
    assert LLAMA.model_requests(start("-hf", "a/b"), None) == ()
    mapped = msgspec.structs.replace(facts(one, environ={}), model_files=("/cache/x.gguf",))
    unnamed = start("-hf", "org/x")
    assert LLAMA.traits([(unnamed, FRONT)], {unnamed.key: mapped}).models[0].path == "org/x"
    assert LLAMA.traits([(start(), FRONT)], {start().key: mapped}).models == (Model(name="x", path="/cache/x.gguf"),)


KNOBS = [
    (Lever.COMPUTE_THREADS, ("-t", "8"), "LLAMA_ARG_THREADS", 8, "--threads"),
    (Lever.MAX_REQUESTS_IN_FLIGHT, ("-np", "4"), "LLAMA_ARG_N_PARALLEL", 4, "--parallel"),
    (Lever.CONTEXT_LENGTH, ("-c", "8192"), "LLAMA_ARG_CTX_SIZE", 8192, "--ctx-size"),
    (Lever.GPU_LAYERS, ("-ngl", "99"), "LLAMA_ARG_N_GPU_LAYERS", 99, "--n-gpu-layers"),
    (Lever.GPU_LAYERS, ("--gpu-layers", "all"), "LLAMA_ARG_N_GPU_LAYERS", "all", "--n-gpu-layers"),
    (Lever.MAX_BATCH_TOKENS, ("-b", "1024"), "LLAMA_ARG_BATCH", 1024, "--batch-size"),
    (Lever.PREFILL_CHUNK, ("-ub", "256"), "LLAMA_ARG_UBATCH", 256, "--ubatch-size"),
    (Lever.CPU_OFFLOAD, ("-ncmoe", "12"), "LLAMA_ARG_N_CPU_MOE", 12, "--n-cpu-moe"),
    (Lever.REQUEST_THREADS, ("--threads-http", "6"), "LLAMA_ARG_THREADS_HTTP", 6, "--threads-http"),
]


@pytest.mark.parametrize(("lever", "line", "variable", "value", "name"), KNOBS)
def test_every_knob_and_where_it_comes_from(
    lever: Lever, line: tuple[str, ...], variable: str, value: object, name: str
) -> None:
    assert said(LLAMA, lever, *service("-m", GGUF, *line, environ={variable: "1"})) == (value, f"argument {name}")
    assert said(LLAMA, lever, *service("-m", GGUF, environ={variable: line[1]})) == (value, f"env {variable}")
    unknown, reason = said(LLAMA, lever, *service("-m", GGUF, environ=None))
    assert unknown is None
    assert reason.startswith("environment not readable")


@pytest.mark.parametrize(
    ("lever", "value", "origin"),
    [
        (Lever.COMPUTE_THREADS, None, "default (physical cores of the host, whatever its affinity or quota)"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, None, "default (auto)"),
        (Lever.GPU_LAYERS, None, "default (auto: as many as fit)"),
        (Lever.MAX_BATCH_TOKENS, 2048, "default"),
        (Lever.PREFILL_CHUNK, 512, "default"),
        (Lever.KV_CACHE_PRECISION, "f16", "default"),
        (Lever.METRICS, False, "default"),
    ],
)
def test_what_holds_where_nothing_is_set(lever: Lever, value: object, origin: str) -> None:
    assert said(LLAMA, lever, *service("-m", GGUF, "-ctkd", "q4_0", "-tb", "3", environ={})) == (value, origin)


@pytest.mark.parametrize(
    ("line", "environ", "value", "origin"),
    [
        (("-ctk", "q8_0", "-ctv", "q8_0"), {}, "q8_0", "argument --cache-type-k"),
        (("-ctk", "q8_0"), {"LLAMA_ARG_CACHE_TYPE_V": "q8_0"}, "q8_0", "argument --cache-type-k"),
        (
            (),
            {"LLAMA_ARG_CACHE_TYPE_K": "q4_0", "LLAMA_ARG_CACHE_TYPE_V": "q4_0"},
            "q4_0",
            "env LLAMA_ARG_CACHE_TYPE_K",
        ),
        (("-ctk", "q8_0"), {}, None, "keys are q8_0 (argument --cache-type-k), values f16 (default)"),
        (("--cache-type-v=q4_0",), {}, None, "keys are f16 (default), values q4_0 (argument --cache-type-v)"),
    ],
)
def test_the_type_of_the_cache_is_that_of_keys_and_values(
    line: tuple[str, ...], environ: dict[str, str], value: object, origin: str
) -> None:
    found = LLAMA.setting(Lever.KV_CACHE_PRECISION, *service("-m", GGUF, *line, environ=environ))
    assert found is not None
    assert (found.value, found.origin, found.unread) == (value, origin, value is None)


def test_a_type_of_the_cache_is_set_for_both_with_what_it_needs() -> None:
    whole, known = service("-m", GGUF, environ={})
    places = LLAMA.places(Lever.KV_CACHE_PRECISION, "q8_0", whole, known)
    assert written(places) == [
        ("argument", "--cache-type-k", "q8_0", True),
        ("argument", "--cache-type-v", "q8_0", True),
        ("argument", "--flash-attn", "on", True),
        ("env", "LLAMA_ARG_CACHE_TYPE_K", "q8_0", True),
        ("env", "LLAMA_ARG_CACHE_TYPE_V", "q8_0", True),
        ("env", "LLAMA_ARG_FLASH_ATTN", "on", True),
    ]
    assert "set both" in (places[1].because or "")
    assert "does not start" in (places[2].because or "")
    floats = written(LLAMA.places(Lever.KV_CACHE_PRECISION, "f16", whole, known))
    assert {key for _, key, _, _ in floats} == {
        "--cache-type-k", "--cache-type-v", "LLAMA_ARG_CACHE_TYPE_K", "LLAMA_ARG_CACHE_TYPE_V",
    }  # fmt: skip
    off = LLAMA.places(Lever.KV_CACHE_PRECISION, "q8_0", *service("-m", GGUF, "-fa", "off", environ={}))
    assert ("env", "LLAMA_ARG_FLASH_ATTN", "on", False) in written(off)


def test_memory_of_one_node_takes_numactl_and_its_own_option() -> None:
    whole, known = service("-m", GGUF, environ={})
    assert written(LLAMA.places(Lever.NUMA_POLICY, "1", whole, known)) == [
        ("numactl", "membind", "1", True),
        ("argument", "--numa", "numactl", True),
    ]


def test_the_option_wins_over_the_variable() -> None:
    whole, known = service("-m", GGUF, "-t", "8", environ={"LLAMA_ARG_THREADS": "16"})
    assert written(LLAMA.places(Lever.COMPUTE_THREADS, 4, whole, known)) == [
        ("argument", "--threads", "4", True),
        ("env", "LLAMA_ARG_THREADS", "4", False),
    ]


@pytest.mark.parametrize(
    ("line", "environ", "value"),
    [
        (("--metrics",), {}, True),
        ((), {"LLAMA_ARG_ENDPOINT_METRICS": "1"}, True),
        ((), {"LLAMA_ARG_ENDPOINT_METRICS": "off"}, False),
        ((), None, None),
    ],
)
def test_whether_it_prints_metrics(line: tuple[str, ...], environ: dict[str, str] | None, value: bool | None) -> None:
    whole, known = service("-m", GGUF, *line, environ=environ)
    assert said(LLAMA, Lever.METRICS, whole, known)[0] is value
    gap = Gap(
        missing="the metrics page: queue, tokens, requests in flight",
        turn_on="--metrics",
        where="the command line of llama-server",
    )
    assert LLAMA.gaps(whole, known) == ((gap,) if value is False else ())


def test_a_server_that_is_set_by_variables_alone() -> None:
    whole, known = service(environ={"LLAMA_ARG_THREADS": "4"})
    assert said(LLAMA, Lever.MAX_BATCH_TOKENS, whole, known) == (2048, "default")
    assert said(LLAMA, Lever.COMPUTE_THREADS, whole, known) == (4, "env LLAMA_ARG_THREADS")


def test_its_page() -> None:
    text = page("llama_server.prom")
    sample = sample_of_page(LLAMA, text, zeroed(text))
    assert (sample.in_flight, sample.queue) == (4, 3)
    assert (sample.tokens_in, sample.tokens_out) == (33_065, 7_800)
    assert (sample.inter_token_sum_us, sample.inter_token_count) == (390_500_000, 7_800)
    assert sample.requests is sample.errors is sample.latency_count is sample.first_token_count is None
    assert sample.kv_cache_ppm is sample.inter_token_p50_us is None
    older = sample_of_page(LLAMA, text + "llamacpp:kv_cache_usage_ratio 0.25\n")
    assert older.kv_cache_ppm == 250_000
