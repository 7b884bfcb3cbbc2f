"""Which of the model files that were read belong to which model of a service?"""

from collections.abc import Iterable, Mapping, Sequence
from posixpath import join, normpath

import msgspec

from collectors.entities import Model, WorkerKey
from collectors.facts import Facts, ProcessFacts
from collectors.model_file import ModelFile

FILES_LIMIT = 64


def with_files(models: Sequence[Model], processes: Iterable[WorkerKey], facts: Facts) -> tuple[Model, ...]:
    """The models, each with the files read beside `processes` that its path names: the file itself, those below a
    folder, or those of a name of the Hugging Face hub. One that has files keeps them; the only model of a server, where
    no path is known, has all."""
    if not models or all(model.files for model in models):
        return tuple(models)
    known = [facts[key] for key in processes if key in facts]
    found = _distinct({file.path: file for each in known for file in each.models})
    if not found:
        return tuple(models)
    return tuple(
        model if model.files else msgspec.structs.replace(model, files=_of(model, len(models) == 1, found, known))
        for model in models
    )


def _of(
    model: Model, is_only: bool, found: Sequence[ModelFile], known: Sequence[ProcessFacts]
) -> tuple[ModelFile, ...]:
    if not model.path:
        return tuple(found[:FILES_LIMIT]) if is_only else ()
    path = model.path.removeprefix("file://").removeprefix("hf://")
    places = _places(path, known)
    hub = f"/models--{path.replace('/', '--')}/" if _may_be_hub(path) else None
    own = (
        file
        for file in found
        if any(file.path == place or file.path.startswith(f"{place}/") for place in places)
        or (hub is not None and hub in file.path)
    )
    return tuple(own)[:FILES_LIMIT]


def _places(path: str, known: Sequence[ProcessFacts]) -> set[str]:
    """The absolute paths that a model's path may mean; one that is relative begins at a working folder. Never the root,
    below which everything is."""
    if "://" in path:
        return set()
    bases = ["/"] if path.startswith("/") else [each.cwd for each in known if isinstance(each.cwd, str)]
    return {normpath(join(base, path)) for base in bases} - {"/", "//"}


def _may_be_hub(path: str) -> bool:
    return path.count("/") <= 1 and not path.startswith((".", "/", "~")) and "://" not in path


def _distinct(files: Mapping[str, ModelFile]) -> tuple[ModelFile, ...]:
    """The files without those that the hub's cache keeps under a second path: a snapshot's names lead to blobs."""
    named = {
        (_repository(file.path), file.size_bytes, file.format) for file in files.values() if "/snapshots/" in file.path
    }
    return tuple(
        file
        for file in files.values()
        if "/blobs/" not in file.path or (_repository(file.path), file.size_bytes, file.format) not in named
    )


def _repository(path: str) -> str:
    return path.partition("/models--")[2].partition("/")[0]
