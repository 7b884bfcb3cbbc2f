"""Model files are found as the process sees them, never outside its root, and each is read once."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from agent.framing import FRAME_LIMIT_BYTES
from agent.sidecar.protocol import FactsReply, to_frame, to_reply
from collectors.framework import ModelRequest
from collectors.inside import models as inside_models
from collectors.inside import read_facts
from collectors.inside.folder import ProcessFolder
from collectors.inside.header_cache import ENTRIES_LIMIT, HeaderCache, cache_key
from collectors.inside.hub import cache_folder, environment_of_hub
from collectors.inside.models import model_headers
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from collectors.model_headers import Budget
from tests.collectors.model_bytes import FIXTURES, Gguf, safetensors, tensor
from tests.collectors.process_tree import host_of, key_of, make_process, maps_line

TINY = (FIXTURES / "tiny.safetensors").read_bytes()
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch) -> HeaderCache:
    """Nothing is remembered from another test."""
    fresh = HeaderCache()
    monkeypatch.setattr(inside_models, "_cache", fresh)
    return fresh


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The working folder of a process below `tmp_path`."""
    return make_process(tmp_path, environ=b"HOME=/home/u\0") / "root" / "app"


def ask(
    root: Path, *requests: ModelRequest, seen: Sequence[bytes] = (), budget: Budget | None = None
) -> list[ModelFile]:
    with ProcessFolder(host_of(root), key_of()) as folder:
        return list(model_headers(folder, requests, seen, budget))


def at(location: str) -> ModelRequest:
    return ModelRequest(location=location)


def hub(name: str) -> ModelRequest:
    return ModelRequest(location=name, hub=True)


def paths(files: Sequence[ModelFile]) -> list[str]:
    return [file.path for file in files]


def test_a_file_relative_to_the_working_folder_absolute_and_at_home(tmp_path: Path, app: Path) -> None:
    home = app.parent / "home/u"
    home.mkdir(parents=True)
    for place in (app / "m.safetensors", app.parent / "n.safetensors", home / "o.safetensors"):
        place.write_bytes(TINY)
    found = ask(tmp_path, at("./m.safetensors"), at("/n.safetensors"), at("~/o.safetensors"), at("absent.gguf"))
    assert paths(found) == ["/app/m.safetensors", "/n.safetensors", "/home/u/o.safetensors"]
    assert [(file.parameters, file.size_bytes, file.problem) for file in found] == [(21, 330, None)] * 3


def test_a_folder_gives_its_config_and_its_weights(tmp_path: Path, app: Path) -> None:
    model = app / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"num_hidden_layers": 2, "architectures": ["TinyModel"]}))
    for name in (
        "model.safetensors",
        "pytorch_model.bin",
        "model.onnx",
        "consolidated.safetensors",
        "training_args.bin",
    ):
        (model / name).write_bytes(TINY)
    for name in ("README.md", "tokenizer.json", ".hidden.safetensors"):
        (model / name).write_text("x")
    (model / "deep").mkdir()
    (model / "deep" / "model.safetensors").write_bytes(TINY)
    found = ask(tmp_path, at("model"))
    assert paths(found) == ["/app/model/config.json", "/app/model/model.safetensors"]
    assert (found[0].architecture, found[0].geometry) == ("TinyModel", Geometry(layers=2))


def test_a_folder_of_any_weights(tmp_path: Path, app: Path) -> None:
    for name in ("a.joblib", "b.PKL", "c.pt", "optimizer.pt", "tokenizer.bin"):
        (app / name).write_bytes(b"x")
    assert paths(ask(tmp_path, at("."))) == ["/app/a.joblib", "/app/b.PKL", "/app/c.pt"]


