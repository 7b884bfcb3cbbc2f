"""TorchServe from its documentation: its processes, archives, pages, and which of its many places of a setting wins."""

from pathlib import Path

import pytest

from collectors.entities import Model, Process, Role, Service
from collectors.facts import Facts, ProcessFacts, SettingsFile
from collectors.framework import Gap
from collectors.frameworks.torchserve import TorchServe
from collectors.levers import Lever
from tests.captures import facts, process, service_of
from tests.pages import sample_of_page, samples_of_page
from tests.settings_text import settings_of

FRONT, WORKER, SUPPORT = Role.FRONT_END, Role.WORKER, Role.SUPPORT
PAGE = (Path(__file__).parents[2] / "fixtures" / "metrics" / "torchserve.prom").read_text()
SCRIPT = "/usr/lib/python3.11/site-packages/ts/model_service_worker.py"
SOCKET = ("--sock-type", "unix", "--sock-name", "/run/.ts.sock.9000", "--metrics-config", "/etc/ts/metrics.yaml")
TORCHSERVE = TorchServe()
Scalar = bool | int | float | str | None


def front(*arguments: str, config: str | None = "/srv/config.properties") -> Process:
    java = ("java", "-Dmodel_server_home=/ts", "-server", "-cp", ".:/ts/frontend/*", "org.pytorch.serve.ModelServer")
    given = ("-f", config) if config else ()
    return process(10, *java, "--python", "/usr/bin/python3", *given, "-s", "/srv/model-store", *arguments, comm="java")


def worker(pid: int, ppid: int = 10) -> Process:
    return process(pid, "/usr/bin/python3", SCRIPT, *SOCKET, ppid=ppid)


def properties(**values: Scalar) -> SettingsFile:
    return SettingsFile("config.properties", "/srv/config.properties", True, values)


def archive(
    name: str | None = None, version: str = "1.0", config: str | None = None, **values: Scalar
) -> list[SettingsFile]:
    manifest: dict[str, Scalar] = {"model.modelName": name, "model.modelVersion": version, "model.handler": "image"}
    manifest |= {"model.configFile": config} if config else {}
    here = SettingsFile("MAR-INF/MANIFEST.json", "/var/ts/models/x/MAR-INF/MANIFEST.json", name is not None, manifest)
    return [here, SettingsFile("model-config.yaml", "/var/ts/models/x/model-config.yaml", bool(values), values)]


class Server:
    """A front-end, its workers, and what is known of them."""

    def __init__(
        self,
        one: Process,
        *files: SettingsFile,
        environ: dict[str, str] | None = None,
        erased: bool = False,
        ports: tuple[int, ...] = (),
        workers: tuple[tuple[str, list[SettingsFile]], ...] = (),
    ) -> None:
        self.members = [(one, FRONT)]
        inside = facts(one, environ=None if erased else environ or {}, files=files, ports=ports)
        self.known: dict[object, ProcessFacts] = {one.key: inside}
        for number, (folder, archived) in enumerate(workers, start=11):
            each = worker(number)
            self.members.append((each, WORKER))
            self.known[each.key] = facts(each, environ={}, cwd=folder, files=tuple(archived))

    @property
    def facts(self) -> Facts:
        return self.known  # type: ignore[return-value]

    @property
    def service(self) -> Service:
        return service_of("torchserve", *self.members)

    def said(self, lever: Lever) -> tuple[object, str]:
        found = TORCHSERVE.setting(lever, self.service, self.facts)
        assert found is not None
        return found.value, found.origin

    def places(self, lever: Lever, value: int) -> list[tuple[str, str, str, object, bool | None]]:
        found = TORCHSERVE.places(lever, value, self.service, self.facts)
        return [(one.kind, one.target, one.key, one.value, one.effective) for one in found]


RESNET = ("/var/ts/models/x", archive("resnet"))
BERT = ("/var/ts/models/y", archive("bert"))


def test_java_is_the_front_end_and_python_works() -> None:
    assert TORCHSERVE.recognise(front(), None, None) is FRONT
    assert TORCHSERVE.recognise(worker(11), FRONT, None) is WORKER
    native = process(12, "/ts/cpp/bin/model_worker_socket", "--sock_type", "unix", "--model_dir", "/m", ppid=10)
    assert TORCHSERVE.recognise(native, FRONT, None) is WORKER


