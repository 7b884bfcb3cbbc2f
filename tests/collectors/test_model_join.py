"""A model gets the files that its path names, and no others."""

import pytest

from collectors.entities import Model, WorkerKey
from collectors.facts import Facts, ProcessFacts, unreadable_facts
from collectors.model_file import ModelFile
from collectors.model_join import with_files
from collectors.reading import Unsupported

FRONT, WORKER = WorkerKey(10, 1), WorkerKey(11, 1)
NO = Unsupported("not asked", "")


def file(path: str, size: int = 100, form: str = "safetensors") -> ModelFile:
    return ModelFile(path=path, format=form, size_bytes=size, parameters=size // 2)


def facts(front: tuple[ModelFile, ...], worker: tuple[ModelFile, ...] = (), cwd: str | Unsupported = "/app") -> Facts:
    def of(key: WorkerKey, files: tuple[ModelFile, ...]) -> ProcessFacts:
        return ProcessFacts(
            key=key, environ=NO, libraries=NO, model_files=NO, cwd=cwd, exe=NO, listening=NO, limits=NO, models=files
        )  # fmt: skip

    return {FRONT: of(FRONT, front), WORKER: of(WORKER, worker)}


def join(models: list[Model], known: Facts) -> list[list[str]]:
    return [[one.path for one in model.files] for model in with_files(models, [FRONT, WORKER, WorkerKey(12, 1)], known)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/models/a/model.joblib", ["/models/a/model.joblib"]),
        ("/models/a", ["/models/a/model.joblib", "/models/a/2/model.onnx"]),
        ("/models/a/", ["/models/a/model.joblib", "/models/a/2/model.onnx"]),
        ("file:///models/a", ["/models/a/model.joblib", "/models/a/2/model.onnx"]),
        ("/models/", ["/models/a/model.joblib", "/models/a/2/model.onnx", "/models/ab/model.joblib"]),
        ("../models/ab", ["/models/ab/model.joblib"]),
        ("./w.gguf", ["/app/w.gguf"]),
        ("w.gguf", ["/app/w.gguf"]),
        ("/", []),
        ("s3://models/a", []),
        ("/absent", []),
        ("org/name", ["/c/hub/models--org--name/snapshots/1/model.safetensors"]),
        ("hf://org/name", ["/c/hub/models--org--name/snapshots/1/model.safetensors"]),
        ("org/nam", []),
    ],
)
def test_a_model_has_the_files_at_or_below_its_path(path: str, expected: list[str]) -> None:
    known = facts(
        (file("/models/a/model.joblib"), file("/models/a/2/model.onnx"), file("/app/w.gguf")),
        (file("/models/ab/model.joblib"), file("/c/hub/models--org--name/snapshots/1/model.safetensors")),
    )
    assert join([Model(name="m", path=path), Model(name="other")], known) == [expected, []]


def test_the_only_model_without_a_path_has_all_files() -> None:
    known = facts((file("/x.gguf"),), (file("/x.gguf"), file("/y.gguf")))
    (model,) = with_files([Model(name="m")], [FRONT, WORKER], known)
    assert (model.size_bytes, model.parameters) == (200, 100)
    assert join([Model(name="m"), Model(name="n")], known) == [[], []]


def test_a_blob_that_a_snapshot_names_is_not_counted_twice() -> None:
    folder = "/c/models--org--name"
    named, blob = file(f"{folder}/snapshots/1/m.safetensors"), file(f"{folder}/blobs/{'a' * 64}")
    other = file(f"{folder}/blobs/{'b' * 64}", size=7)
    assert join([Model(name="m", path="org/name")], facts((named,), (blob, other))) == [[named.path, other.path]]


def test_files_that_a_framework_gave_stay() -> None:
    own = Model(name="m", path="/models", files=(file("/own.onnx"),))
    assert with_files([own], [FRONT], facts((file("/models/x.onnx"),))) == (own,)


def test_nothing_known_changes_nothing() -> None:
    models = [Model(name="m", path="w.gguf")]
    assert with_files(models, [FRONT], {}) == tuple(models)
    assert with_files(models, [FRONT], {FRONT: unreadable_facts(FRONT, "no", "")}) == tuple(models)
    assert with_files(models, [FRONT], facts((file("/app/w.gguf"),), cwd=NO)) == tuple(models)
    assert with_files([], [FRONT], facts((file("/app/w.gguf"),))) == ()
