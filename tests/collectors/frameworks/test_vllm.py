"""vLLM from its documentation: its processes, what its options set, and what its page says."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import SettingsFile
from collectors.framework import Facts, Gap, ModelRequest
from collectors.frameworks.vllm import Vllm
from collectors.levers import Lever
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.llm_servers import discovered, said, server, title, written

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
VLLM = Vllm()
SPAWNED = ("/usr/bin/python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5)", "--x")
TRACKER = ("/usr/bin/python3", "-c", "from multiprocessing.resource_tracker import main;main(5)")


def serve(*arguments: str) -> Process:
    return process(10, "/usr/bin/python3", "/usr/local/bin/vllm", "serve", *arguments, comm="vllm")


def service(*arguments: str, environ: dict[str, str] | None = None) -> tuple[Service, Facts]:
    return server(VLLM, *serve(*arguments).argv, environ={} if environ is None else environ)


@pytest.mark.parametrize(
    "argv",
    [
        ("/usr/local/bin/vllm", "serve", LLAMA),
        ("/usr/bin/python3", "/usr/local/bin/vllm", "serve", LLAMA, "-tp", "2"),
        ("python3", "-m", "vllm.entrypoints.cli.main", "serve", LLAMA),
        ("python", "-u", "-m", "vllm.entrypoints.openai.api_server", "--model", LLAMA),
        ("python3", "-m", "vllm.entrypoints.api_server", "--model", LLAMA),
    ],
)
def test_every_way_to_start_it_is_recognised(argv: tuple[str, ...]) -> None:
    assert VLLM.recognise(process(10, *argv), None, None) is FRONT
    assert VLLM.recognise(process(11, *argv, ppid=10), FRONT, None) is WORKER


@pytest.mark.parametrize(
    "argv",
    [
        ("vim", "vllm.py"), ("grep", "-r", "vllm", "serve"), ("tail", "-f", "vllm.log"), ("pip", "install", "vllm"),
        ("docker", "run", "--gpus", "all", "vllm/vllm-openai", "--model", LLAMA), ("bash", "-c", f"vllm serve {LLAMA}"),
        ("vllm", "bench", "serve", "--model", LLAMA), ("vllm", "chat"), ("vllm", "complete"), ("vllm", "run-batch", "-i", "a"),
        ("vllm", "collect-env"), ("vllm",), ("python3", "vllm.py", "serve"), ("python3", "-m", "vllm.collect_env"),
        ("curl", "http://localhost:8000/v1/models"), ("less", "VLLM::EngineCore"), ("python3", "-c", "import vllm"),
        ("foo::Worker",), ("foo::APIServer_0",), ("VLLM::Something",), ("ray::EngineThing",), (),
    ],
)  # fmt: skip
def test_tools_beside_it_are_no_servers(argv: tuple[str, ...]) -> None:
    assert VLLM.recognise(process(10, *argv, comm="bash"), None, None) is None


def test_what_multiprocessing_starts_belongs_to_it() -> None:
    assert VLLM.recognise(process(11, *SPAWNED, ppid=10), FRONT, None) is WORKER
    assert VLLM.recognise(process(11, *TRACKER, ppid=10), FRONT, None) is SUPPORT
    assert VLLM.recognise(process(11, *SPAWNED), None, None) is None
    rust = ("/opt/vllm/vllm-rs", "frontend", "--listen-fd", "7", "--args-json", "{}")
    assert VLLM.recognise(process(11, *rust, ppid=10), FRONT, None) is GATEWAY
    assert VLLM.recognise(process(11, "ninja", "-C", "build", ppid=11), WORKER, None) is None


def test_one_engine_runs_the_model_itself(tmp_path: Path) -> None:
    found = discovered(
        HostTree(tmp_path), [serve(LLAMA), process(11, *TRACKER, ppid=10), title(12, "VLLM::EngineCore")]
    )
    roles = {10: "front-end", 11: "support", 12: "worker"}
    assert found == [("vllm/Llama-3.1-8B-Instruct:8000", roles)]


def test_an_engine_with_workers_only_schedules_them(tmp_path: Path) -> None:
    processes = [serve(LLAMA, "-tp", "2", "-dp", "2"), title(11, "VLLM::DPCoordinator")]
    processes += [title(pid, f"VLLM::APIServer_{pid - 12}") for pid in (12, 13)]
    for rank, engine in ((0, 20), (1, 30)):
        processes.append(title(engine, f"VLLM::EngineCore_DP{rank}"))
        processes += [title(engine + 1 + tp, f"VLLM::Worker_DP{rank}_TP{tp}", ppid=engine) for tp in (0, 1)]
    ((name, roles),) = discovered(HostTree(tmp_path), processes)
    assert name == "vllm/Llama-3.1-8B-Instruct:8000"
    assert {pid for pid, role in roles.items() if role == "worker"} == {21, 22, 31, 32}
    assert {pid for pid, role in roles.items() if role == "gateway"} == {12, 13, 20, 30}
    assert (roles[10], roles[11]) == ("front-end", "support")


def test_two_servers_of_one_node_are_two_services(tmp_path: Path) -> None:
    other = process(50, "vllm", "serve", "/models/qwen", "--port", "8001", comm="vllm")
    found = discovered(HostTree(tmp_path), [serve(LLAMA), title(12, "VLLM::EngineCore"), other,
                                            title(52, "VLLM::EngineCore", ppid=50)])  # fmt: skip
    assert dict(found) == {
        "vllm/Llama-3.1-8B-Instruct:8000": {10: "front-end", 12: "worker"},
        "vllm/qwen:8001": {50: "front-end", 52: "worker"},
    }


def test_an_engine_inside_another_program_is_a_service_without_a_front_end(tmp_path: Path) -> None:
    script = process(10, "/usr/bin/python3", "/srv/offline.py")
    assert discovered(HostTree(tmp_path), [script, title(12, "VLLM::EngineCore")]) == [("vllm/engine", {12: "worker"})]


@pytest.mark.parametrize(
    ("arguments", "application", "port", "urls"),
    [
        ((LLAMA,), "Llama-3.1-8B-Instruct", 8000, ("http://127.0.0.1:8000/metrics",)),
        ((LLAMA, "--served-model-name", "chat", "small", "--port", "9000"), "chat", 9000, ("http://127.0.0.1:9000/metrics",)),
        (("/models/qwen/", "--host", "10.0.0.7", "--port=81"), "qwen", 81, ("http://10.0.0.7:81/metrics",)),
        (("--enforce-eager", "--max_num_seqs", "8", "org/m"), "m", 8000, ("http://127.0.0.1:8000/metrics",)),
        (("--model", "org/m", "--host", "::"), "m", 8000, ("http://127.0.0.1:8000/metrics",)),
        ((LLAMA, "--uds", "/run/vllm.sock"), "Llama-3.1-8B-Instruct", None, ()),
        ((LLAMA, "--headless", "--data-parallel-address", "10.0.0.1"), "Llama-3.1-8B-Instruct", None, ()),
        ((LLAMA, "--ssl-keyfile", "k", "--ssl-certfile", "c"), "Llama-3.1-8B-Instruct", 8000, ()),
        ((), "vllm", 8000, ("http://127.0.0.1:8000/metrics",)),
        ((LLAMA, "--port", "0"), "Llama-3.1-8B-Instruct", None, ()),
        ((LLAMA, "--port", "9" * 30), "Llama-3.1-8B-Instruct", None, ()),
    ],
)  # fmt: skip
def test_name_port_and_metrics_page(
    arguments: tuple[str, ...], application: str, port: int | None, urls: tuple[str, ...]
) -> None:
    traits = VLLM.traits([(serve(*arguments), FRONT)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == (application, port, urls)


def test_where_the_command_line_is_gone_the_socket_tells_the_port() -> None:
    one = title(10, "VLLM::APIServer_0", ppid=1)
    traits = VLLM.traits([(one, FRONT)], {one.key: facts(one, ports=(8123,))})
    assert (traits.application, traits.port, traits.models) == ("engine", 8123, ())
    assert VLLM.traits([(one, FRONT)], {}).port is None


def test_the_model_is_what_its_page_calls_it_with_the_headers_that_were_read() -> None:
    one, engine = serve(LLAMA), title(12, "VLLM::EngineCore")
    weights = ModelFile(
        path="/hub/model.safetensors", format="safetensors", size_bytes=16_060_000_000, parameters=8_030_261_248
    )
    shape = ModelFile(path="/hub/config.json", format="hf-config", size_bytes=855, geometry=Geometry(layers=32))
    inside = facts(one, environ={})
    known = {
        one.key: type(inside)(
            **{f: getattr(inside, f) for f in inside.__struct_fields__} | {"models": (shape, weights)}
        )
    }
    (model,) = VLLM.traits([(one, FRONT), (engine, WORKER)], known).models
    assert model == Model(name=LLAMA, path=LLAMA, runtime="vllm", format="safetensors", files=(shape, weights))
    assert (model.size_bytes, model.parameters) == (16_060_000_855, 8_030_261_248)
    (named,) = VLLM.traits([(serve("/m/x.gguf", "--served-model-name=chat"), FRONT)], {}).models
    assert named == Model(name="chat", path="/m/x.gguf", runtime="vllm", format="gguf")


@pytest.mark.parametrize(
    ("model", "request_"),
    [
        (LLAMA, ModelRequest(location=LLAMA, hub=True)),
        ("gpt2", ModelRequest(location="gpt2", hub=True)),
        ("org/m-GGUF:Q4_K_M", ModelRequest(location="org/m-GGUF", hub=True)),
        ("/models/llama", ModelRequest(location="/models/llama")),
        ("./llama", ModelRequest(location="./llama")),
        ("models/llama.gguf", ModelRequest(location="models/llama.gguf")),
        ("a/b/c", ModelRequest(location="a/b/c")),
    ],
)
def test_the_header_of_its_model_is_asked_for(model: str, request_: ModelRequest) -> None:
    assert VLLM.model_requests(serve(model), None) == (request_,)


def test_nothing_is_asked_for_where_there_is_no_file_here() -> None:
    assert VLLM.model_requests(serve("s3://bucket/model"), None) == ()
    assert VLLM.model_requests(title(12, "VLLM::EngineCore"), None) == ()


@pytest.mark.parametrize(
    ("lever", "arguments", "value", "origin"),
    [
        (Lever.GPU_MEMORY_SHARE, ("--gpu-memory-utilization", "0.85"), 0.85, "argument --gpu-memory-utilization"),
        (Lever.GPU_MEMORY_SHARE, ("--gpu_memory_utilization=0.85",), 0.85, "argument --gpu-memory-utilization"),
        (Lever.GPU_MEMORY_SHARE, (), None, "default (0.92 in 0.33, 0.9 in older releases)"),
        (Lever.GPU_MEMORY_SHARE, ("--kv-cache-memory-bytes", "8G"), None, "argument --kv-cache-memory-bytes sets 8G and wins"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, ("--max-num-seqs", "64"), 64, "argument --max-num-seqs"),
        (Lever.MAX_REQUESTS_IN_FLIGHT, (), None, "default (1024 on a GPU of 70 GiB or more that is no A100, else 256)"),
        (Lever.MAX_BATCH_TOKENS, ("--max-num-batched-tokens", "8K"), 8192, "argument --max-num-batched-tokens"),
        (Lever.MAX_QUEUE, ("--max-num-queued-reqs", "100"), 100, "argument --max-num-queued-reqs"),
        (Lever.MAX_QUEUE, (), None, "default (no limit)"),
        (Lever.CONTEXT_LENGTH, ("--max-model-len", "32k"), 32_000, "argument --max-model-len"),
        (Lever.PRECISION, ("-q", "awq"), "awq", "argument --quantization"),
        (Lever.DTYPE, ("--dtype=bfloat16",), "bfloat16", "argument --dtype"),
        (Lever.DTYPE, (), "auto", "default"),
        (Lever.KV_CACHE_PRECISION, ("--kv-cache-dtype", "fp8"), "fp8", "argument --kv-cache-dtype"),
        (Lever.KV_CACHE_PRECISION, (), "auto", "default"),
        (Lever.CPU_OFFLOAD, ("--cpu-offload-gb", "4"), 4, "argument --cpu-offload-gb"),
        (Lever.CPU_OFFLOAD, (), 0, "default"),
        (Lever.TENSOR_PARALLEL, ("-tp", "4"), 4, "argument --tensor-parallel-size"),
        (Lever.TENSOR_PARALLEL, ("--tensor-parallel", "4"), 4, "argument --tensor-parallel-size"),
        (Lever.TENSOR_PARALLEL, (), 1, "default"),
        (Lever.PIPELINE_PARALLEL, ("-pp", "2"), 2, "argument --pipeline-parallel-size"),
        (Lever.PIPELINE_PARALLEL, ("--pipeline_parallel_size=4",), 4, "argument --pipeline-parallel-size"),
        (Lever.PIPELINE_PARALLEL, (), 1, "default"),
        (Lever.DATA_PARALLEL, ("-dp=2",), 2, "argument --data-parallel-size"),
        (Lever.DATA_PARALLEL, ("--data-parallel-size-local", "2"), 1, "default"),
        (Lever.API_SERVERS, ("--api-server-count", "3"), 3, "argument --api-server-count"),
        (Lever.API_SERVERS, (), None, "default (as many as data-parallel ranks)"),
        (Lever.CUDA_GRAPHS, (), True, "default (graphs, unless --enforce-eager is given)"),
        (Lever.CUDA_GRAPHS, ("--enforce_eager",), False, "flag --enforce-eager"),
        (Lever.CUDA_GRAPHS, ("--enforce-eager", "--no-enforce-eager"), True, "argument --no-enforce-eager"),
        (Lever.CUDA_GRAPHS, ("--no-enforce-eager", "--enforce-eager"), False, "flag --enforce-eager"),
        (Lever.CUDA_GRAPHS, ("-O0",), None, "argument --O0 may turn them off"),
    ],
)  # fmt: skip
def test_every_knob_and_where_it_comes_from(
    lever: Lever, arguments: tuple[str, ...], value: object, origin: str
) -> None:
    assert said(VLLM, lever, *service(LLAMA, *arguments)) == (value, origin)


def test_a_title_hides_the_options() -> None:
    one = title(12, "VLLM::EngineCore")
    unknown = (None, "its title replaced the command line")
    assert said(VLLM, Lever.TENSOR_PARALLEL, service_of("vllm", (one, WORKER)), {one.key: facts(one)}) == unknown


def test_options_in_a_file_count_below_those_of_the_command_line() -> None:
    one = serve("--config", "/etc/vllm.yaml", "--max-num-seqs", "64")
    held = {"model": LLAMA, "port": 9001, "max-num-seqs": 32, "tensor_parallel_size": 2, "served-model-name": "chat"}
    known = {one.key: facts(one, environ={}, files=(SettingsFile("--config", "/etc/vllm.yaml", True, held),))}
    (wanted,) = VLLM.settings_requests(one)
    assert (wanted.name, wanted.pattern) == ("--config", "/etc/vllm.yaml")
    assert {"model", "port", "tensor-parallel-size", "tensor_parallel_size", "served_model_name"} < set(wanted.keys)
    assert VLLM.settings_requests(serve(LLAMA)) == ()
    traits = VLLM.traits([(one, FRONT)], known)
    assert (traits.application, traits.port, traits.models[0].path) == ("chat", 9001, LLAMA)
    whole = service_of("vllm", (one, FRONT))
    assert said(VLLM, Lever.MAX_REQUESTS_IN_FLIGHT, whole, known) == (64, "argument --max-num-seqs")
    assert said(VLLM, Lever.TENSOR_PARALLEL, whole, known) == (2, "file --config")
    assert said(VLLM, Lever.DATA_PARALLEL, whole, known) == (1, "default")
    assert written(VLLM.places(Lever.TENSOR_PARALLEL, 4, whole, known)) == [
        ("file", "tensor-parallel-size", 4, True),
        ("argument", "--tensor-parallel-size", "4", True),
    ]


def test_a_file_of_options_that_was_not_read_may_set_anything() -> None:
    one = serve(LLAMA, "--config", "/etc/vllm.yaml")
    whole = service_of("vllm", (one, FRONT))
    assert said(VLLM, Lever.TENSOR_PARALLEL, whole, {}) == (None, "--config is not readable")
    assert VLLM.traits([(one, FRONT)], {}).port is None


def test_graphs_are_had_by_taking_the_option_back() -> None:
    (place,) = VLLM.places(Lever.CUDA_GRAPHS, True, *service(LLAMA, "--enforce-eager"))
    assert (place.kind, place.key, place.value, place.effective) == ("argument", "--no-enforce-eager", None, True)
    assert "removing --enforce-eager does the same" in (place.because or "")
    one = serve(LLAMA, "--config", "/etc/vllm.yaml")
    held = SettingsFile("--config", "/etc/vllm.yaml", True, {"enforce-eager": True})
    known = {one.key: facts(one, environ={}, files=(held,))}
    assert said(VLLM, Lever.CUDA_GRAPHS, service_of("vllm", (one, FRONT)), known) == (False, "file --config")


def test_the_places_of_a_knob() -> None:
    whole, known = service(LLAMA, "--max_num_seqs", "64")
    (place,) = VLLM.places(Lever.MAX_REQUESTS_IN_FLIGHT, 128, whole, known)
    assert (place.kind, place.target, place.key, place.value, place.effective, place.restart) == (
        "argument", "vllm", "--max-num-seqs", "128", True, True,
    )  # fmt: skip
    whole, known = service(LLAMA, "--kv-cache-memory-bytes=8G")
    (place,) = VLLM.places(Lever.GPU_MEMORY_SHARE, 0.95, whole, known)
    assert (place.effective, place.because) == (False, "argument --kv-cache-memory-bytes sets 8G and wins")
    assert VLLM.places(Lever.MODEL_INSTANCES, 2, whole, known) == ()


def test_statistics_that_are_switched_off_are_a_gap() -> None:
    assert VLLM.gaps(*service(LLAMA)) == ()
    assert VLLM.gaps(*service(LLAMA, "--disable_log_stats")) == (
        Gap(
            missing="every `vllm:` series: requests, latency, queue, tokens, KV cache",
            turn_on="remove --disable-log-stats",
            where="the command line of vllm",
        ),
    )
