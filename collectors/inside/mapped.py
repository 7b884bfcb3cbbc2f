"""Which files does a process have mapped or open, and which of them are compute libraries or models?"""

import os
import re
from collections.abc import Iterable

from collectors.facts import Library
from collectors.inside.folder import ProcessFolder
from collectors.procfs import safe_text

MODEL_FILES_LIMIT = 64
DESCRIPTORS_LIMIT = 8192
_DELETED = b" (deleted)"
_MODEL = re.compile(
    rb"\.(?:gguf|safetensors|npy|joblib|pkl|pickle|pt|pth|onnx|bin|engine|plan|ckpt|keras|h5|tflite|ubj|cbm)$"
    rb"|/blobs/sha256[-:][0-9a-f]{64}$|/models--[^/]+/blobs/[0-9a-f]{64}$"
)
"""By their endings, and as Ollama and the Hugging Face hub keep them."""
_PACKAGES = (b"/site-packages/", b"/dist-packages/")
_ACCELERATOR = re.compile(rb"/dev/(?:nvidia\d+|accel/?(?:accel)?\d+|vfio/\d+|neuron\d+|kfd|dri/renderD\d+)")
"""Device files that only a user of a GPU or another accelerator has open."""
_LIBRARY = re.compile(
    r"(?P<openblas>lib(?:scipy_)?openblas)"
    r"|(?P<mkl>libmkl_)"
    r"|(?P<blis>libblis)"
    r"|(?P<libgomp>libgomp[-.])"
    r"|(?P<libiomp>libiomp\d)"
    r"|(?P<libomp>libomp[-.\d])"
    r"|(?P<torch>libtorch[_.])"
    r"|(?P<onnxruntime>libonnxruntime|onnxruntime_pybind11_state)"
    r"|(?P<tensorflow>libtensorflow|_pywrap_tensorflow)"
    r"|(?P<openvino>libopenvino)"
    r"|(?P<tbb>libtbb[-.\d])"
    r"|(?P<cuda>libcuda[-.])"
    r"|(?P<cudart>libcudart[-.])"
    r"|(?P<rocm>libamdhip64|libhsa-runtime64)"
    r"|(?P<llama>libllama|libggml)"
    r"|(?P<xgboost>libxgboost)"
    r"|(?P<lightgbm>lib_?lightgbm)"
    r"|(?P<ray>_raylet[-.])"
)


def mapped_paths(folder: ProcessFolder) -> tuple[bytes, ...]:
    """The distinct files of /proc/PID/maps in the order of their first address."""
    found: dict[bytes, None] = {}
    for line in folder.lines("maps"):
        fields = line.split(None, 5)
        if len(fields) == 6 and fields[5].startswith(b"/"):
            found[fields[5].removesuffix(_DELETED)] = None
    return tuple(found)


def descriptor_targets(folder: ProcessFolder) -> tuple[bytes, ...]:
    """What the entries of /proc/PID/fd point to: paths, `socket:[inode]`. One that is closed meanwhile is left out."""
    listing = folder.open("fd", os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = os.listdir(listing)
    finally:
        os.close(listing)
    found = []
    for name in names[:DESCRIPTORS_LIMIT]:
        try:
            found.append(folder.link(f"fd/{name}"))
        except FileNotFoundError:
            continue
    return tuple(found)


def library_kind(path: str) -> str | None:
    """The kind of a library that owns a thread pool or a runtime, from its file's name."""
    match = _LIBRARY.match(path.rpartition("/")[2])
    return match.lastgroup if match else None


def libraries_in(paths: Iterable[bytes]) -> tuple[Library, ...]:
    """The libraries among mapped files that matter for advice."""
    texts = (safe_text(path) for path in paths)
    return tuple(Library(kind, text) for text in texts if (kind := library_kind(text)))


def model_paths_in(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """The files among mapped and open ones that look like models, at most `MODEL_FILES_LIMIT`."""
    found: dict[bytes, None] = {}
    for path in paths:
        plain = path.removesuffix(_DELETED)
        if plain.startswith(b"/") and _MODEL.search(plain) and not any(folder in plain for folder in _PACKAGES):
            found[plain] = None
    return tuple(found)[:MODEL_FILES_LIMIT]


def accelerators_in(targets: Iterable[bytes]) -> tuple[str, ...]:
    """The device files of accelerators among open ones, in order, each once."""
    return tuple(sorted({target.decode() for target in targets if _ACCELERATOR.fullmatch(target)}))
