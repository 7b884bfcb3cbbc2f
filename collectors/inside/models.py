"""What do the headers of the model files say that a process has mapped, has open, or that its framework asks for?"""

import os
import stat
from collections.abc import Iterable, Sequence

import msgspec

from collectors.framework import ModelRequest
from collectors.inside.folder import ProcessFolder
from collectors.inside.header_cache import HeaderCache, cache_key
from collectors.inside.hub import at_home, environment_of_hub, snapshot
from collectors.inside.model_folder import files_of
from collectors.inside.view import NotPlain, View
from collectors.model_file import ModelFile
from collectors.model_headers.source import Budget
from collectors.procfs import safe_text

MODELS_LIMIT = 64
REQUESTS_LIMIT = 16
PATH_LIMIT_CHARACTERS = 1024
MORE = f"more than {MODELS_LIMIT} model files: the others are not told"
_NOT_READ = "not read: budget"
_NOT_PLAIN = "not a plain file"
_CHANGED = "changed while it was read"

_cache = HeaderCache()


def model_headers(
    folder: ProcessFolder, requests: Sequence[ModelRequest], seen: Iterable[bytes], budget: Budget | None = None
) -> tuple[ModelFile, ...]:
    """The files that `requests` name, then those of the paths `seen` mapped or open, each file once, at most
    `MODELS_LIMIT`. A file that is not there, or that the process could not read itself, is left out. Raises OSError if
    the root or the working folder cannot be entered."""
    with View(folder) as view:
        look = _Look(view, budget or Budget())
        for parts in _asked_for(folder, view, requests, look):
            look.add(parts)
        for path in seen:
            look.add(view.parts(view.as_inside(path)))
        return look.files


def _asked_for(
    folder: ProcessFolder, view: View, requests: Sequence[ModelRequest], look: "_Look"
) -> Iterable[list[bytes]]:
    environment: dict[bytes, bytes] | None = None
    for request in requests[:REQUESTS_LIMIT]:
        location = os.fsencode(request.location)
        if environment is None and (request.hub or location.startswith(b"~")):
            environment = _environment(folder)
        if request.hub:
            place = snapshot(view, environment or {}, request.location)
        else:
            path = at_home(location, (environment or {}).get(b"HOME"))
            place = view.parts(path) if path else None
        status = view.status(place) if place else None
        if place and status is not None:
            yield from files_of(view, place, look.budget) if stat.S_ISDIR(status.st_mode) else (place,)


def _environment(folder: ProcessFolder) -> dict[bytes, bytes]:
    try:
        return environment_of_hub(folder.read("environ"))
    except OSError:
        return {}


class _Look:
    """The files of one process; none twice, also where two paths lead to it."""

    def __init__(self, view: View, budget: Budget) -> None:
        self.budget = budget
        self._view = view
        self._known: set[tuple[int, int]] = set()
        self._files: list[ModelFile] = []
        self._left_out = False

    @property
    def files(self) -> tuple[ModelFile, ...]:
        if self._left_out:
            self._files[-1] = msgspec.structs.replace(self._files[-1], problem=MORE)
        return tuple(self._files)

    def add(self, parts: Sequence[bytes]) -> None:
        path = safe_text(b"/" + b"/".join(parts))
        if len(path) > PATH_LIMIT_CHARACTERS or self._left_out:
            return
        try:
            descriptor = self._view.open(parts)
        except NotPlain:
            self._tell(ModelFile(path=path, format="unknown", size_bytes=0, problem=_NOT_PLAIN))
            return
        except OSError:
            return
        try:
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) not in self._known:
                self._known.add((status.st_dev, status.st_ino))
                self._tell(_header(descriptor, status, path, self.budget))
        finally:
            os.close(descriptor)

    def _tell(self, file: ModelFile) -> None:
        if len(self._files) >= MODELS_LIMIT:
            self._left_out = True
        else:
            self._files.append(file)


def _header(descriptor: int, status: os.stat_result, path: str, budget: Budget) -> ModelFile:
    key = cache_key(status, path.rpartition("/")[2])
    known = _cache.get(key)
    if known is not None:
        return msgspec.structs.replace(known, path=path)
    from collectors.model_headers.read import read_model_file  # most processes have no model

    file = read_model_file(descriptor, path, status.st_size, budget)
    if cache_key(os.fstat(descriptor), key[-1]) != key:
        return ModelFile(path=path, format=file.format, size_bytes=status.st_size, problem=_CHANGED)
    if file.problem != _NOT_READ:
        _cache.put(key, file)
    return file
