"""Triton from its documentation: its processes, models, pages, and what its command line and config.pbtxt files set."""

from pathlib import Path

import msgspec
import pytest

from collectors.discovery import Discovery
from collectors.entities import Model, Process, Role, Service
from collectors.facts import Library, SettingsFile
from collectors.framework import Facts, Gap, ModelRequest
from collectors.frameworks.triton import Triton
from collectors.levers import Lever, Place, Setting, Value
from collectors.model_file import ModelFile
from tests.captures import facts, process, service_of
from tests.hosttree import HostTree
from tests.pages import sample_of_page, samples_of_page
from tests.settings_text import settings_of

FRONT, WORKER, SUPPORT = Role.FRONT_END, Role.WORKER, Role.SUPPORT
PAGE = (Path(__file__).parents[2] / "fixtures" / "metrics" / "triton.prom").read_text()
STUB = "/opt/tritonserver/backends/python/triton_python_backend_stub"
TRITON = Triton()


def triton(*arguments: str, repository: str = "/models") -> Process:
    argv = ("tritonserver", f"--model-repository={repository}", *arguments)
    return process(10, *argv, comm="tritonserver")


def stub(pid: int, model: str, ppid: int = 10) -> Process:
    argv = (STUB, f"/models/{model}/1/model.py", "triton_python_backend_shm_region_1", "1048576", "1048576", str(ppid))
    rest = ("/opt/tritonserver/backends/python", "128", f"{model}_0_{pid - 11}", "DEFAULT")
    return process(pid, *argv, *rest, ppid=ppid, comm="triton_python_b")


def config(model: str, **values: bool | int | float | str | None) -> SettingsFile:
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return SettingsFile("config.pbtxt", f"/models/{model}/config.pbtxt", True, dotted)


def known_of(one: Process, *files: SettingsFile, environ: dict[str, str] | None = None) -> Facts:
    return {one.key: facts(one, environ={} if environ is None else environ, files=files)}


def service(one: Process, *others: Process) -> Service:
    return service_of("triton", (one, FRONT), *((each, WORKER) for each in others))


def setting(lever: Lever, one: Process, known: Facts) -> Setting:
    found = TRITON.setting(lever, service(one), known)
    assert found is not None
    return found


def said(lever: Lever, one: Process, *files: SettingsFile) -> tuple[object, str]:
    found = setting(lever, one, known_of(one, *files))
    return found.value, found.origin


def places(lever: Lever, value: Value, one: Process, *files: SettingsFile) -> list[Place]:
    return list(TRITON.places(lever, value, service(one), known_of(one, *files)))


@pytest.mark.parametrize(
    "argv",
    [
        ("tritonserver", "--model-repository=/models"),
        ("/opt/tritonserver/bin/tritonserver", "--model-store", "/models", "--http-port=9000"),
    ],
)
def test_the_server_is_the_front_end(argv: tuple[str, ...]) -> None:
    assert TRITON.recognise(process(10, *argv), None, None) is FRONT


def test_each_instance_of_a_python_model_is_a_worker() -> None:
    front = triton()
    roles = [TRITON.recognise(each, FRONT, None) for each in (stub(11, "tokenizer"), stub(12, "tokenizer"))]
    assert roles == [WORKER, WORKER]
    assert [w.pid for w in service(front, stub(11, "tokenizer"), stub(12, "tokenizer")).serving] == [11, 12]


