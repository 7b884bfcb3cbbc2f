"""Which files of a folder make up the model that is in it?"""

import os
import re
from collections.abc import Sequence
from typing import Final

from collectors.inside.view import View
from collectors.model_headers.source import BadHeader, Budget, BudgetSpent, Source

FILES_LIMIT: Final = 64
CONFIG: Final = b"config.json"
INDEX: Final = b"model.safetensors.index.json"
_WEIGHTS = re.compile(
    rb"\.(?:safetensors|gguf|onnx|joblib|pkl|pickle|pt|pth|ckpt|bin|engine|plan|keras|h5|tflite|ubj|bst|cbm|pb)$",
    re.IGNORECASE,
)
_NO_WEIGHTS = re.compile(rb"^(?:training_args\.bin|optimizer\.|scheduler\.|scaler\.|rng_state|tokenizer\.)")
"""What training leaves beside a model, and what its tokenizer is kept in."""
_VERSION = re.compile(rb"[1-9][0-9]{0,17}|0")


def files_of(view: View, folder: Sequence[bytes], budget: Budget) -> list[list[bytes]]:
    """The paths of a model's files: its config.json first, then its weights, at most `FILES_LIMIT`; those of the highest
    version where the folder has numbered ones. Of several forms of the same weights only safetensors is taken."""
    names = view.names(folder)
    found = [[*folder, name] for name in _model_in(view, folder, names, budget)]
    versions = [name for name in names if _VERSION.fullmatch(name)]
    if versions and not any(_WEIGHTS.search(parts[-1]) for parts in found):
        newest = [*folder, max(versions, key=int)]
        found += [[*newest, name] for name in _model_in(view, newest, view.names(newest), budget)]
    return found[:FILES_LIMIT]


def _model_in(view: View, folder: Sequence[bytes], names: Sequence[bytes], budget: Budget) -> list[bytes]:
    weights = [name for name in names if _WEIGHTS.search(name) and not _NO_WEIGHTS.search(name)]
    tensors = [name for name in weights if name.endswith(b".safetensors")]
    if INDEX in names:
        listed = _shards(view, [*folder, INDEX], budget)
        tensors = sorted(listed) if listed is not None and len(listed) < FILES_LIMIT else [INDEX]
    elif any(name.startswith(b"model") for name in tensors):
        tensors = [name for name in tensors if not name.startswith(b"consolidated")]
    if tensors and (CONFIG in names or INDEX in names):
        weights = tensors
    return [*([CONFIG] if CONFIG in names else []), *weights]


def _shards(view: View, path: Sequence[bytes], budget: Budget) -> list[bytes] | None:
    """The files that the index of a model names; None if it is not readable."""
    from collectors.model_headers.safetensors import read_index

    try:
        descriptor = view.open(path)
    except OSError:
        return None
    try:
        index = read_index(Source(descriptor, "", os.fstat(descriptor).st_size, budget))
    except (OSError, BadHeader, BudgetSpent):
        return None
    finally:
        os.close(descriptor)
    return [shard.encode("ascii") for shard in index.shards]
