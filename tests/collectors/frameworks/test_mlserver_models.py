"""The models of an MLServer: their files, their batches and their pools of workers."""

import msgspec
import pytest

from collectors.entities import Model, Role
from collectors.facts import SettingsFile
from collectors.framework import ModelRequest
from collectors.frameworks.mlserver import MlServer
from collectors.levers import Lever, Value
from collectors.model_file import ModelFile
from tests.captures import facts, process, service_of
from tests.mlserver_files import ABSENT, mlserver, model, settings

FRONT = Role.FRONT_END


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


def test_a_variable_holds_for_every_model_whose_file_is_silent() -> None:
    one = mlserver()
    environ = {"MLSERVER_MODEL_IMPLEMENTATION": "a.B", "MLSERVER_MODEL_URI": "/m", "MLSERVER_MODEL_PLATFORM": "sklearn"}
    files = (ABSENT, model("x"), model("y", **{"implementation": "c.D", "parameters.uri": "./y.bin"}))
    models = MlServer().traits([(one, FRONT)], {one.key: facts(one, environ=environ, files=files)}).models
    assert models == (
        Model(name="x", runtime="a.B", path="/m", format="sklearn"),
        Model(name="y", runtime="c.D", path="./y.bin", format="sklearn"),
    )


def test_each_model_has_the_files_that_lie_where_it_is_told_to_look() -> None:
    one = mlserver()
    files = (
        model("a", **{"parameters.uri": "a.joblib"}),
        model("b"),
        model("c", **{"parameters.extra.pretrained_model": "org/bert"}),
    )
    headers = tuple(
        ModelFile(path=path, format="joblib", size_bytes=size, parameters=3)
        for path, size in (
            ("/srv/app/a/a.joblib", 10),
            ("/srv/app/b/x/one.bin", 20),
            ("/srv/app/b/x/two.bin", 30),
            ("/root/.cache/huggingface/hub/models--org--bert/snapshots/1/m.safetensors", 40),
            ("/srv/app/bb/other.bin", 50),
        )
    )
    known = msgspec.structs.replace(facts(one, environ={}, files=(ABSENT, *files)), models=headers)
    models = MlServer().traits([(one, FRONT)], {one.key: known}).models
    assert [(each.name, each.size_bytes, each.parameters) for each in models] == [
        ("a", 10, 3),
        ("b", 50, 6),
        ("c", 40, 3),
    ]


@pytest.mark.parametrize(
    ("values", "environ", "wanted"),
    [
        ({"parameters.uri": "./iris.joblib"}, {}, ModelRequest(location="/srv/app/m/iris.joblib")),
        ({"parameters.uri": "/models/x.onnx"}, {}, ModelRequest(location="/models/x.onnx")),
        ({"parameters.uri": "file:///models/x.onnx"}, {}, ModelRequest(location="/models/x.onnx")),
        ({}, {"MLSERVER_MODEL_URI": "../w.bin"}, ModelRequest(location="/srv/app/w.bin")),
        ({}, {}, ModelRequest(location="/srv/app/m")),
        ({"parameters.uri": "s3://bucket/x"}, {}, None),
        ({"parameters.extra.pretrained_model": "org/bert"}, {}, ModelRequest(location="org/bert", hub=True)),
        ({}, {"MLSERVER_MODEL_HUGGINGFACE_PRETRAINED_MODEL": "org/b"}, ModelRequest(location="org/b", hub=True)),
        ({"parameters.extra.pretrained_model": "./bert"}, {}, ModelRequest(location="/srv/app/m/bert")),
    ],
)
def test_model_files_are_asked_for_beside_their_settings(
    values: dict[str, Value], environ: dict[str, str], wanted: ModelRequest | None
) -> None:
    one = mlserver()
    known = facts(one, environ=environ, files=(ABSENT, model("m", **values)))
    assert MlServer().model_requests(one, known) == ((wanted,) if wanted else ())
    assert MlServer().model_requests(one, None) == ()
    assert MlServer().model_requests(process(11, "python", "-c", "x"), known) == ()