@pytest.mark.parametrize(
    "argv",
    [
        ("/usr/bin/python3", "-m", "torch.backends.xeon.run_cpu", "--ninstances", "2", "--rank", "0", SCRIPT, *SOCKET),
        ("/usr/bin/python3", "/usr/local/bin/torchrun", "--nnodes", "1", "--nproc-per-node", "2", SCRIPT, *SOCKET),
        ("torchrun", "--nnodes", "1", SCRIPT),
    ],
)
def test_a_launcher_between_them_does_not_work_itself(argv: tuple[str, ...]) -> None:
    launcher = process(11, *argv, ppid=10)
    assert TORCHSERVE.recognise(launcher, FRONT, None) is SUPPORT
    assert TORCHSERVE.recognise(worker(12, ppid=11), SUPPORT, None) is WORKER
    assert TORCHSERVE.recognise(launcher, None, None) is None


def test_a_worker_whose_front_end_is_gone_says_itself_what_it_is() -> None:
    lost = worker(11, ppid=1)
    assert TORCHSERVE.recognise(lost, None, None) is WORKER
    traits = TORCHSERVE.traits([(lost, WORKER)], {})
    assert (traits.application, traits.port, traits.metrics_urls) == ("torchserve", None, ())


def test_what_a_worker_spawns_works_with_it() -> None:
    loader = process(12, "python3", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(9)", ppid=11)
    assert TORCHSERVE.recognise(loader, WORKER, None) is WORKER
    assert TORCHSERVE.recognise(loader, None, None) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("java", "-jar", "dataflow.jar"),
        ("python3", "/usr/local/bin/torchserve", "--start", "--model-store", "/srv/model-store"),
        ("vim", "model_service_worker.py.bak"),
        ("grep", "org.pytorch.serve.ModelServer"),
        ("pip", "install", "torchserve"),
        ("python3", "/ts/metrics/metric_collector.py", "--gpu", "0"),
        ("torchrun", "train.py"),
        (),
    ],
)
def test_other_programs_are_not_recognised(argv: tuple[str, ...]) -> None:
    assert TORCHSERVE.recognise(process(1, *argv), None, None) is None


def test_what_is_asked_for_beside_each_process() -> None:
    (wanted,) = TORCHSERVE.settings_requests(front())
    assert (wanted.name, wanted.pattern) == ("config.properties", "/srv/config.properties")
    assert "enable_envvars_config" in wanted.keys
    assert [one.pattern for one in TORCHSERVE.settings_requests(front(config=None))] == ["config.properties"]
    assert TORCHSERVE.settings_requests(front(config="/srv/ts.cfg")) == ()
    names = [one.pattern for one in TORCHSERVE.settings_requests(worker(11))]
    assert names == ["MAR-INF/MANIFEST.json", "model-config.yaml"]


@pytest.mark.parametrize(
    ("server", "port", "urls"),
    [
        (Server(front(), properties()), 8080, ()),
        (Server(front(), properties(metrics_mode="prometheus")), 8080, ("http://127.0.0.1:8082/metrics",)),
        (Server(front(), properties(metrics_mode="LEGACY")), 8080, ("http://127.0.0.1:8082/metrics",)),
        (
            Server(
                front(),
                properties(
                    inference_address="http://0.0.0.0:9080",
                    metrics_address="http://10.0.0.7:9082",
                    metrics_mode="prometheus",
                ),
            ),
            9080,
            ("http://10.0.0.7:9082/metrics",),
        ),
        (
            Server(
                front(),
                properties(enable_envvars_config="true", metrics_mode="log", inference_address="http://127.0.0.1:1"),
                environ={"TS_METRICS_MODE": "prometheus", "TS_INFERENCE_ADDRESS": "http://127.0.0.1:2"},
            ),
            2,
            ("http://127.0.0.1:8082/metrics",),
        ),
        (Server(front(), properties(metrics_mode="prometheus"), environ={"TS_METRICS_MODE": "log"}), 8080,
         ("http://127.0.0.1:8082/metrics",)),
        (Server(front(), properties(metrics_mode="prometheus", enable_metrics_api="false")), 8080, ()),
        (Server(front(), properties(metrics_mode="prometheus", metrics_address="https://127.0.0.1:8445")), 8080, ()),
        (Server(front(), properties(inference_address="https://127.0.0.1")), 443, ()),
        (Server(front(), properties(inference_address="unix:/run/ts.sock")), None, ()),
        (Server(front(), ports=(7070, 8080)), 8080, ("http://127.0.0.1:8082/metrics",)),
        (Server(front(), ports=(9090, 9091)), 9090, ("http://127.0.0.1:8082/metrics",)),
        (Server(front()), None, ("http://127.0.0.1:8082/metrics",)),
    ],
)  # fmt: skip
def test_ports_and_the_metrics_page(server: Server, port: int | None, urls: tuple[str, ...]) -> None:
    traits = TORCHSERVE.traits(server.members, server.facts)
    assert (traits.port, traits.metrics_urls, traits.calls) == (port, urls, "synchronous")


