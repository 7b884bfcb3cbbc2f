"""Of which format is a model file, by its first bytes, and what does its header say?"""

from collections.abc import Callable

from collectors.model_file import ModelFile
from collectors.model_headers.source import BadHeader, Budget, BudgetSpent, Source

Read = Callable[[Source], ModelFile]

UNKNOWN = "unknown"
NOT_READ = "not read: budget"
_HEAD_BYTES = 16
_ONLY_NAMED = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"), (b"\x93NUMPY", "npy"), (b"ftrt", "tensorrt"), (b"CBM1", "catboost"),
    (b"tree\nversion", "lightgbm"), (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9", "torch-pickle"),
)  # fmt: skip
"""How formats begin of which no more than the name and the size is told."""
_BY_ENDING = {
    ".onnx": "onnx", ".joblib": "joblib", ".pkl": "pickle", ".pickle": "pickle", ".engine": "tensorrt",
    ".plan": "tensorrt", ".pb": "tensorflow", ".safetensors": "safetensors", ".gguf": "gguf",
}  # fmt: skip
_PICKLES = (".joblib", ".pkl", ".pickle")


def read_model_file(descriptor: int, path: str, size: int, budget: Budget | None = None) -> ModelFile:
    """What the header says, or why it says no more. `descriptor` is of a plain file of `size` bytes; `path` is told and
    its ending used. Never raises for what is in the file."""
    source = Source(descriptor, path, size, budget or Budget())
    form = _BY_ENDING.get(_ending(source.name), UNKNOWN)
    try:
        form, read = _format(source, source.at(0, _HEAD_BYTES))
        if read is not None:
            return read(source)
        problem = None
    except BadHeader as bad:
        problem = bad.reason
    except BudgetSpent:
        problem = NOT_READ
    except OSError:
        problem = "not readable"
    return ModelFile(path=path, format=form, size_bytes=size, problem=problem)


def _ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if stem and dot else ""


def _format(source: Source, head: bytes) -> tuple[str, Read | None]:
    """The format, and what reads it; each format's reader is loaded when it is first needed."""
    ending = _ending(source.name)
    if head.startswith(b"GGUF") or ending == ".gguf":
        from collectors.model_headers.gguf import read_gguf

        return "gguf", read_gguf
    for magic, name in _ONLY_NAMED:
        if head.startswith(magic):
            return name, None
    if head.startswith(b"PK\x03\x04"):
        from collectors.model_headers.zipped import zip_format

        return zip_format(source), None
    if head[4:8] == b"TFL3":
        return "tflite", None
    if source.name == "config.json":
        from collectors.model_headers.hf_config import FORMAT, read_hf_config

        return FORMAT, read_hf_config
    if source.name.endswith(".safetensors.index.json"):
        from collectors.model_headers.safetensors import INDEX_FORMAT, read_index_file

        return INDEX_FORMAT, read_index_file
    if ending == ".safetensors" or _begins_safetensors(head, source.size):
        from collectors.model_headers.safetensors import read_safetensors

        return "safetensors", read_safetensors
    if ending == ".onnx":
        from collectors.model_headers.onnx import read_onnx

        return "onnx", read_onnx
    if ending in _PICKLES or _begins_pickle(head):
        from collectors.model_headers.pickled import read_pickled

        return ("joblib" if ending == ".joblib" else "pickle"), read_pickled
    return _BY_ENDING.get(ending, UNKNOWN), None


def _begins_safetensors(head: bytes, size: int) -> bool:
    return head[8:10] in (b'{"', b"{ ", b"{}") and int.from_bytes(head[:8], "little") <= size - 8


def _begins_pickle(head: bytes) -> bool:
    """`PROTO n` and, from protocol 4 on, a frame."""
    return head[:1] == b"\x80" and (head[1:2] in (b"\x02", b"\x03") or (head[1:3] in (b"\x04\x95", b"\x05\x95")))
