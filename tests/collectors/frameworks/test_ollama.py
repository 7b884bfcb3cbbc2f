"""Ollama from its documentation: its processes, what its environment sets, and what /api/ps says."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.entities import Model, Process, Role, Service
from collectors.framework import Facts, ModelRequest
from collectors.frameworks.ollama import Ollama
from collectors.levers import Lever
from collectors.pages.serving_page import read_page
from collectors.reading import Unreadable
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, page, said, server, written
from tests.pages import sample_of_page, samples_of_page

FRONT, WORKER = Role.FRONT_END, Role.WORKER
DIGEST = "6a0746a1ec1aef3e7ec53868f220ff6e389f6f8ef87a01d77c96807de94ca2aa"
BLOB = f"/usr/share/ollama/.ollama/models/blobs/sha256-{DIGEST}"
OLLAMA = Ollama()


def serve() -> Process:
    return process(10, "/usr/local/bin/ollama", "serve", comm="ollama")


def runner(pid: int, *arguments: str, ppid: int = 10) -> Process:
    argv = (
        "/usr/local/lib/ollama/llama-server",
        "--model",
        BLOB,
        "--port",
        "41001",
        "--host",
        "127.0.0.1",
        "--no-webui",
    )
    return process(pid, *argv, "--offline", "-c", "8192", "-np", "1", *arguments, ppid=ppid, comm="llama-server")


def service(environ: dict[str, str] | None, *runners: Process) -> tuple[Service, Facts]:
    one = serve()
    return service_of("ollama", (one, FRONT), *((r, WORKER) for r in runners)), {one.key: facts(one, environ=environ)}


@pytest.mark.parametrize(
    ("argv", "parent", "role"),
    [
        (("/usr/local/bin/ollama", "serve"), None, FRONT), (("ollama", "start"), None, FRONT),
        (("ollama", "runner", "--model", BLOB, "--port", "41001"), FRONT, WORKER),
        (("ollama", "runner", "--ollama-engine", "--model", BLOB, "--port", "41001"), None, WORKER),
        (("ollama", "runner", "--mlx-engine", "--model", "gemma3", "--port", "41001"), FRONT, WORKER),
        (("/var/ollama1/runners/cuda_v12/ollama_llama_server", "--model", BLOB), FRONT, WORKER),
        (("/usr/local/lib/ollama/llama-server", "--model", BLOB), FRONT, WORKER),
        (("/usr/bin/llama-server", "--model", "/m.gguf"), None, None),
        (("ollama", "run", "llama3.1"), None, None), (("ollama", "pull", "llama3.1"), None, None),
        (("ollama", "ps"), None, None), ((), None, None),
        (("ollama",), None, None), (("vim", "ollama"), None, None), (("tail", "-f", "ollama.log"), None, None),
        (("docker", "run", "ollama/ollama", "serve"), None, None), (("bash", "-c", "ollama serve"), None, None),
    ],
)  # fmt: skip
def test_its_processes_and_those_that_are_not(argv: tuple[str, ...], parent: Role | None, role: Role | None) -> None:
    assert OLLAMA.recognise(process(11, *argv, ppid=10), parent, None) is role


def test_the_llama_server_that_it_starts_is_its_own_and_not_a_service(tmp_path: Path) -> None:
    other = process(50, "/usr/bin/llama-server", "-m", "/m.gguf", "--port", "9000", comm="llama-server")
    processes = [serve(), runner(11), process(12, "ollama", "runner", "--model", BLOB, ppid=10, comm="ollama"), other]
    assert dict(discovered(HostTree(tmp_path), processes)) == {
        "ollama/ollama:11434": {10: "front-end", 11: "worker", 12: "worker"},
        "llama-server/m:9000": {50: "front-end"},
    }


def test_a_runner_that_was_left_behind_is_known_by_its_folder() -> None:
    assert OLLAMA.recognise(runner(11, ppid=1), None, None) is WORKER
    assert OLLAMA.recognise(runner(11, ppid=77), None, None) is None


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        (None, 11434, "http://127.0.0.1:11434/api/ps"),
        ("0.0.0.0", 11434, "http://127.0.0.1:11434/api/ps"),
        ("0.0.0.0:8080", 8080, "http://127.0.0.1:8080/api/ps"),
        (":8080", 8080, "http://127.0.0.1:8080/api/ps"),
        ("10.0.0.7", 11434, "http://10.0.0.7:11434/api/ps"),
        ("http://10.0.0.7", 80, "http://10.0.0.7:80/api/ps"),
        ("https://10.0.0.7:9000/x", 9000, "http://10.0.0.7:9000/api/ps"),
        ("[::1]:9000", 9000, "http://[::1]:9000/api/ps"),
        ("[::]", 11434, "http://127.0.0.1:11434/api/ps"),
        ("::1", 11434, "http://[::1]:11434/api/ps"),
        (' "127.0.0.1:8080" ', 8080, "http://127.0.0.1:8080/api/ps"),
        ("127.0.0.1:99999", 11434, "http://127.0.0.1:11434/api/ps"),
        ("127.0.0.1:x", 11434, "http://127.0.0.1:11434/api/ps"),
    ],
)
def test_where_it_listens(host: str | None, port: int, url: str) -> None:
    one = serve()
    known = {one.key: facts(one, environ={} if host is None else {"OLLAMA_HOST": host})}
    traits = OLLAMA.traits([(one, FRONT)], known)
    assert (traits.application, traits.port, traits.metrics_urls) == ("ollama", port, (url,))


def test_where_its_environment_is_not_readable_the_socket_tells_the_port() -> None:
    one = serve()
    traits = OLLAMA.traits([(one, FRONT)], {one.key: facts(one, ports=(11500,))})
    assert (traits.port, traits.metrics_urls) == (11500, ("http://127.0.0.1:11500/api/ps",))
    assert OLLAMA.traits([(one, FRONT)], {}).port is None


def test_a_blob_is_called_after_its_digest() -> None:
    mlx = process(12, "ollama", "runner", "--mlx-engine", "--model", "gemma3", "--port", "1", ppid=10)
    models = OLLAMA.traits([(serve(), FRONT), (runner(11), WORKER), (mlx, WORKER)], {}).models
    assert models == (
        Model(name="sha256-6a0746a1ec1a", path=BLOB, runtime="ollama", format="gguf"),
        Model(name="gemma3", path="gemma3", runtime="ollama"),
    )
    assert OLLAMA.model_requests(runner(11), None) == (ModelRequest(location=BLOB),)
    assert OLLAMA.model_requests(mlx, None) == OLLAMA.model_requests(serve(), None) == ()


@pytest.mark.parametrize(
    ("lever", "variable", "text", "value", "default", "origin"),
    [
        (Lever.MAX_REQUESTS_IN_FLIGHT, "OLLAMA_NUM_PARALLEL", "4", 4, 1, "default"),
        (Lever.MAX_QUEUE, "OLLAMA_MAX_QUEUE", "64", 64, 512, "default"),
        (Lever.KEEP_LOADED, "OLLAMA_KEEP_ALIVE", "-1", -1, "5m", "default"),
        (Lever.KEEP_LOADED, "OLLAMA_KEEP_ALIVE", "24h", "24h", "5m", "default"),
        (Lever.CONTEXT_LENGTH, "OLLAMA_CONTEXT_LENGTH", "8192", 8192, None, "default (4k, 32k or 256k by GPU memory)"),
        (Lever.KV_CACHE_PRECISION, "OLLAMA_KV_CACHE_TYPE", "q8_0", "q8_0", "f16", "default"),
    ],
)
def test_every_knob_and_where_it_comes_from(
    lever: Lever, variable: str, text: str, value: object, default: object, origin: str
) -> None:
    assert said(OLLAMA, lever, *service({variable: text})) == (value, f"env {variable}")
    assert said(OLLAMA, lever, *service({})) == (default, origin)
    unknown, reason = said(OLLAMA, lever, *service(None))
    assert unknown is None
    assert reason.startswith("environment not readable")
    assert written(OLLAMA.places(lever, 2, *service({}))) == [("env", variable, "2", True)]


def test_a_quantised_cache_is_set_with_the_attention_that_it_needs() -> None:
    places = OLLAMA.places(Lever.KV_CACHE_PRECISION, "q8_0", *service({}))
    assert written(places) == [
        ("env", "OLLAMA_KV_CACHE_TYPE", "q8_0", True), ("env", "OLLAMA_FLASH_ATTENTION", "1", True),
    ]  # fmt: skip
    assert "counts for nothing" in (places[1].because or "")
    assert [key for _, key, _, _ in written(OLLAMA.places(Lever.KV_CACHE_PRECISION, "f16", *service({})))] == [
        "OLLAMA_KV_CACHE_TYPE"
    ]


def test_what_a_model_sets_is_seen_on_its_runner_alone() -> None:
    whole, known = service({}, runner(11, "-ngl", "20", "-t", "6", "-tb", "3"))
    assert said(OLLAMA, Lever.GPU_LAYERS, whole, known) == (20, "num_gpu of the model, or of the request")
    assert said(OLLAMA, Lever.COMPUTE_THREADS, whole, known) == (6, "num_thread of the model, or of the request")
    hidden = (None, "num_gpu of the models is not visible")
    assert said(OLLAMA, Lever.GPU_LAYERS, *service({}, runner(11))) == hidden
    assert said(OLLAMA, Lever.GPU_LAYERS, *service({}, runner(11, "-ngl", "20"), runner(12, "-ngl", "4"))) == hidden
    (place,) = OLLAMA.places(Lever.GPU_LAYERS, 33, whole, known)
    assert (place.kind, place.key, place.effective) == ("code", "PARAMETER num_gpu N in the Modelfile", None)


def test_nothing_turns_metrics_on() -> None:
    (gap,) = OLLAMA.gaps(*server(OLLAMA, "ollama", "serve", environ={}))
    assert gap.turn_on == "nothing turns them on"


def test_its_page() -> None:
    body = page("ollama_ps.json")
    assert OLLAMA.page_text(body).splitlines() == [
        "# TYPE ollama_loaded_models gauge",
        "ollama_loaded_models 2",
        "# TYPE ollama_model_size_bytes gauge",
        'ollama_model_size_bytes{model="llama3.1:8b"} 6654289920',
        'ollama_model_size_bytes{model="nomic-embed-text:latest"} 848000000',
        "# TYPE ollama_model_vram_bytes gauge",
        'ollama_model_vram_bytes{model="llama3.1:8b"} 5137025024',
        'ollama_model_vram_bytes{model="nomic-embed-text:latest"} 848000000',
        "# TYPE ollama_model_context_tokens gauge",
        'ollama_model_context_tokens{model="llama3.1:8b"} 8192',
        'ollama_model_context_tokens{model="nomic-embed-text:latest"} 2048',
    ]
    sample = sample_of_page(OLLAMA, body)
    assert (sample.model_bytes, sample.requests, sample.latency_count) == (7_502_289_920, None, None)
    assert sample.model_gpu_bytes == 5137025024 + 848000000
    assert samples_of_page(OLLAMA, body)["model:5e41ce/llama3.1:8b"].model_bytes == 6_654_289_920


@pytest.mark.parametrize("body", ['{"models":[]}', '{"models":null}'])
def test_without_a_loaded_model_there_is_no_memory_to_tell(body: str) -> None:
    assert sample_of_page(OLLAMA, body).model_bytes is None


@pytest.mark.parametrize(
    "body",
            ["", "Ollama is running", "[]", "{}", '{"models":1}', '{"models":[{"name":"a"}]}',
             '{"models":[{"name":1,"size":2}]}',
             '{"models":[{"name":"a","size":-1}]}', '{"models":[{"name":"a","size":1e400}]}', "# TYPE x counter\nx 1\n"],
)  # fmt: skip
def test_another_answer_is_not_read(body: str) -> None:
    with pytest.raises(Unreadable, match="not that of Ollama"):
        OLLAMA.page_text(body)


@given(st.text(max_size=300))
def test_any_name_of_a_model_stays_inside_its_label(name: str) -> None:
    body = msgspec.json.encode({"models": [{"name": name, "size": 5}]}).decode()
    assert OLLAMA.metrics is not None
    found = read_page(OLLAMA.page_text(body), OLLAMA.metrics)
    assert found.service.values["model_bytes"] == 5