def test_the_highest_version_of_a_repository(tmp_path: Path, app: Path) -> None:
    for version in ("1", "2", "10", "x"):
        (app / "densenet" / version).mkdir(parents=True)
        (app / "densenet" / version / "model.onnx").write_bytes((FIXTURES / "linear.onnx").read_bytes())
    (found,) = ask(tmp_path, at("densenet"))
    assert (found.path, found.parameters) == ("/app/densenet/10/model.onnx", 15)


def sharded(folder: Path, count: int) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    names = [f"model-{n + 1:05}-of-{count:05}.safetensors" for n in range(count)]
    for name in names:
        (folder / name).write_bytes(safetensors({"w": tensor("F16", (4,), 0, 8)}, 8))
    (folder / "other.safetensors").write_bytes(TINY)
    document = {"metadata": {"total_size": 8 * count}, "weight_map": {f"w{n}": name for n, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(document))


def test_the_files_that_an_index_names(tmp_path: Path, app: Path) -> None:
    sharded(app / "model", 3)
    found = ask(tmp_path, at("model"))
    assert [file.parameters for file in found] == [None, 4, 4, 4]
    assert found[-1].path == "/app/model/model-00003-of-00003.safetensors"


def test_the_index_stands_for_files_that_are_too_many(tmp_path: Path, app: Path) -> None:
    sharded(app / "model", 70)
    found = ask(tmp_path, at("model"))
    assert [(file.format, file.size_bytes) for file in found] == [("hf-config", 2), ("safetensors-index", 560)]


def cached(app: Path, revision: str = REVISION) -> Path:
    """A snapshot in the hub's cache of the process, its files links to blobs."""
    model = app.parent / "home/u/.cache/huggingface/hub/models--org--tiny-1.0"
    (model / "blobs").mkdir(parents=True, exist_ok=True)
    (model / "blobs" / ("ab" * 32)).write_bytes(TINY)
    snapshot = model / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(f"../../blobs/{'ab' * 32}")
    return model


def test_a_model_of_the_hub_is_that_of_main(tmp_path: Path, app: Path) -> None:
    model = cached(app)
    cached(app, "f" * 40)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(REVISION)
    inside = f"/home/u/.cache/huggingface/hub/models--org--tiny-1.0/snapshots/{REVISION}/model.safetensors"
    found = ask(tmp_path, hub("org/tiny-1.0"), hub("org/absent"), hub("../../etc"), hub("a/b/c"))
    assert [(file.path, file.parameters) for file in found] == [(inside, 21)]


def test_without_main_the_newest_snapshot_counts(tmp_path: Path, app: Path) -> None:
    model = cached(app)
    cached(app, "f" * 40)
    os.utime(model / "snapshots" / REVISION, (2e9, 2e9))
    assert REVISION in ask(tmp_path, hub("org/tiny-1.0"))[0].path


def test_a_mapped_blob_of_a_snapshot_is_told_once(tmp_path: Path, app: Path) -> None:
    model = cached(app)
    blob = b"/" + os.fsencode((model / "blobs" / ("ab" * 32)).relative_to(app.parent))
    assert len(ask(tmp_path, hub("org/tiny-1.0"), seen=[blob, blob])) == 1
    assert paths(ask(tmp_path, seen=[blob])) == [blob.decode()]


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        (b"HOME=/h\0", b"/h/.cache/huggingface/hub"),
        (b"HOME=/h\0XDG_CACHE_HOME=/x\0", b"/x/huggingface/hub"),
        (b"HF_HOME=~/f\0HOME=/h\0XDG_CACHE_HOME=/x\0", b"/h/f/hub"),
        (b"HF_HOME=/f\0HUGGINGFACE_HUB_CACHE=/data\0", b"/data"),
        (b"HUGGINGFACE_HUB_CACHE=/data\0HF_HUB_CACHE=/c\0", b"/c"),
        (b"HF_HOME=~/f\0", None),
        (b"PATH=/bin\0HF_TOKEN=secret\0", None),
        (b"\0" * 50, None),
    ],
)
def test_where_the_cache_of_the_hub_is(environ: bytes, folder: bytes | None) -> None:
    values = environment_of_hub(environ)
    assert b"HF_TOKEN" not in values
    assert cache_folder(values) == folder


