"""Text Generation Inference from its documentation: its processes, what its options set, and what its page says."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.framework import Facts, ModelRequest
from collectors.frameworks.tgi import Tgi
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, server, written, zeroed
from tests.pages import sample_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
GEMMA = "google/gemma-2-9b-it"
COMM = "text-generation"
TGI = Tgi()


def launcher(*arguments: str) -> Process:
    return process(10, "text-generation-launcher", *arguments, comm=COMM)


def router(*arguments: str) -> Process:
    return process(11, "text-generation-router", *arguments, ppid=10, comm=COMM)


def shard(pid: int, model: str = GEMMA, *arguments: str) -> Process:
    argv = ("/usr/src/.venv/bin/python3", "/usr/src/.venv/bin/text-generation-server", "serve", model, *arguments)
    return process(pid, *argv, "--uds-path", "/run/tgi", "--json-output", ppid=10, comm=COMM)


def service(*arguments: str, environ: dict[str, str] | None) -> tuple[Service, Facts]:
    return server(TGI, *launcher(*arguments).argv, environ=environ)


@pytest.mark.parametrize(
    ("argv", "parent", "role"),
    [
        (("/usr/local/bin/text-generation-launcher", "--model-id", GEMMA), None, FRONT),
        (("text-generation-router", "--port", "80"), FRONT, GATEWAY),
        (("text-generation-router-llamacpp", "--port", "80"), None, FRONT),
        (("python3", "/usr/bin/text-generation-server", "serve", GEMMA), FRONT, WORKER),
        (("text-generation-server", "serve", GEMMA), None, WORKER),
        (("text-generation-server", "download-weights", GEMMA), FRONT, SUPPORT),
        (("text-generation-server", "download-weights", GEMMA), None, None),
        (("text-generation-server", "quantize", GEMMA, "/out"), None, None),
        (("vim", "text-generation-launcher"), None, None),
        (("tail", "-f", "text-generation-launcher.log"), None, None),
        (("pip", "install", "text-generation"), None, None),
        (("docker", "run", "ghcr.io/huggingface/text-generation-inference", "--model-id", GEMMA), None, None),
        (("bash", "-c", "text-generation-launcher --model-id x"), None, None),
        (("text-generation-benchmark",), None, None),
        ((), None, None),
    ],
)
def test_its_processes_and_those_that_are_not(argv: tuple[str, ...], parent: Role | None, role: Role | None) -> None:
    assert TGI.recognise(process(11, *argv, comm=COMM), parent, None) is role


def test_shards_run_the_model(tmp_path: Path) -> None:
    processes = [launcher("--model-id", GEMMA, "--port", "8080"), router("--port", "8080", "--tokenizer-name", GEMMA),
                 shard(12), shard(13)]  # fmt: skip
    roles = {10: "front-end", 11: "gateway", 12: "worker", 13: "worker"}
    assert discovered(HostTree(tmp_path), processes) == [("tgi/gemma-2-9b-it:8080", roles)]


@pytest.mark.parametrize(
    ("arguments", "environ", "routed", "application", "port", "urls"),
    [
        (("--model-id", GEMMA), {}, (), "gemma-2-9b-it", 3000, ("http://127.0.0.1:3000/metrics",)),
        (("-p", "81"), {"MODEL_ID": GEMMA, "PORT": "80"}, (), "gemma-2-9b-it", 81, ("http://127.0.0.1:81/metrics",)),
        ((), {"MODEL_ID": "/data/gemma", "PORT": "80"}, (), "gemma", 80, ("http://127.0.0.1:80/metrics",)),
        ((), None, ("--hostname", "10.1.1.1", "--port", "80", "--tokenizer-name", GEMMA), "gemma-2-9b-it", 80,
         ("http://10.1.1.1:80/metrics",)),
        ((), None, ("--hostname", "tgi-7c9d", "--port", "80"), "tgi", 80, ("http://127.0.0.1:80/metrics",)),
        ((), None, (), "tgi", None, ()),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    arguments: tuple[str, ...],
    environ: dict[str, str] | None,
    routed: tuple[str, ...],
    application: str,
    port: int | None,
    urls: tuple[str, ...],
) -> None:
    one = launcher(*arguments)
    members = [(one, FRONT), (router(*routed), GATEWAY)] if routed else [(one, FRONT)]
    traits = TGI.traits(members, {one.key: facts(one, environ=environ)})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_a_socket_tells_the_port_where_nothing_else_does() -> None:
    one, other = launcher(), router()
    known = {one.key: facts(one), other.key: facts(other, ports=(8080,))}
    assert TGI.traits([(one, FRONT), (other, GATEWAY)], known).port == 8080


def test_its_model_is_what_a_shard_serves() -> None:
    (model,) = TGI.traits([(launcher("--model-id", "ignored"), FRONT), (shard(12), WORKER)], {}).models
    assert model == Model(name=GEMMA, path=GEMMA, runtime="text-generation-inference")
    assert TGI.model_requests(shard(12), None) == (ModelRequest(location=GEMMA, hub=True),)
    one = launcher()
    assert TGI.model_requests(one, facts(one, environ={"MODEL_ID": "/data/gemma"})) == (
        ModelRequest(location="/data/gemma"),
    )
    assert TGI.model_requests(one, None) == ()


KNOBS = [
    (Lever.MAX_REQUESTS_IN_FLIGHT, "--max-concurrent-requests", "256", 128, "default"),
    (Lever.MAX_BATCH_TOKENS, "--max-batch-total-tokens", "32000", None, "default (as many as fit the GPU's memory)"),
    (Lever.PREFILL_CHUNK, "--max-batch-prefill-tokens", "4096", None, "default (the longest input and 50 more)"),
    (Lever.MAX_BATCH_SIZE, "--max-batch-size", "8", None, "default (no limit)"),
    (Lever.CONTEXT_LENGTH, "--max-total-tokens", "4096", None, "default (from the model)"),
    (Lever.PRECISION, "--quantize", "awq", None, "default (as the model is stored)"),
    (Lever.KV_CACHE_PRECISION, "--kv-cache-dtype", "fp8_e5m2", None, "default (as the model computes)"),
    (Lever.GPU_MEMORY_SHARE, "--cuda-memory-fraction", "0.8", 1.0, "default"),
    (Lever.TENSOR_PARALLEL, "--num-shard", "2", None, "default (all visible GPUs)"),
    (Lever.API_SERVERS, "--validation-workers", "4", 2, "default"),
]


@pytest.mark.parametrize(("lever", "name", "text", "default", "origin"), KNOBS, ids=[name for _, name, *_ in KNOBS])
def test_every_knob_and_where_it_comes_from(lever: Lever, name: str, text: str, default: object, origin: str) -> None:
    variable = name[2:].replace("-", "_").upper()
    value = {"awq": "awq", "fp8_e5m2": "fp8_e5m2", "0.8": 0.8}.get(text) or int(text)
    assert said(TGI, lever, *service(environ={})) == (default, origin)
    assert said(TGI, lever, *service(name, text, environ={variable: "7"})) == (value, f"argument {name}")
    assert said(TGI, lever, *service(environ={variable: text})) == (value, f"env {variable}")
    unknown, reason = said(TGI, lever, *service(environ=None))
    assert unknown is None
    assert reason.startswith("environment not readable")


def test_the_router_repeats_what_an_unreadable_environment_set() -> None:
    one, other = launcher(), router("--max-concurrent-requests", "512", "--validation-workers", "2")
    whole = service_of("tgi", (one, FRONT), (other, GATEWAY), (shard(12, GEMMA, "--quantize", "fp8"), WORKER))
    known = {one.key: facts(one)}
    told = "the command line of text-generation-"
    assert said(TGI, Lever.MAX_REQUESTS_IN_FLIGHT, whole, known) == (512, f"{told}router")
    assert said(TGI, Lever.PRECISION, whole, known) == ("fp8", f"{told}server")
    assert said(TGI, Lever.GPU_MEMORY_SHARE, whole, known)[0] is None
    assert TGI.setting(Lever.MODEL_INSTANCES, whole, known) is None


def test_the_option_wins_over_the_variable() -> None:
    whole, known = service("--max-concurrent-requests", "128", environ={"MAX_CONCURRENT_REQUESTS": "256"})
    assert written(TGI.places(Lever.MAX_REQUESTS_IN_FLIGHT, 512, whole, known)) == [
        ("argument", "--max-concurrent-requests", "512", True),
        ("env", "MAX_CONCURRENT_REQUESTS", "512", False),
    ]
    whole, known = service(environ={"MAX_CONCURRENT_REQUESTS": "256"})
    assert written(TGI.places(Lever.MAX_REQUESTS_IN_FLIGHT, 512, whole, known)) == [
        ("env", "MAX_CONCURRENT_REQUESTS", "512", True),
        ("argument", "--max-concurrent-requests", "512", True),
    ]


def test_its_page_is_always_on() -> None:
    assert TGI.gaps(*service(environ={})) == ()


def test_its_page() -> None:
    text = page("tgi.prom")
    sample = sample_of_page(TGI, text, zeroed(text))
    assert (sample.requests, sample.errors) == (240, 4 + 2 + 1)
    assert (sample.in_flight, sample.queue) == (14, 6)
    assert (sample.tokens_in, sample.tokens_out) == (150_000, 36_000)
    assert (sample.latency_sum_us, sample.latency_count, sample.latency_p50_us) == (480_500_000, 240, 985_261)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (36_250_000, 240)
    assert (sample.batch_size_sum, sample.batch_size_count) == (240, 130)
    assert (sample.inter_token_sum_us, sample.inter_token_count) == (5_760_000, 240)
    assert sample.first_token_count is sample.kv_cache_ppm is sample.model_bytes is None