def test_a_python_model_whose_server_is_gone_says_itself_what_it_is() -> None:
    lost = stub(11, "tokenizer", ppid=1)
    assert TRITON.recognise(lost, None, None) is WORKER
    traits = TRITON.traits([(lost, WORKER)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == ("triton", None, ())
    assert [model.name for model in traits.models] == ["tokenizer"]
    for lever in (Lever.METRICS, Lever.REQUEST_THREADS, Lever.MAX_BATCH_SIZE):
        found = TRITON.setting(lever, service_of("triton", (lost, WORKER)), {})
        assert found is not None
        assert (found.value, found.origin) == (None, "its server is gone")


def test_what_a_python_model_starts_belongs_to_it() -> None:
    spawned = process(20, "python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(9)", ppid=11)
    tracker = process(21, "python3", "-c", "from multiprocessing.resource_tracker import main;main(6)", ppid=11)
    engine = process(22, "VLLM::EngineCore", ppid=11, comm="VLLM::EngineCor")
    assert [TRITON.recognise(each, WORKER, None) for each in (spawned, tracker, engine)] == [WORKER, SUPPORT, WORKER]
    assert [TRITON.recognise(each, None, None) for each in (spawned, tracker, engine)] == [None, None, None]


def test_a_shell_between_server_and_model_does_not_part_them() -> None:
    line = (
        f"source /models/tokenizer/env/bin/activate && exec env LD_LIBRARY_PATH=/x {STUB} /models/tokenizer/1/model.py"
    )
    shell = process(11, "bash", "-c", line, ppid=10, comm="bash")
    assert TRITON.recognise(shell, FRONT, None) is SUPPORT
    assert TRITON.recognise(stub(12, "tokenizer", ppid=11), SUPPORT, None) is WORKER
    assert TRITON.recognise(process(13, "bash", "-c", "sleep 9", ppid=10), FRONT, None) is None


def test_below_a_shell_it_is_one_service_with_its_python_models(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    line = "tritonserver --model-repository=/mnt/agent/models --http-port=9000 --model-control-mode=explicit"
    machine.process(1, argv=("bash", "-c", line), comm="bash", ppid=0)
    machine.process(10, argv=tuple(line.split()), comm="tritonserver", ppid=1, started=500)
    for one in (stub(11, "iris_1"), stub(12, "iris_1")):
        machine.process(one.key.pid, argv=one.argv, comm=one.comm, ppid=10, started=500 + one.key.pid)
    discovery = Discovery(frameworks=(TRITON,), managers=())
    for _ in range(2):
        machine.clock.advance(20.0)
        discovery.scan(machine.host)
        for each, _requests in discovery.wanted():
            discovery.learn(facts(each, environ={}))
    discovery.scan(machine.host)
    (found,) = discovery.services
    assert (found.name, found.port, found.orphaned) == ("triton/models:9000", 9000, False)
    assert [(w.pid, w.role) for w in found.workers] == [(10, FRONT), (11, WORKER), (12, WORKER)]
    assert [w.pid for w in found.serving] == [11, 12]


@pytest.mark.parametrize(
    "argv",
    [
        ("bash", "-c", "tritonserver --model-repository=/models"),
        ("grep", "tritonserver"),
        ("vim", "/opt/tritonserver/README"),
        ("tail", "-f", "tritonserver.log"),
        ("docker", "run", "nvcr.io/nvidia/tritonserver:25.01-py3", "tritonserver"),
        ("python3", "tritonserver.py"),
        (),
    ],
)
def test_what_only_names_it_is_no_server(argv: tuple[str, ...]) -> None:
    assert TRITON.recognise(process(1, *argv), None, None) is None


@pytest.mark.parametrize(
    ("arguments", "port", "urls"),
    [
        ((), 8000, ("http://127.0.0.1:8002/metrics",)),
        (("--http-port=9000", "--metrics-port", "9002"), 9000, ("http://127.0.0.1:9002/metrics",)),
        (("--http-address=10.0.0.7",), 8000, ("http://10.0.0.7:8002/metrics",)),
        (("--metrics-address=10.0.0.8", "--http-address=10.0.0.7"), 8000, ("http://10.0.0.8:8002/metrics",)),
        (("--allow-http=false", "--grpc-port=9500"), 9500, ("http://127.0.0.1:8002/metrics",)),
        (("--allow-http", "0"), 8001, ("http://127.0.0.1:8002/metrics",)),
        (("--allow-metrics=false",), 8000, ()),
        (("--http-port=x",), None, ("http://127.0.0.1:8002/metrics",)),
    ],
)
def test_ports_and_the_metrics_page(arguments: tuple[str, ...], port: int | None, urls: tuple[str, ...]) -> None:
    traits = TRITON.traits([(triton(*arguments), FRONT)], {})
    assert (traits.port, traits.metrics_urls) == (port, urls)


def test_the_repository_or_the_id_names_the_service() -> None:
    named = {"/srv/models/": "models", "s3://bucket/vision": "vision"}
    assert {r: TRITON.traits([(triton(repository=r), FRONT)], {}).application for r in named} == named
    assert TRITON.traits([(triton("--id=vision-a"), FRONT)], {}).application == "vision-a"
    assert TRITON.traits([(process(10, "tritonserver"), FRONT)], {}).application == "triton"


def test_the_configuration_of_each_model_is_asked_for() -> None:
    one = triton("--model-repository", "extra", "--model-config-name=h100", repository="/models/")
    wanted = [request.pattern for request in TRITON.settings_requests(one)]
    assert wanted == [
        "/models/*/configs/h100.pbtxt", "extra/*/configs/h100.pbtxt", "/models/*/config.pbtxt", "extra/*/config.pbtxt",
    ]  # fmt: skip
    assert "instance_group.0.count" in TRITON.settings_requests(one)[0].keys
    assert TRITON.settings_requests(triton(repository="gs://bucket/models")) == []
    assert TRITON.settings_requests(stub(11, "tokenizer")) == []


def test_models_come_from_their_configurations_and_processes() -> None:
    one = triton()
    files = (
        config("resnet", backend="onnxruntime"),
        config("bert", name="bert", platform="pytorch_libtorch"),
        SettingsFile("config.pbtxt", "/models/gone/config.pbtxt", False),
    )
    members = [(one, FRONT), (stub(11, "tokenizer"), WORKER), (stub(12, "tokenizer"), WORKER)]
    assert TRITON.traits(members, known_of(one, *files)).models == (
        Model(name="bert", runtime="pytorch", path="/models/bert", format="pytorch_libtorch", instances=1),
        Model(name="resnet", runtime="onnxruntime", path="/models/resnet"),
        Model(name="tokenizer", runtime="python", path="/models/tokenizer"),
    )


def test_the_weights_of_a_model_are_asked_for_and_belong_to_it() -> None:
    one = triton()
    known = facts(
        one, environ={}, files=(config("bert", platform="pytorch_libtorch"), config("resnet", backend="python"))
    )
    assert TRITON.model_requests(one, known) == (ModelRequest(location="/models/bert/1/model.pt"),)
    assert TRITON.model_requests(one, None) == ()
    weights = ModelFile(path="/models/bert/1/model.pt", format="pickle", size_bytes=400)
    models = TRITON.traits([(one, FRONT)], {one.key: msgspec.structs.replace(known, models=(weights,))}).models
    assert [(model.name, model.size_bytes) for model in models] == [("bert", 400), ("resnet", None)]


def test_a_named_configuration_wins_over_the_common_one() -> None:
    one = triton("--model-config-name=h100")
    own = SettingsFile("config.pbtxt", "/models/resnet/configs/h100.pbtxt", True, {"max_batch_size": 32})
    assert said(Lever.MAX_BATCH_SIZE, one, own, config("resnet", max_batch_size=8)) == (
        32, "file /models/resnet/configs/h100.pbtxt",
    )  # fmt: skip
    models = TRITON.traits([(one, FRONT)], known_of(one, own, config("resnet"))).models
    assert [(model.name, model.path) for model in models] == [("resnet", "/models/resnet")]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--model-control-mode=explicit", "--load-model=resnet"), ["resnet"]),
        (("--model-control-mode=explicit", "--load-model=*"), ["bert", "resnet"]),
        (("--model-control-mode=explicit",), []),
        (("--model-control-mode=poll",), ["bert", "resnet"]),
    ],
)
def test_only_models_that_are_loaded_count(arguments: tuple[str, ...], names: list[str]) -> None:
    one = triton(*arguments)
    known = known_of(one, config("resnet"), config("bert"))
    assert [model.name for model in TRITON.traits([(one, FRONT)], known).models] == names


def test_what_seldons_agent_puts_there_is_loaded() -> None:
    one = triton("--model-control-mode=explicit", repository="/mnt/agent/models")
    iris = SettingsFile("config.pbtxt", "/mnt/agent/models/iris_1/config.pbtxt", True, {"backend": "onnxruntime"})
    models = TRITON.traits([(one, FRONT)], known_of(one, iris)).models
    assert [model.name for model in models] == ["iris_1"]


def test_an_ensemble_is_a_chain_of_its_models() -> None:
    one = triton()
    steps = {
        "ensemble_scheduling__step__0__model_name": "tokenizer",
        "ensemble_scheduling__step__1__model_name": "bert",
    }
    files = (config("bert", backend="onnxruntime", max_batch_size=8), config("text", platform="ensemble", **steps))
    traits = TRITON.traits([(one, FRONT)], known_of(one, *files))
    assert traits.chains == (("tokenizer", "bert"),)
    assert said(Lever.MAX_BATCH_SIZE, one, *files) == (8, "file /models/bert/config.pbtxt")


ONE_PER_GPU = "default (1 per GPU, 1 on the CPU)"


@pytest.mark.parametrize(
    ("values", "value", "origin"),
    [
        ({"instance_group__0": True, "instance_group__0__count": 4}, 4, "file /models/m/config.pbtxt"),
        ({"backend": "python"}, 1, ONE_PER_GPU),
        ({"platform": "onnxruntime_onnx", "instance_group__0__kind": "KIND_CPU"}, 2, "default (2 on the CPU)"),
        ({"backend": "onnxruntime", "instance_group__0__kind": "KIND_GPU"}, 1, ONE_PER_GPU),
        ({"backend": "onnxruntime"}, None, "default (1 per GPU, 2 on the CPU)"),
        ({}, None, "/models/m/config.pbtxt names no backend"),
        (
            {"instance_group__0": True, "instance_group__0__count": 1, "instance_group__1": True},
            None,
            "/models/m/config.pbtxt has several instance groups",
        ),
    ],
)  # fmt: skip
def test_instances(values: dict[str, int | str | bool], value: int | None, origin: str) -> None:
    assert said(Lever.MODEL_INSTANCES, triton(), config("m", **values)) == (value, origin)


COMPLETED = "/models/m/config.pbtxt does not set it, and Triton completes it from the model"


@pytest.mark.parametrize(
    ("arguments", "values", "value", "origin"),
    [
        ((), {"max_batch_size": 16}, 16, "file /models/m/config.pbtxt"),
        ((), {"max_batch_size": 0}, None, COMPLETED),
        ((), {}, None, COMPLETED),
        (("--disable-auto-complete-config",), {}, 0, "default"),
        (("--strict-model-config=true",), {"max_batch_size": 0}, 0, "default"),
    ],
)
def test_a_batch_size_that_is_not_written_may_be_completed(
    arguments: tuple[str, ...], values: dict[str, int], value: int | None, origin: str
) -> None:
    assert said(Lever.MAX_BATCH_SIZE, triton(*arguments), config("m", **values)) == (value, origin)


def test_batch_delay_and_queue() -> None:
    full = config("m", dynamic_batching__max_queue_delay_microseconds=500,
                  dynamic_batching__default_queue_policy__max_queue_size=64)  # fmt: skip
    assert said(Lever.MAX_BATCH_DELAY, triton(), full) == (500, "file /models/m/config.pbtxt")
    assert said(Lever.MAX_QUEUE, triton(), full) == (64, "file /models/m/config.pbtxt")
    empty = config("m", dynamic_batching=True)
    assert said(Lever.MAX_BATCH_DELAY, triton(), empty) == (0, "default")
    assert said(Lever.MAX_QUEUE, triton(), empty) == (0, "default (0: no limit)")


def test_a_configuration_in_its_own_words() -> None:
    one = triton("--disable-auto-complete-config")
    text = """name: "bert"  # the folder's name
backend: "onnxruntime"
max_batch_size: 16
input [ { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] } ]
instance_group { count: 3 kind: KIND_CPU }
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 250 }
parameters { key: "intra_op_thread_count" value { string_value: "4" } }
"""
    read = settings_of(TRITON.settings_requests(one)[0], text, "/models/bert/config.pbtxt")
    where = "file /models/bert/config.pbtxt"
    levers = (Lever.MODEL_INSTANCES, Lever.MAX_BATCH_SIZE, Lever.MAX_BATCH_DELAY, Lever.COMPUTE_THREADS)
    assert [said(lever, one, read) for lever in levers] == [(3, where), (16, where), (250, where), (4, where)]
    assert said(Lever.MAX_QUEUE, one, read) == (0, "default (0: no limit)")


def test_groups_and_ensembles_in_their_own_words() -> None:
    one = triton()
    groups = "instance_group [ { kind: KIND_CPU }, { count: 1 kind: KIND_GPU } ]"
    read = settings_of(TRITON.settings_requests(one)[0], groups, "/models/m/config.pbtxt")
    assert said(Lever.MODEL_INSTANCES, one, read) == (None, "/models/m/config.pbtxt has several instance groups")
    steps = """platform: "ensemble" ensemble_scheduling {
  step [ { model_name: "tokenizer" model_version: -1 }, { model_name: "bert" } ]
}"""
    read = settings_of(TRITON.settings_requests(one)[0], steps, "/models/text/config.pbtxt")
    assert TRITON.traits([(one, FRONT)], known_of(one, read)).chains == (("tokenizer", "bert"),)


def test_models_that_differ_have_no_common_value() -> None:
    files = (config("a", max_batch_size=8), config("b", max_batch_size=16))
    assert said(Lever.MAX_BATCH_SIZE, triton(), *files) == (None, "differs between models: a 8, b 16")
    assert said(Lever.MAX_BATCH_SIZE, triton(), files[0], config("b", max_batch_size=8))[0] == 8
    found = places(Lever.MAX_BATCH_SIZE, 32, triton(), *files)
    assert [(p.kind, p.target, p.key, p.value, p.effective, p.restart) for p in found] == [
        ("file", f"/models/{name}/config.pbtxt", "max_batch_size", 32, True, True) for name in "ab"
    ]


def test_a_configuration_that_was_not_understood_is_unknown() -> None:
    values: dict[str, bool | int | float | str | None] = {"max_batch_size": 8}
    damaged = SettingsFile("config.pbtxt", "/models/m/config.pbtxt", True, values, "line 3: no value")
    assert said(Lever.MAX_BATCH_SIZE, triton(), damaged) == (8, "file /models/m/config.pbtxt")
    assert said(Lever.MAX_BATCH_DELAY, triton(), damaged) == (None, "/models/m/config.pbtxt: line 3: no value")
    assert said(Lever.MAX_BATCH_DELAY, triton(), config("a"), damaged) == (
        None, "m: /models/m/config.pbtxt: line 3: no value",
    )  # fmt: skip


def test_without_a_configuration_nothing_is_claimed() -> None:
    assert said(Lever.MODEL_INSTANCES, triton()) == (None, "no config.pbtxt was read")
    (place,) = places(Lever.MODEL_INSTANCES, 2, triton())
    assert (place.target, place.key, place.effective) == ("/models/*/config.pbtxt", "instance_group.0.count", None)
    assert places(Lever.MODEL_INSTANCES, 2, triton(repository="s3://bucket/models")) == []


def test_a_repository_that_is_read_again_needs_no_restart() -> None:
    (place,) = places(Lever.MODEL_INSTANCES, 2, triton("--model-control-mode=poll"), config("m"))
    assert place.restart is False


@pytest.mark.parametrize(
    ("arguments", "values", "value", "origin"),
    [
        ((), {"parameters__intra_op_thread_count": "4"}, 4, "file /models/m/config.pbtxt"),
        ((), {"parameters__intra_op_thread_count": "0"}, 0, "default (0: one per core)"),
        ((), {}, 0, "default (0: one per core)"),
        (
            ("--backend-config=onnxruntime,enable-global-threadpool=1",
             "--backend-config=onnxruntime,intra_op_thread_count=6"),
            {"parameters__intra_op_thread_count": "4"},
            6,
            "argument --backend-config=onnxruntime,intra_op_thread_count",
        ),
        (
            ("--backend-config=onnxruntime,intra_op_thread_count=6",),
            {"parameters__intra_op_thread_count": "4"},
            4,
            "file /models/m/config.pbtxt",
        ),
    ],
)  # fmt: skip
def test_threads_of_onnx_runtime(arguments: tuple[str, ...], values: dict[str, str], value: int, origin: str) -> None:
    model = config("m", backend="onnxruntime", **values)
    assert said(Lever.COMPUTE_THREADS, triton(*arguments), model) == (value, origin)


def test_where_threads_of_onnx_runtime_are_set() -> None:
    model = config("m", backend="onnxruntime")
    (place,) = places(Lever.COMPUTE_THREADS, 2, triton(), model)
    assert (place.kind, place.key, place.value) == ("file", "parameters.intra_op_thread_count", "2")
    shared, own = places(
        Lever.COMPUTE_THREADS, 2, triton("--backend-config=onnxruntime,enable-global-threadpool=1"), model
    )
    assert (shared.key, shared.value) == ("--backend-config", "onnxruntime,intra_op_thread_count=2")
    assert (shared.effective, own.effective) == (True, False)


def test_other_backends_have_the_threads_of_their_libraries() -> None:
    one = triton()
    inside = facts(one, environ={"OMP_NUM_THREADS": "3"}, libraries=(Library("libgomp", "/x/libgomp.so.1"),),
                   files=(config("m", backend="pytorch"),))  # fmt: skip
    assert setting(Lever.COMPUTE_THREADS, one, {one.key: inside}).value == 3
    places = TRITON.places(Lever.COMPUTE_THREADS, 2, service(one), {one.key: inside})
    assert [place.key for place in places] == ["OMP_NUM_THREADS"]


def test_several_backends_have_no_common_thread_count() -> None:
    files = (config("a", backend="onnxruntime", parameters__intra_op_thread_count="4"), config("b", backend="python"))
    value, origin = said(Lever.COMPUTE_THREADS, triton(), *files)
    assert (value, origin) == (None, "b: its backend python has a setting of its own")
    assert [p.key for p in places(Lever.COMPUTE_THREADS, 2, triton(), *files)] == [
        "parameters.intra_op_thread_count", "OMP_NUM_THREADS",
    ]  # fmt: skip


def test_what_the_command_line_sets() -> None:
    one = triton("--http-thread-count=16", "--host-policy=cpu,cpu-cores=0-7", "--allow-metrics=false")
    assert said(Lever.REQUEST_THREADS, one) == (16, "argument --http-thread-count")
    assert said(Lever.REQUEST_THREADS, triton()) == (8, "default")
    assert said(Lever.METRICS, one) == (False, "argument --allow-metrics")
    assert said(Lever.METRICS, triton()) == (True, "default")
    assert said(Lever.AFFINITY, one) == ("0-7", "argument --host-policy")
    assert TRITON.setting(Lever.AFFINITY, service(triton()), {}) is None
    (place,) = places(Lever.REQUEST_THREADS, 4, one)
    assert (place.kind, place.key, place.value, place.effective) == ("argument", "--http-thread-count", "4", True)
    taskset, policy = places(Lever.AFFINITY, "0-3", one)
    assert (taskset.kind, taskset.value) == ("taskset", "0-3")
    assert (policy.key, policy.value, policy.effective) == ("--host-policy", "cpu,cpu-cores=0-3", None)
    numactl, policy = places(Lever.NUMA_POLICY, "1", one)
    assert (numactl.kind, numactl.key, numactl.value) == ("numactl", "membind", "1")
    assert (policy.key, policy.value, policy.effective) == ("--host-policy", "cpu,numa-node=1", None)


def test_what_it_could_tell() -> None:
    assert TRITON.gaps(service(triton()), {}) == ()
    missing = "requests, errors, latency and queues"
    assert TRITON.gaps(service(triton("--allow-metrics=false")), {}) == (
        Gap(missing=missing, turn_on="--allow-metrics=true", where="command line"),
    )
    assert TRITON.gaps(service(triton("--metrics-config", "counter_latencies=false")), {}) == (
        Gap(missing="latency", turn_on="--metrics-config=counter_latencies=true", where="command line"),
    )


def test_the_page_of_all_models() -> None:
    sample = sample_of_page(TRITON, PAGE)
    assert (sample.requests, sample.errors) == (5200, 12)
    assert (sample.latency_sum_us, sample.latency_count) == (75_000_000, 5200)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (48_120_000, 5200)
    assert (sample.queue, sample.in_flight) == (12, None)
    assert (sample.batch_size_sum, sample.batch_size_count) == (17_200, 3200)


def test_the_page_of_one_model() -> None:
    resnet = samples_of_page(TRITON, PAGE)["model:5e41ce/resnet"]
    assert (resnet.requests, resnet.errors, resnet.queue) == (4000, 9, 11)
    assert (resnet.latency_sum_us, resnet.queue_time_sum_us) == (72_000_000, 48_000_000)
    assert (resnet.batch_size_sum, resnet.batch_size_count) == (16_000, 2000)