def test_mapped_and_open_files_are_read_without_being_asked_for(tmp_path: Path) -> None:
    maps = maps_line("/models/m.gguf") + maps_line("/models/gone.gguf") + maps_line("/lib/libc.so.6")
    folder = make_process(tmp_path, maps=maps)
    (folder / "root/models").mkdir()
    (folder / "root/models/m.gguf").write_bytes((FIXTURES / "tiny.gguf").read_bytes())
    (folder / "root/models/w.safetensors").write_bytes(TINY)
    (folder / "fd/7").symlink_to("/models/w.safetensors")
    facts = read_facts(host_of(tmp_path), key_of(), ())
    assert facts.model_files == ("/models/m.gguf", "/models/gone.gguf", "/models/w.safetensors")
    assert [(file.path, file.parameters) for file in facts.models] == [
        ("/models/m.gguf", 656), ("/models/w.safetensors", 21),
    ]  # fmt: skip
    reply = FactsReply(facts)
    assert to_reply(to_frame(reply)[4:]) == reply


def test_no_link_leads_out_of_the_root(tmp_path: Path, app: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "m.safetensors").write_bytes(TINY)
    (app / "link.safetensors").symlink_to(outside / "m.safetensors")
    (app / "folder").symlink_to(outside)
    (app / "loop.safetensors").symlink_to("loop.safetensors")
    asked = [at("link.safetensors"), at("folder"), at("loop.safetensors"), at("../../../outside"), at("")]
    assert ask(tmp_path, *asked, seen=[b"/app/link.safetensors"]) == []


def test_what_the_process_could_not_read_is_not_read_for_it(tmp_path: Path, app: Path) -> None:
    for folder in (app, app / "closed"):
        folder.mkdir(exist_ok=True)
        (folder / "m.safetensors").write_bytes(TINY)
    os.chmod(app / "m.safetensors", 0o600)
    os.chmod(app / "closed", 0o711)
    status = "Uid:\t999999\t999999\t999999\t999999\nGid:\t9\t9\t9\t9\nGroups:\t9\n"
    (tmp_path / "proc/4242/status").write_text(status)
    assert ask(tmp_path, at("m.safetensors"), at("closed"), seen=[b"/app/m.safetensors"]) == []
    assert paths(ask(tmp_path, at("closed/m.safetensors"))) == ["/app/closed/m.safetensors"]


def test_a_pipe_is_never_opened(tmp_path: Path, app: Path) -> None:
    os.mkfifo(app / "m.gguf")
    assert ask(tmp_path, at("m.gguf")) == [
        ModelFile(path="/app/m.gguf", format="unknown", size_bytes=0, problem="not a plain file")
    ]


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path, app: Path, cache: HeaderCache) -> None:
    (app / "m.safetensors").write_bytes(TINY)
    nothing = Budget(bytes_left=0)
    (first,) = ask(tmp_path, at("m.safetensors"), budget=nothing)
    assert (first.problem, first.size_bytes) == ("not read: budget", 330)
    (second,) = ask(tmp_path, at("m.safetensors"))
    assert second.parameters == 21
    assert ask(tmp_path, at("../app/m.safetensors"), budget=nothing)[0].parameters == 21
    (app / "m.safetensors").write_bytes(safetensors({"w": tensor("F16", (4,), 0, 8)}, 8))
    assert ask(tmp_path, at("m.safetensors"))[0].parameters == 4


def test_the_oldest_headers_are_forgotten(tmp_path: Path) -> None:
    held = HeaderCache()
    status = tmp_path.stat()
    files = [ModelFile(path=str(n), format="x", size_bytes=n) for n in range(ENTRIES_LIMIT + 1)]
    for file in files[:ENTRIES_LIMIT]:
        held.put(cache_key(status, file.path), file)
    assert held.get(cache_key(status, "0")) == files[0]
    held.put(cache_key(status, files[-1].path), files[-1])
    assert held.get(cache_key(status, "1")) is None
    assert held.get(cache_key(status, "0")) == files[0]


