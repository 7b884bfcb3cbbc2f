"""MLServer as it was recorded, with and without workers, and what wins: settings.json or the environment."""

import pytest

from collectors.entities import Role
from collectors.facts import SettingsFile
from collectors.framework import Gap
from collectors.frameworks.mlserver import MlServer
from collectors.levers import Lever, Value
from tests.captures import Recorded, facts, process, service_of
from tests.mlserver_files import ABSENT, mlserver, model, settings

FRONT = Role.FRONT_END


def test_front_end_workers_and_resource_tracker() -> None:
    recorded = Recorded(MlServer(), "mlserver_tree_idle")
    assert recorded.roles == {25225: FRONT, 25327: Role.SUPPORT, 25328: Role.WORKER, 25329: Role.WORKER}
    assert [worker.pid for worker in recorded.service().serving] == [25328, 25329]


def test_without_parallel_workers_the_front_end_serves() -> None:
    recorded = Recorded(MlServer(), "mlserver_tree_parallel0")
    assert recorded.roles == {31316: FRONT}
    assert [worker.pid for worker in recorded.service().serving] == [31316]


@pytest.mark.parametrize(
    "argv",
    [
        ("python", "-m", "mlserver", "start", "/mnt/models"),
        ("/usr/local/bin/mlserver", "start", "/mnt/models/"),
        ("python3", "-B", "-u", "/opt/bin/mlserver", "start", "/mnt/models"),
    ],
)
def test_every_way_to_start_it_is_recognised(argv: tuple[str, ...]) -> None:
    one = process(10, *argv)
    assert MlServer().recognise(one, None, None) is FRONT
    assert MlServer().traits([(one, FRONT)], {}).application == "models"


def test_other_verbs_and_other_servers_are_not_mlserver() -> None:
    for argv in (
        ("mlserver", "build", "."),
        ("mlserver", "infer", "-m", "start"),
        ("mlserver", "init"),
        ("python", "-m", "uvicorn", "a:b"),
        ("python", "-m", "pip", "install", "mlserver"),
        ("vim", "mlserver"),
        ("tail", "-f", "mlserver.log"),
        ("docker", "run", "seldonio/mlserver", "mlserver", "start", "/mnt/models"),
        ("bash", "-c", "mlserver start ."),
        ("python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(1)", "--multiprocessing-fork"),
    ):
        assert MlServer().recognise(process(1, *argv), None, None) is None


def test_the_folder_of_the_server_names_it() -> None:
    assert Recorded(MlServer(), "mlserver_tree_idle").traits().application == "app"
    assert MlServer().traits([(mlserver("models/iris"), FRONT)], {}).application == "iris"
    assert MlServer().traits([(mlserver(), FRONT)], {}).application == "mlserver"


def test_settings_are_looked_for_in_the_folder_that_was_given() -> None:
    patterns = [request.pattern for request in MlServer().settings_requests(mlserver("/mnt/models"))]
    assert patterns == [
        "/mnt/models/settings.json",
        "/mnt/models/model-settings.json",
        "/mnt/models/*/model-settings.json",
        "/mnt/models/*/*/model-settings.json",
    ]
    assert MlServer().settings_requests(mlserver())[0].pattern == "settings.json"
    assert MlServer().settings_requests(process(11, "python", "-c", "from multiprocessing.spawn import x")) == ()


@pytest.mark.parametrize(
    ("file", "environ", "port", "url"),
    [
        (settings(host="127.0.0.1", http_port=18080, metrics_port=18082), {}, 18080, "http://127.0.0.1:18082/metrics"),
        (settings(http_port=1), {"MLSERVER_HTTP_PORT": "2"}, 1, "http://127.0.0.1:8082/metrics"),
        (ABSENT, {"MLSERVER_HTTP_PORT": "2", "MLSERVER_METRICS_PORT": "3"}, 2, "http://127.0.0.1:3/metrics"),
        (ABSENT, {"MLSERVER_HOST": "10.0.0.7"}, 8080, "http://10.0.0.7:8082/metrics"),
        (settings(metrics_endpoint="/prom"), {}, 8080, "http://127.0.0.1:8082/prom"),
        (settings(metrics_endpoint=None), {}, 8080, None),
        (settings(metrics_endpoint=None), {"MLSERVER_METRICS_ENDPOINT": "/m"}, 8080, None),
        (ABSENT, {"MLSERVER_METRICS_ENDPOINT": ""}, 8080, None),
        (settings(host="::", http_port=5), {}, 5, "http://127.0.0.1:8082/metrics"),
        (settings(http_port=5), None, 5, None),
        (ABSENT, None, None, None),
        (None, {}, None, None),
        (None, None, None, None),
    ],
)
def test_ports_and_the_metrics_page(
    file: SettingsFile | None, environ: dict[str, str] | None, port: int | None, url: str | None
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=(file,) if file else ())}
    traits = MlServer().traits([(one, FRONT)], known)
    assert (traits.port, traits.metrics_urls) == (port, (url,) if url else ())
    assert (traits.request_threads, traits.calls) == (1, "asynchronous")


