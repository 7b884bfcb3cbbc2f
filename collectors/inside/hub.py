"""Where does a process keep the models of the Hugging Face hub, and which folder of it holds one of them?"""

import re
from collections.abc import Mapping

from collectors.inside.view import View

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_REVISION = re.compile(rb"[0-9a-f]{40}")
_KEYS = (b"HF_HUB_CACHE", b"HUGGINGFACE_HUB_CACHE", b"HF_HOME", b"XDG_CACHE_HOME", b"HOME")


def environment_of_hub(raw: bytes) -> dict[bytes, bytes]:
    """The variables of /proc/PID/environ that say where the hub's cache is; they stay in the reader."""
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0"))
    return {name: value for name, _, value in pairs if name in _KEYS and value}


def cache_folder(values: Mapping[bytes, bytes]) -> bytes | None:
    """The folder of the cache, by the hub's own order of variables; None if they do not say."""
    home = values.get(b"HOME")
    for key, below in zip(_KEYS, (b"", b"", b"/hub", b"/huggingface/hub", b"/.cache/huggingface/hub"), strict=True):
        if key in values:
            return at_home(values[key] + below, home)
    return None


def at_home(path: bytes, home: bytes | None) -> bytes | None:
    """`path` with a `~` at its begin replaced; None if that cannot be."""
    if path != b"~" and not path.startswith(b"~/"):
        return path
    return home + path[1:] if home else None


def snapshot(view: View, values: Mapping[bytes, bytes], name: str) -> list[bytes] | None:
    """The folder of the model `org/model` in the process's cache: that of `main`, else the newest; None if it is not
    there."""
    cache = cache_folder(values)
    if cache is None or not _NAME.fullmatch(name) or ".." in name:
        return None
    model = [*view.parts(cache), b"models--" + name.replace("/", "--").encode()]
    snapshots = [*model, b"snapshots"]
    names = view.names(snapshots)
    main = view.read([*model, b"refs", b"main"], 64)
    if main is not None and _REVISION.fullmatch(main.strip()) and main.strip() in names:
        return [*snapshots, main.strip()]
    dated = [(status.st_mtime_ns, each) for each in names if (status := view.status([*snapshots, each])) is not None]
    return [*snapshots, max(dated)[1]] if dated else None