def test_a_file_that_changes_while_it_is_read_is_not_believed(
    tmp_path: Path, app: Path, monkeypatch: pytest.MonkeyPatch, cache: HeaderCache
) -> None:
    (app / "m.safetensors").write_bytes(TINY)
    ticks = iter(range(1000))

    def touch() -> float:
        os.utime(app / "m.safetensors", (next(ticks), 5))
        return 0.0

    (file,) = ask(tmp_path, at("m.safetensors"), budget=Budget(clock=touch))
    assert (file.problem, file.parameters) == (None, 21)
    times = iter(range(1000))

    def change() -> float:
        os.utime(app / "m.safetensors", (1, next(times)))
        return 0.0

    (app / "m.safetensors").write_bytes(TINY)
    (file,) = ask(tmp_path, at("m.safetensors"), budget=Budget(clock=change))
    assert (file.problem, file.parameters) == ("changed while it was read", None)


def test_at_most_64_files_are_told_and_the_last_says_so(tmp_path: Path, app: Path) -> None:
    for n in range(40):
        for folder in ("a", "b"):
            (app / folder).mkdir(exist_ok=True)
            (app / folder / f"{n:02}.gguf").write_bytes(Gguf().string("general.architecture", "x").file())
    found = ask(tmp_path, at("a"), at("b"))
    assert len(found) == 64
    assert [file.problem for file in found[-2:]] == [None, "more than 64 model files: the others are not told"]


def test_a_budget_that_is_spent_leaves_sizes(tmp_path: Path, app: Path) -> None:
    for name in ("a", "b"):
        (app / f"{name}.safetensors").write_bytes(TINY)
    found = ask(tmp_path, at("."), budget=Budget(bytes_left=360))
    assert [(file.parameters, file.problem, file.size_bytes) for file in found] == [
        (21, None, 330), (None, "not read: budget", 330),
    ]  # fmt: skip


def test_the_longest_answer_fits_into_a_frame(tmp_path: Path, app: Path) -> None:
    deep = app / ("é" * 80) / ("é" * 80) / ("é" * 80)
    deep.mkdir(parents=True)
    types = {f"t{n}": tensor(f"TYPE_{'X' * 50}_{n}", (), 0, 0) for n in range(32)}
    for n in range(70):
        (deep / f"{'é' * 100}{n:02}.safetensors").write_bytes(safetensors(types))
    relative = "/".join(deep.parts[-3:])
    facts = read_facts(host_of(tmp_path), key_of(), [at(relative)])
    assert len(facts.models) == 64
    assert len(msgspec.json.encode(facts)) < FRAME_LIMIT_BYTES // 2


def test_a_path_that_is_too_long_is_left_out(tmp_path: Path, app: Path) -> None:
    deep = app.joinpath(*["d" * 200] * 6)
    deep.mkdir(parents=True)
    (deep / "m.gguf").write_bytes(b"x")
    assert ask(tmp_path, at("/".join(["d" * 200] * 6))) == []


def test_without_the_root_there_are_no_models(tmp_path: Path) -> None:
    folder = make_process(tmp_path, maps=maps_line("/m.gguf"))
    for path in sorted((folder / "root").rglob("*"), reverse=True):
        path.rmdir()
    (folder / "root").rmdir()
    facts = read_facts(host_of(tmp_path), key_of(), [at("m.gguf")])
    assert (facts.models, facts.model_files) == ((), ("/m.gguf",))


def test_a_location_with_a_nul_names_no_model(tmp_path: Path, app: Path) -> None:
    (app / "a").write_bytes(TINY)
    assert ask(tmp_path, at("a\0b"), at("\0"), hub("a\0b")) == []
