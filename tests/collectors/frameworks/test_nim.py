"""NIM from its documentation: its processes, what options and variables set, and what its page says."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.framework import Facts, ModelRequest
from collectors.frameworks.nim import Nim
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, title, written, zeroed
from tests.pages import sample_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
NIM = Nim()
NEW, OLD = "nim_llm.start_server", "nim_llm_sdk.entrypoints.openai.api_server"


def nim(*arguments: str, module: str = NEW) -> Process:
    return process(64, "python", "-m", module, *arguments)


def service(*arguments: str, environ: dict[str, str] | None, module: str = NEW) -> tuple[Service, Facts]:
    one = nim(*arguments, module=module)
    return service_of("nim", (one, FRONT)), {one.key: facts(one, environ=environ)}


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("python", "-m", "nim_llm.start_server", "nim-serve"), FRONT),
        (("/opt/nim/llm/.venv/bin/python3", "-m", "nim_llm_sdk.entrypoints.launch"), FRONT),
        (("python3", "-m", "nim_llm_sdk.entrypoints.openai.api_server"), FRONT),
        (("python3", "-m", "vllm_nvext.entrypoints.openai.api_server", "--max-model-len", "16000"), FRONT),
        (("python3", "-m", "nim_llm_sdk.logging.pack_all_logs_into_json"), None),
        (("/bin/bash", "/opt/nim/start_server.sh"), None), (("nginx: master process nginx -c /opt/nim/nginx.conf",), None),
        (("vim", "nim_llm.start_server"), None), (("grep", "nim_llm"), None), (("list-model-profiles",), None),
        (("docker", "run", "nvcr.io/nim/meta/llama-3.1-8b-instruct"), None), (("VLLM::EngineCore",), None), ((), None),
    ],
)  # fmt: skip
def test_its_processes_and_those_that_are_not(argv: tuple[str, ...], role: Role | None) -> None:
    assert NIM.recognise(process(64, *argv), None, None) is role


def test_the_engine_that_it_starts_is_its_own(tmp_path: Path) -> None:
    shell = process(5, "/bin/bash", "/opt/nim/start_server.sh", comm="start_server.sh")
    one = process(64, "python", "-m", NEW, "nim-serve", "--served-model-name", "chat", ppid=5)
    processes = [shell, process(63, "nginx: master process nginx -c /opt/nim/nginx/nginx.conf", ppid=5, comm="nginx"), one,
                 title(219, "VLLM::EngineCore", ppid=64), title(220, "VLLM::Worker_TP0", ppid=219),
                 title(221, "VLLM::Worker_TP1", ppid=219)]  # fmt: skip
    roles = {64: "front-end", 219: "gateway", 220: "worker", 221: "worker"}
    assert discovered(HostTree(tmp_path), processes) == [("nim/chat:8000", roles)]


def test_an_engine_of_sglang_is_its_own_too(tmp_path: Path) -> None:
    one = process(64, "python", "-m", NEW, "--served-model-name", "chat")
    processes = [one, title(70, "sglang::scheduler_TP0", ppid=64), title(71, "sglang::detokenizer", ppid=64)]
    assert discovered(HostTree(tmp_path), processes) == [
        ("nim/chat:8000", {64: "front-end", 70: "worker", 71: "gateway"})
    ]


@pytest.mark.parametrize(
    ("arguments", "environ", "application", "port", "urls"),
    [
        ((), {}, "nim", 8000, ("http://127.0.0.1:8000/v1/metrics", "http://127.0.0.1:8000/metrics")),
        (("nim-serve",), {"NIM_SERVER_PORT": "9000", "NIM_SERVED_MODEL_NAME": "chat,alias"}, "chat", 9000,
         ("http://127.0.0.1:9000/v1/metrics", "http://127.0.0.1:9000/metrics")),
        (("nim-serve", "hf://org/model"), {}, "model", 8000,
         ("http://127.0.0.1:8000/v1/metrics", "http://127.0.0.1:8000/metrics")),
        ((), {"NIM_MODEL_PATH": "/mnt/llama", "NIM_PASSTHROUGH_ARGS": "--served-model-name mine"}, "mine", 8000,
         ("http://127.0.0.1:8000/v1/metrics", "http://127.0.0.1:8000/metrics")),
        (("--port", "8081"), None, "nim", 8081, ("http://127.0.0.1:8081/v1/metrics", "http://127.0.0.1:8081/metrics")),
        ((), None, "nim", None, ("http://127.0.0.1:8000/v1/metrics", "http://127.0.0.1:8000/metrics")),
        ((), {"NIM_SSL_MODE": "TLS"}, "nim", 8000, ()),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    arguments: tuple[str, ...],
    environ: dict[str, str] | None,
    application: str,
    port: int | None,
    urls: tuple[str, ...],
) -> None:
    one = nim(*arguments)
    traits = NIM.traits([(one, FRONT)], {one.key: facts(one, environ=environ)})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_its_model() -> None:
    one = nim("nim-serve")
    inside = facts(one, environ={"NIM_MODEL_PATH": "hf://org/model"})
    assert NIM.traits([(one, FRONT)], {one.key: inside}).models == (
        Model(name="model", path="hf://org/model", runtime="nim"),
    )
    assert NIM.model_requests(one, inside) == (ModelRequest(location="org/model", hub=True),)
    assert NIM.model_requests(one, facts(one, environ={"NIM_MODEL_PATH": "ngc://nim/meta/llama:hf"})) == ()
    assert NIM.model_requests(one, None) == NIM.model_requests(title(219, "VLLM::EngineCore"), None) == ()


@pytest.mark.parametrize(
    ("lever", "arguments", "environ", "value", "origin"),
    [
        (Lever.CONTEXT_LENGTH, ("--max-model-len", "16k"), {"NIM_MAX_MODEL_LEN": "8192"}, 16_000, "argument --max-model-len"),
        (Lever.CONTEXT_LENGTH, (), {"NIM_MAX_MODEL_LEN": "8192"}, 8192, "env NIM_MAX_MODEL_LEN"),
        (Lever.CONTEXT_LENGTH, (), {"NIM_MAX_MODEL_LEN": "1", "NIM_PASSTHROUGH_ARGS": "--max_model_len 4k"}, 4000,
         "env NIM_PASSTHROUGH_ARGS"),
        (Lever.CONTEXT_LENGTH, ("--max-model-len=2",), {"NIM_PASSTHROUGH_ARGS": "--max-model-len 4"}, 2,
         "argument --max-model-len"),
        (Lever.TENSOR_PARALLEL, (), {"NIM_TENSOR_PARALLEL_SIZE": "4"}, 4, "env NIM_TENSOR_PARALLEL_SIZE"),
        (Lever.GPU_MEMORY_SHARE, (), {"NIM_KVCACHE_PERCENT": "0.5"}, 0.5, "env NIM_KVCACHE_PERCENT"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, (), {"NIM_PASSTHROUGH_ARGS": "--x 'a b' --max-num-seqs 8"}, 8,
         "env NIM_PASSTHROUGH_ARGS"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, (), {"NIM_PASSTHROUGH_ARGS": "--max-num-seqs '8"}, None,
         "default (the model's profile decides)"),
        (Lever.CPU_OFFLOAD, (), {}, None, "default (the model's profile decides)"),
        (Lever.TENSOR_PARALLEL, (), {}, None, "default (the model's profile decides)"),
    ],
)  # fmt: skip
def test_options_win_over_variables_and_both_over_the_profile(
    lever: Lever, arguments: tuple[str, ...], environ: dict[str, str], value: object, origin: str
) -> None:
    assert said(NIM, lever, *service("nim-serve", *arguments, environ=environ)) == (value, origin)


def test_an_environment_that_cannot_be_read_may_set_anything() -> None:
    unknown, reason = said(NIM, Lever.CONTEXT_LENGTH, *service("nim-serve", environ=None))
    assert (unknown, reason.startswith("environment not readable")) == (None, True)


def test_the_places_of_a_knob() -> None:
    passed = "NIM_PASSTHROUGH_ARGS"
    whole, known = service("nim-serve", environ={})
    assert written(NIM.places(Lever.CONTEXT_LENGTH, 8192, whole, known)) == [
        ("argument", "--max-model-len", "8192", True),
        ("env", passed, "--max-model-len 8192", True),
        ("env", "NIM_MAX_MODEL_LEN", "8192", True),
    ]
    whole, known = service("nim-serve", environ={passed: "--max-model-len 4096 --seed 1", "NIM_MAX_MODEL_LEN": "2"})
    assert written(NIM.places(Lever.CONTEXT_LENGTH, 8192, whole, known)) == [
        ("env", passed, "--max-model-len 4096 --seed 1 --max-model-len 8192", True),
        ("argument", "--max-model-len", "8192", True),
        ("env", "NIM_MAX_MODEL_LEN", "8192", False),
    ]
    whole, known = service("nim-serve", "--max-num-seqs", "4", environ={})
    assert written(NIM.places(Lever.MAX_REQUESTS_IN_FLIGHT, 8, whole, known)) == [
        ("argument", "--max-num-seqs", "8", True),
        ("env", passed, "--max-num-seqs 8", False),
    ]
    whole, known = service("nim-serve", environ=None)
    assert written(NIM.places(Lever.MAX_REQUESTS_IN_FLIGHT, 8, whole, known))[1] == (
        "env",
        passed,
        "--max-num-seqs 8",
        None,
    )
    whole, known = service(environ={}, module=OLD)
    assert [key for _, key, *_ in written(NIM.places(Lever.CONTEXT_LENGTH, 8, whole, known))] == [
        "--max-model-len", "NIM_MAX_MODEL_LEN",
    ]  # fmt: skip


def test_the_page_of_the_older_releases() -> None:
    text = page("nim.prom")
    sample = sample_of_page(NIM, text, zeroed(text))
    assert (sample.requests, sample.errors, sample.in_flight, sample.queue) == (400, 8, 10, 2)
    assert (sample.tokens_in, sample.tokens_out, sample.kv_cache_ppm) == (50_000, 20_000, 550_000)
    assert (sample.latency_sum_us, sample.latency_count, sample.latency_p50_us) == (840_000_000, 400, 1_750_000)
    assert (sample.first_token_count, sample.first_token_p50_us) == (400, 75_000)
    assert (sample.inter_token_sum_us, sample.inter_token_count) == (330_000_000, 20_000)


@pytest.mark.parametrize(("name", "requests", "queue"), [("vllm.prom", 294, 5), ("sglang.prom", 180, 4)])
def test_the_page_of_its_engine(name: str, requests: int, queue: int) -> None:
    sample = sample_of_page(NIM, page(name))
    assert (sample.requests, sample.queue) == (requests, queue)