@pytest.mark.parametrize(
    ("one", "file", "application"),
    [
        (front("-m", "resnet=resnet-18.mar"), properties(), "resnet"),
        (front("-m", "resnet-18.mar"), properties(), "resnet-18"),
        (front("-m", "a.mar", "b.mar", "-ncs"), properties(), "model-store"),
        (front("-m", "all"), properties(), "model-store"),
        (front(), properties(load_models="resnet=resnet-18.mar"), "resnet"),
        (process(10, "java", "org.pytorch.serve.ModelServer"), properties(), "torchserve"),
    ],
)
def test_its_only_model_or_its_store_names_it(one: Process, file: SettingsFile, application: str) -> None:
    server = Server(one, file)
    assert TORCHSERVE.traits(server.members, server.facts).application == application


def test_models_are_those_of_the_workers() -> None:
    two = (RESNET, RESNET, ("/var/ts/models/y", archive("bert", "2.0")))
    server = Server(front("-m", "all"), properties(), workers=two)
    assert TORCHSERVE.traits(server.members, server.facts).models == (
        Model(name="bert", version="2.0", runtime="image", path="/var/ts/models/y"),
        Model(name="resnet", version="1.0", runtime="image", path="/var/ts/models/x"),
    )


def test_the_only_model_is_called_as_it_was_loaded() -> None:
    server = Server(front("-m", "shop=resnet-18.mar"), properties(), workers=(RESNET,))
    models = TORCHSERVE.traits(server.members, server.facts).models
    assert models == (Model(name="shop", version="1.0", runtime="image", path="/srv/model-store/resnet-18.mar"),)


def test_before_there_is_a_worker_the_models_are_those_that_are_to_be_loaded() -> None:
    server = Server(front("-m", "a=https://models/a.mar", "b.mar"), properties())
    assert TORCHSERVE.traits(server.members, server.facts).models == (
        Model(name="a", path="https://models/a.mar"),
        Model(name="b", path="/srv/model-store/b.mar"),
    )


SNAPSHOT = "a snapshot of the last run may hold instead of config.properties (no -f, no -ncs)"


@pytest.mark.parametrize(
    ("server", "value", "origin"),
    [
        (Server(front(), properties(default_workers_per_model=4)), 4, "file config.properties"),
        (
            Server(front(), properties(default_workers_per_model=4), environ={"TS_DEFAULT_WORKERS_PER_MODEL": "2"}),
            4,
            "file config.properties",
        ),
        (
            Server(
                front(),
                properties(default_workers_per_model=4, enable_envvars_config="true"),
                environ={"TS_DEFAULT_WORKERS_PER_MODEL": "2"},
            ),
            2,
            "env TS_DEFAULT_WORKERS_PER_MODEL",
        ),
        (
            Server(front(), properties(default_workers_per_model=4, enable_envvars_config="true"), erased=True),
            None,
            "the environment is not readable",
        ),
        (Server(front(), properties()), None, "default (one per GPU, else one per CPU, of each model)"),
        (Server(front(), properties(), workers=(RESNET, RESNET)), 2,
         "counted; default (one per GPU, else one per CPU, of each model)"),
        (Server(front(), properties(default_workers_per_model=2), workers=(RESNET, RESNET)), 2, "file config.properties"),
        (Server(front(), properties(default_workers_per_model=1), workers=(RESNET, RESNET)), 2,
         "counted; file config.properties says 1"),
        (Server(front(), properties(default_workers_per_model=2), workers=(RESNET, RESNET, BERT, BERT)), 2,
         "file config.properties"),
        (Server(front(), properties(default_workers_per_model=2), workers=(RESNET, RESNET, BERT)), 3,
         "counted; file config.properties says 2"),
        (Server(front()), None, "/srv/config.properties is not readable"),
        (Server(front(config=None), properties(default_workers_per_model=4)), None, SNAPSHOT),
        (Server(front("-ncs", config=None), properties(default_workers_per_model=4)), 4, "file config.properties"),
    ],
)  # fmt: skip
def test_workers(server: Server, value: int | None, origin: str) -> None:
    assert server.said(Lever.WORKERS) == (value, origin)