@pytest.mark.parametrize(
    ("files", "environ", "size", "delay"),
    [
        ((model("a"),), {}, (0, "default"), (0.0, "default")),
        (
            (model("a", max_batch_size=8, max_batch_time=0.05),),
            {"MLSERVER_MODEL_MAX_BATCH_SIZE": "4"},
            (8, "file model-settings.json"),
            (0.05, "file model-settings.json"),
        ),
        (
            (model("a"), model("b")),
            {"MLSERVER_MODEL_MAX_BATCH_SIZE": "4", "MLSERVER_MODEL_MAX_BATCH_TIME": "0.1"},
            (4, "env MLSERVER_MODEL_MAX_BATCH_SIZE"),
            (0.1, "env MLSERVER_MODEL_MAX_BATCH_TIME"),
        ),
        (
            (model("a", max_batch_size=4), model("b")),
            {},
            (None, "differs between models: a 4, b 0"),
            (0.0, "default"),
        ),
        (
            (model("a", max_batch_size=4),),
            None,
            (4, "file model-settings.json"),
            (None, "the environment is not readable"),
        ),
        (
            (model("a", max_batch_size="many"),),
            {},
            (None, "max_batch_size is no number"),
            (0.0, "default"),
        ),
        ((), {}, (None, "no model-settings.json was found"), (None, "no model-settings.json was found")),
    ],
)
def test_batching_is_what_all_models_have_in_common(
    files: tuple[SettingsFile, ...],
    environ: dict[str, str] | None,
    size: tuple[Value, str],
    delay: tuple[Value, str],
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=(ABSENT, *files))}
    service = service_of("mlserver", (one, FRONT))
    for lever, expected in ((Lever.MAX_BATCH_SIZE, size), (Lever.MAX_BATCH_DELAY, delay)):
        setting = MlServer().setting(lever, service, known)
        assert setting is not None
        assert (setting.value, setting.origin) == expected


def test_batching_is_set_in_each_models_file_or_for_all_by_a_variable() -> None:
    one = mlserver()
    service = service_of("mlserver", (one, FRONT))
    silent = {one.key: facts(one, environ={}, files=(ABSENT, model("a"), model("b")))}
    first, second, env = MlServer().places(Lever.MAX_BATCH_SIZE, 8, service, silent)
    assert [p.target for p in (first, second)] == [f"/srv/app/{m}/model-settings.json" for m in "ab"]
    assert (first.key, first.value, first.effective) == ("max_batch_size", 8, True)
    assert (env.key, env.value, env.effective) == ("MLSERVER_MODEL_MAX_BATCH_SIZE", "8", True)
    set_in_one = {one.key: facts(one, environ={}, files=(ABSENT, model("a", max_batch_time=0.1), model("b")))}
    env = MlServer().places(Lever.MAX_BATCH_DELAY, 0.2, service, set_in_one)[-1]
    assert (env.effective, env.because) == (False, "model-settings.json of a sets max_batch_time and wins")
    by_variable = {one.key: facts(one, environ={"MLSERVER_MODEL_MAX_BATCH_SIZE": "2"}, files=(ABSENT, model("a")))}
    assert [p.kind for p in MlServer().places(Lever.MAX_BATCH_SIZE, 8, service, by_variable)] == ["env", "file"]


@pytest.mark.parametrize(
    ("files", "environ", "value", "origin"),
    [
        ((model("a"), model("b")), {}, 1, "default"),
        (
            (model("a", **{"parameters.inference_pool_gid": "x"}), model("b")), {}, 2, "file model-settings.json",
        ),
        (
            (
                model("a", **{"parameters.environment_tarball": "env.tar.gz"}),
                model("b", **{"parameters.environment_tarball": "env.tar.gz"}),
                model("c", **{"parameters.environment_path": "/envs/c"}),
            ),
            {}, 3, "file model-settings.json",
        ),
        ((model("a"), model("b")), {"MLSERVER_MODEL_INFERENCE_POOL_GID": "x"}, 2, "env MLSERVER_MODEL_INFERENCE_POOL_GID"),
        ((settings(parallel_workers=0), model("a")), {}, 0, "file settings.json"),
        ((model("a"),), None, None, "the environment is not readable"),
    ],
)  # fmt: skip
def test_pools_of_workers(
    files: tuple[SettingsFile, ...], environ: dict[str, str] | None, value: int | None, origin: str
) -> None:
    one = mlserver()
    known = {one.key: facts(one, environ=environ, files=files)}
    setting = MlServer().setting(Lever.MODEL_POOL, service_of("mlserver", (one, FRONT)), known)
    assert setting is not None
    assert (setting.value, setting.origin) == (value, origin)


def test_a_model_gets_a_pool_that_is_called_like_itself() -> None:
    one = mlserver()
    own = model("b", **{"parameters.inference_pool_gid": "x"})
    known = {one.key: facts(one, environ={}, files=(ABSENT, model("a"), own))}
    (place,) = MlServer().places(Lever.MODEL_POOL, 3, service_of("mlserver", (one, FRONT)), known)
    assert (place.target, place.key, place.value) == (
        "/srv/app/a/model-settings.json", "parameters.inference_pool_gid", "a",
    )  # fmt: skip