@pytest.mark.parametrize(
    ("file", "environ", "value", "origin"),
    [
        (settings(parallel_workers=2), {"MLSERVER_PARALLEL_WORKERS": "0"}, 2, "file settings.json"),
        (settings(parallel_workers=0), {}, 0, "file settings.json"),
        (settings(http_port=1), {"MLSERVER_PARALLEL_WORKERS": "3"}, 3, "env MLSERVER_PARALLEL_WORKERS"),
        (ABSENT, {}, 2, "counted; a place that is not read sets it, such as .env"),
        (ABSENT, None, 2, "counted; the environment is not readable"),
        (None, {}, 2, "counted; settings.json is not readable"),
    ],
)
def test_the_number_of_workers_comes_from_the_place_that_wins(
    file: SettingsFile | None, environ: dict[str, str] | None, value: int, origin: str
) -> None:
    recorded = Recorded(MlServer(), "mlserver_tree_idle")
    known = {p.key: facts(p, environ=environ, files=(file,) if file else ()) for p in recorded.processes}
    setting = MlServer().setting(Lever.WORKERS, recorded.service(), known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)


def test_one_worker_is_the_default_and_one_more_for_each_pool() -> None:
    front, first, second = mlserver(), process(11, "python"), process(12, "python")
    own_pool = model("m", **{"parameters.inference_pool_gid": "own"})
    one = service_of("mlserver", (front, FRONT), (first, Role.WORKER))
    two = service_of("mlserver", (front, FRONT), (first, Role.WORKER), (second, Role.WORKER))
    for service, files in ((one, (ABSENT,)), (two, (ABSENT, own_pool))):
        found = MlServer().setting(Lever.WORKERS, service, {front.key: facts(front, environ={}, files=files)})
        assert found is not None
        assert (found.value, found.origin) == (1, "default")


@pytest.mark.parametrize(
    ("file", "environ", "expected"),
    [
        (settings(parallel_workers=1), {}, [("file", True), ("env", False)]),
        (settings(), {"MLSERVER_PARALLEL_WORKERS": "1"}, [("env", True), ("file", True)]),
        (ABSENT, {}, [("env", True), ("file", True)]),
        (None, {}, [("file", True), ("env", None)]),
    ],
)
def test_the_place_that_wins_comes_first(
    file: SettingsFile | None, environ: dict[str, str], expected: list[tuple[str, bool | None]]
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=(file,) if file else ())}
    places = MlServer().places(Lever.WORKERS, 2, service_of("mlserver", (one, FRONT)), known)
    assert [(place.kind, place.effective) for place in places] == expected
    assert {(p.kind, p.key, p.value) for p in places} == {
        ("file", "parallel_workers", 2), ("env", "MLSERVER_PARALLEL_WORKERS", "2"),
    }  # fmt: skip


def test_what_the_environment_says_in_vain_is_said() -> None:
    one = mlserver()
    known = {one.key: facts(one, environ={}, files=(settings(parallel_workers=1),))}
    file, env = MlServer().places(Lever.WORKERS, 2, service_of("mlserver", (one, FRONT)), known)
    assert file.target == "/srv/app/settings.json"
    assert env.because == "settings.json sets parallel_workers to 1 and wins"


@pytest.mark.parametrize(
    ("file", "environ", "value", "origin", "gaps"),
    [
        (settings(), {}, "/metrics", "default", []),
        (
            settings(metrics_endpoint=None), {}, False, "file settings.json",
            [('"metrics_endpoint": "/metrics"', "/srv/app/settings.json")],
        ),
        (
            ABSENT, {"MLSERVER_METRICS_ENDPOINT": ""}, False, "env MLSERVER_METRICS_ENDPOINT",
            [("MLSERVER_METRICS_ENDPOINT=/metrics", "environment")],
        ),
        (
            settings(metrics_rest_server_prefix="shop"), {}, "/metrics", "default",
            [('"metrics_rest_server_prefix": "rest_server"', "/srv/app/settings.json")],
        ),
        (None, {}, None, "settings.json is not readable", []),
    ],
)  # fmt: skip
def test_metrics_that_are_off_are_named(
    file: SettingsFile | None, environ: dict[str, str], value: Value, origin: str, gaps: list[tuple[str, str]]
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=(file,) if file else ())}
    service = service_of("mlserver", (one, FRONT))
    setting = MlServer().setting(Lever.METRICS, service, known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)
    assert [(gap.turn_on, gap.where) for gap in MlServer().gaps(service, known)] == gaps


def test_what_is_missing_without_the_page() -> None:
    one = mlserver()
    known = {one.key: facts(one, environ={}, files=(settings(metrics_endpoint=None),))}
    assert MlServer().gaps(service_of("mlserver", (one, FRONT)), known) == [
        Gap(
            missing="requests, errors, latency and queues",
            turn_on='"metrics_endpoint": "/metrics"',
            where="/srv/app/settings.json",
        )
    ]
    place = MlServer().places(Lever.METRICS, "/metrics", service_of("mlserver", (one, FRONT)), known)[0]
    assert (place.kind, place.key, place.value, place.effective) == ("file", "metrics_endpoint", "/metrics", True)