def test_where_workers_are_set() -> None:
    path = "/srv/config.properties"
    plain = Server(front(), properties(), workers=(RESNET,))
    assert plain.places(Lever.WORKERS, 2) == [("file", path, "default_workers_per_model", 2, True)]
    both = Server(front(), properties(enable_envvars_config="true", default_workers_per_model=1), workers=(RESNET,))
    assert both.places(Lever.WORKERS, 2) == [
        ("file", path, "default_workers_per_model", 2, True),
        ("env", "torchserve", "TS_DEFAULT_WORKERS_PER_MODEL", "2", True),
    ]
    lost = Server(front(), workers=(RESNET,))
    assert [place[4] for place in lost.places(Lever.WORKERS, 2)] == [None]
    several = Server(front(), properties(), workers=(RESNET, ("/var/ts/models/y", archive("bert"))))
    (place,) = TORCHSERVE.places(Lever.WORKERS, 4, several.service, several.facts)
    assert (place.effective, place.because) == (None, "it counts for each of the 2 models")


MODELS: dict[str, Scalar] = {"models.resnet.1.0.batchSize": 8, "models.resnet.1.0.maxBatchDelay": 50}
API = "its models were registered over the management API"


@pytest.mark.parametrize(
    ("arguments", "file", "archived", "value", "origin"),
    [
        (("-m", "all"), properties(**MODELS), archive("resnet", batchSize=16), 16, "file model-config.yaml"),
        (("-m", "all"), properties(**MODELS), archive("resnet"), 8, "file config.properties (models)"),
        (("-m", "all"), properties(**MODELS), archive("bert"), 1, "default"),
        (("-m", "all"), properties(**MODELS), archive("resnet", "2.0"), 1, "default"),
        (("-m", "all"), properties(), archive("resnet", batchSize=0), 1, "default"),
        (("-m", "all"), properties(), archive("resnet", config="own.yaml"), None,
         "own.yaml in its archive is not readable"),
        (("-m", "all"), properties(), archive("resnet", config="model-config.yaml", batchSize=4), 4,
         "file model-config.yaml"),
        (("-m", "all"), properties(), [], None, "model-config.yaml in its archive is not readable"),
        ((), properties(), archive("resnet"), None, API),
        ((), properties(load_models="standalone"), archive("resnet"), None, API),
    ],
)  # fmt: skip
def test_batch_size(
    arguments: tuple[str, ...], file: SettingsFile, archived: list[SettingsFile], value: int | None, origin: str
) -> None:
    server = Server(front(*arguments), file, workers=(("/var/ts/models/x", archived),))
    assert server.said(Lever.MAX_BATCH_SIZE) == (value, origin)


def test_properties_in_their_own_words() -> None:
    one = front("-m", "all")
    text = """# comment
inference_address=http://0.0.0.0:9080
job_queue_size = 1000
default_workers_per_model: 1
metrics_mode=prometheus
models={\\
  "resnet": {\\
    "1.0": {"defaultVersion": true, "marName": "resnet.mar", "batchSize": 8, "maxBatchDelay": 50}\\
  }\\
}
"""
    server = Server(one, settings_of(TORCHSERVE.settings_requests(one)[0], text), workers=(RESNET,))
    assert server.said(Lever.MAX_BATCH_SIZE) == (8, "file config.properties (models)")
    assert server.said(Lever.MAX_BATCH_DELAY) == (50, "file config.properties (models)")
    assert server.said(Lever.MAX_QUEUE) == (1000, "file config.properties (job_queue_size)")
    assert server.said(Lever.WORKERS) == (1, "file config.properties")
    traits = TORCHSERVE.traits(server.members, server.facts)
    assert (traits.port, traits.metrics_urls) == (9080, ("http://127.0.0.1:8082/metrics",))


