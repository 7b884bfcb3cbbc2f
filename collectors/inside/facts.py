"""What can be learned inside one process, part by part, each read or with the reason why not?"""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from collectors.entities import WorkerKey
from collectors.environ import allowed_environ
from collectors.facts import Environ, ProcessFacts, SettingsFile, unreadable_facts
from collectors.framework import ModelRequest, Request, SettingsRequest
from collectors.host import Host
from collectors.inside.folder import ProcessFolder, Vanished
from collectors.inside.limits import limits
from collectors.inside.mapped import accelerators_in, descriptor_targets, libraries_in, mapped_paths, model_paths_in
from collectors.inside.models import model_headers
from collectors.inside.settings import settings_files
from collectors.inside.sockets import listening
from collectors.model_file import ModelFile
from collectors.procfs import safe_text
from collectors.reading import Unreadable, Unsupported

VANISHED = Unsupported("process vanished", "ask for a process that still runs")
_ERASED = "environment erased: the process wrote its title over it"
_ERASED_HINT = "start it with SPT_NOENV=1, or read the environment of its parent or its unit"

Part = TypeVar("Part")


def read_facts(host: Host, key: WorkerKey, requests: Sequence[Request]) -> ProcessFacts:
    """Everything below /proc/PID that only its owner or a tracer may read, secrets removed. Never raises for a state of
    the host; needs the target's uid, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH."""
    try:
        with ProcessFolder(host, key) as folder:
            return _look(folder, requests)
    except Vanished:
        return unreadable_facts(key, VANISHED.reason, VANISHED.hint)
    except OSError as error:
        reason = f"/proc/{key.pid}: {os.strerror(error.errno or 0)}"
        return unreadable_facts(key, reason, "mount /proc without hidepid for the sidecar")


def _look(folder: ProcessFolder, requests: Sequence[Request]) -> ProcessFacts:
    maps = _part(folder, "maps", mapped_paths)
    targets = _part(folder, "fd", descriptor_targets)
    files = [part for part in (maps, targets) if not isinstance(part, Unsupported)]
    models = model_paths_in(path for part in files for path in part)
    return ProcessFacts(
        key=folder.key,
        environ=_part(folder, "environ", _environ),
        libraries=maps if isinstance(maps, Unsupported) else libraries_in(maps),
        model_files=tuple(safe_text(path) for path in models) if files else _first_no(maps, targets),
        cwd=_part(folder, "cwd", lambda folder: safe_text(folder.link("cwd"))),
        exe=_part(folder, "exe", lambda folder: safe_text(folder.link("exe"))),
        listening=(
            targets
            if isinstance(targets, Unsupported)
            else _part(folder, "net/tcp", lambda folder: listening(folder, targets))
        ),
        settings_files=_settings(folder, requests),
        limits=_part(folder, "root", limits),
        models=_models(folder, requests, models),
        devices=() if isinstance(targets, Unsupported) else accelerators_in(targets),
    )


def _part(folder: ProcessFolder, name: str, read: Callable[[ProcessFolder], Part]) -> Part | Unsupported:
    """What `read` gives, or why it gives nothing."""
    try:
        folder.check()
        return read(folder)
    except (Vanished, ProcessLookupError):
        return VANISHED
    except Unreadable as no:
        return Unsupported(no.reason, no.hint)
    except OSError as error:
        denied = isinstance(error, PermissionError)
        hint = folder.what_to_grant() if denied else "this kernel or this process has no such file"
        return Unsupported(f"{name}: {os.strerror(error.errno or 0)}", hint)


def _environ(folder: ProcessFolder) -> Environ:
    values = allowed_environ(folder.read("environ"))
    if values is None:
        raise Unreadable(_ERASED, _ERASED_HINT)
    return Environ(values)


def _settings(folder: ProcessFolder, requests: Sequence[Request]) -> tuple[SettingsFile, ...]:
    asked = [request for request in requests if isinstance(request, SettingsRequest)]
    if not asked:
        return ()
    files = _part(folder, "root", lambda folder: settings_files(folder, asked))
    return () if isinstance(files, Unsupported) else files


def _models(folder: ProcessFolder, requests: Sequence[Request], seen: Sequence[bytes]) -> tuple[ModelFile, ...]:
    asked = [request for request in requests if isinstance(request, ModelRequest)]
    if not asked and not seen:
        return ()
    files = _part(folder, "root", lambda folder: model_headers(folder, asked, seen))
    return () if isinstance(files, Unsupported) else files


def _first_no(*parts: object) -> Unsupported:
    return next(part for part in parts if isinstance(part, Unsupported))
