"""MLServer as it was recorded, with and without workers, and what wins: settings.json or the environment."""

import pytest

from collectors.entities import Model, Process, Role
from collectors.facts import SettingsFile
from collectors.frameworks.mlserver import MlServer
from collectors.levers import Lever
from tests.captures import Recorded, facts, process, service_of

FRONT = Role.FRONT_END


def mlserver(folder: str = ".") -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/mlserver", "start", folder, comm="mlserver")


def settings(**values: bool | int | float | str | None) -> SettingsFile:
    return SettingsFile("settings.json", "/srv/app/settings.json", True, values)


ABSENT = SettingsFile("settings.json", "/srv/app/settings.json", False)


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
    for argv in (("mlserver", "build", "."), ("python", "-m", "uvicorn", "a:b"), ("vim", "mlserver")):
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
        (None, None, None, None),
    ],
)
def test_ports_and_the_metrics_page(
    file: SettingsFile | None, environ: dict[str, str] | None, port: int | None, url: str | None
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=(file,) if file else ())}
    traits = MlServer().traits([(one, FRONT)], known)
    assert (traits.port, traits.metrics_url, traits.request_threads) == (port, url, 1)


def test_models_come_from_their_settings_files() -> None:
    one = mlserver()
    iris = {"name": "iris", "implementation": "mlserver_sklearn.SKLearnModel", "parameters.uri": "./iris.joblib",
            "parameters.version": "v1"}  # fmt: skip
    files = (
        settings(),
        SettingsFile("model-settings.json", "/srv/app/model-settings.json", False),
        SettingsFile("model-settings.json", "/srv/app/iris/model-settings.json", True, iris),
        SettingsFile("model-settings.json", "/srv/app/mnist/model-settings.json", True, {}),
    )
    models = MlServer().traits([(one, FRONT)], {one.key: facts(one, environ={}, files=files)}).models
    assert models == (
        Model(name="iris", version="v1", runtime="mlserver_sklearn.SKLearnModel", path="./iris.joblib"),
        Model(name="mnist", path="/srv/app/mnist"),
    )


def test_a_model_may_be_described_by_the_environment() -> None:
    one = mlserver()
    environ = {"MLSERVER_MODEL_NAME": "iris", "MLSERVER_MODEL_IMPLEMENTATION": "a.B", "MLSERVER_MODEL_URI": "/m"}
    models = MlServer().traits([(one, FRONT)], {one.key: facts(one, environ=environ, files=(ABSENT,))}).models
    assert models == (Model(name="iris", runtime="a.B", path="/m"),)


@pytest.mark.parametrize(
    ("file", "environ", "value", "origin"),
    [
        (settings(parallel_workers=2), {"MLSERVER_PARALLEL_WORKERS": "0"}, 2, "file settings.json"),
        (settings(parallel_workers=0), {}, 0, "file settings.json"),
        (settings(http_port=1), {"MLSERVER_PARALLEL_WORKERS": "3"}, 3, "env MLSERVER_PARALLEL_WORKERS"),
        (ABSENT, {}, 1, "default"),
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