def test_an_archive_in_its_own_words() -> None:
    manifest, config = TORCHSERVE.settings_requests(worker(11))
    archived = [
        settings_of(manifest, '{"runtime": "python", "model": {"modelName": "resnet", "modelVersion": "2.0",'
                    ' "handler": "image_classifier", "configFile": "model-config.yaml"}}'),
        settings_of(config, "minWorkers: 1\nmaxWorkers: 2\nbatchSize: 4\nmaxBatchDelay: 20\n"),
    ]  # fmt: skip
    server = Server(front("-m", "all"), properties(), workers=(("/var/ts/models/x", archived),))
    assert server.said(Lever.MAX_BATCH_SIZE) == (4, "file model-config.yaml")
    (model,) = TORCHSERVE.traits(server.members, server.facts).models
    assert (model.name, model.version, model.runtime) == ("resnet", "2.0", "image_classifier")


def test_batch_delay_and_queue() -> None:
    given = Server(front("-m", "all"), properties(job_queue_size=1000, **MODELS), workers=(RESNET,))
    assert given.said(Lever.MAX_BATCH_DELAY) == (50, "file config.properties (models)")
    assert given.said(Lever.MAX_QUEUE) == (1000, "file config.properties (job_queue_size)")
    plain = Server(front("-m", "all"), properties(), workers=(RESNET,))
    assert plain.said(Lever.MAX_BATCH_DELAY) == (100, "default")
    assert plain.said(Lever.MAX_QUEUE) == (100, "default")


def test_models_that_differ_have_no_common_value() -> None:
    two = (("/var/ts/models/x", archive("resnet", batchSize=8)), ("/var/ts/models/y", archive("bert")))
    server = Server(front("-m", "all"), properties(), workers=two)
    assert server.said(Lever.MAX_BATCH_SIZE) == (None, "differs between models: resnet 8, bert 1")


def test_where_a_batch_size_is_set() -> None:
    path = "/srv/config.properties"
    plain = Server(front("-m", "all"), properties(), workers=(RESNET,))
    assert plain.places(Lever.MAX_BATCH_SIZE, 4) == [
        ("file", "model-config.yaml in the archive of resnet", "batchSize", 4, True),
        ("file", path, 'models["resnet"]["1.0"].batchSize', 4, True),
    ]
    set_inside = Server(
        front("-m", "all"), properties(), workers=(("/var/ts/models/x", archive("resnet", batchSize=8)),)
    )
    assert [place[4] for place in set_inside.places(Lever.MAX_BATCH_SIZE, 4)] == [True, False]
    unread = Server(front("-m", "all"), workers=(RESNET,))
    assert [place[4] for place in unread.places(Lever.MAX_BATCH_SIZE, 4)] == [True, None]


def test_threads_of_the_front_end_and_of_the_workers() -> None:
    server = Server(front(), properties(number_of_netty_threads=32), workers=(RESNET,))
    assert server.said(Lever.REQUEST_THREADS) == (32, "file config.properties")
    value, origin = server.said(Lever.COMPUTE_THREADS)
    assert (value, origin.startswith("default of openblas")) == ("unset", True)


def test_what_it_could_tell() -> None:
    log = Gap(missing="requests, errors, latency and queue time", turn_on="metrics_mode=prometheus",
              where="/srv/config.properties")  # fmt: skip

    def gaps(*files: SettingsFile) -> tuple[Gap, ...]:
        server = Server(front(), *files)
        return tuple(TORCHSERVE.gaps(server.service, server.facts))

    assert gaps(properties()) == (log,)
    assert gaps(properties(metrics_mode="prometheus")) == ()
    assert [gap.turn_on for gap in gaps(properties(metrics_mode="prometheus", enable_metrics_api="false"))] == [
        "enable_metrics_api=true"
    ]
    assert gaps() == ()


def test_the_page_of_all_models() -> None:
    sample = sample_of_page(TORCHSERVE, PAGE)
    assert (sample.requests, sample.errors) == (5200, 15)
    assert (sample.latency_sum_us, sample.latency_count) == (206_000_000, 5200)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (40_000_751, 5200)
    assert (sample.queue, sample.in_flight, sample.batch_size_count) == (None, None, None)


def test_the_page_of_one_model() -> None:
    resnet = samples_of_page(TORCHSERVE, PAGE)["model:5e41ce/resnet"]
    assert (resnet.requests, resnet.errors, resnet.latency_sum_us) == (4200, None, 126_000_000)
