"""Which changes are made in the application's or its clients' code, and what do they look like with each server?

No setting of a server turns these. A place of kind `code` names what to call and why; nothing is known of the code itself.
"""

from collections.abc import Mapping

from collectors.entities import Service
from collectors.levers import Lever, Place, Value

_GRAPHS = (
    'torch.compile(mode="reduce-overhead")',
    "captures the kernels of a model in CUDA graphs, as torch.cuda.CUDAGraph does by hand and `enable_cuda_graph` in ONNX "
    "Runtime: one launch for all of them. Shapes have to be few: pad the inputs to some sizes",
)
_PYTHON_SERVERS = frozenset((
    "gunicorn", "uvicorn", "hypercorn", "generic", "litserve", "ray-serve", "bentoml", "torchserve", "mlserver", "kserve",
    "seldon-core",
))  # fmt: skip
"""Servers in which the model's own code decides how its kernels are launched. Those of language models have settings."""
_TENSOR_BODY = (
    "application/octet-stream",
    "the endpoint reads the body as bytes and makes the array with numpy.frombuffer; clients send array.tobytes()",
)
_V2_GRPC = ("raw_input_contents", "gRPC of the V2 protocol carries tensors as bytes: the gRPC port instead of REST")
_PAYLOAD: Mapping[str, tuple[str, str]] = {
    "mlserver": _V2_GRPC,
    "seldon-core": _V2_GRPC,
    "kserve": _V2_GRPC,
    "triton": (
        "binary_data=True",
        "the binary tensor extension of the client (InferInput.set_data_from_numpy), or gRPC",
    ),
    "openvino-model-server": _V2_GRPC,
    "tensorflow-serving": ("tensor_content", "gRPC PredictRequest with tensor_content instead of REST instances"),
    "torchserve": (
        "application/octet-stream",
        "clients send the tensor's bytes as the body; the handler's preprocess gets them unparsed",
    ),
    "ray-serve": ("starlette.requests.Request.body", _TENSOR_BODY[1]),
    "bentoml": (
        "numpy.typing.NDArray",
        "an API that declares arrays takes application/vnd.bentoml+pickle or multipart bytes besides JSON",
    ),
    "litserve": ("decode_request", "decode_request gets the raw body where the request is no JSON"),
    "gunicorn": _TENSOR_BODY,
    "uvicorn": _TENSOR_BODY,
    "hypercorn": _TENSOR_BODY,
    "generic": _TENSOR_BODY,
}
"""Framework -> what carries tensors as bytes there, and how. Servers of language models take text: no entry."""

_THREAD = {
    "uvicorn": "a handler declared with `def` runs in a pool of threads, or `await asyncio.to_thread(...)` inside it",
    "mlserver": "`await asyncio.to_thread(...)` inside predict",
    "litserve": "`await asyncio.to_thread(...)` inside predict",
}
_TO_THREAD = "`await asyncio.to_thread(...)` around the call, or a client library that awaits"
_TO_PROCESS = "it holds the interpreter's lock, so a thread would not free the loop: `loop.run_in_executor(pool, ...)`"

_STAGES: Mapping[str, tuple[str, str]] = {
    "decode": (
        "decode at the needed scale",
        "JPEG decoders skip most of the work for 1/2, 1/4, 1/8 of the size: PIL `Image.draft`, OpenCV `IMREAD_REDUCED_*`",
    ),
    "tokenise": (
        "a compiled tokeniser, truncating",
        "a `Fast` tokeniser instead of one in Python, `truncation=True`, one call for all texts of a request",
    ),
    "tokenise-compiled": (
        "truncate, and keep what repeats",
        "the tokeniser is compiled already: `truncation=True` with the model's length, and a cache of repeated texts",
    ),
    "features": ("a vectorised or separate stage", "features over whole columns, or in a service of their own"),
}
"""Stage of preprocessing -> what to do about it, and how."""

_RUNTIMES: Mapping[str, tuple[str, str]] = {
    "onnxruntime": (
        "onnxruntime.InferenceSession",
        "torch.onnx.export, or skl2onnx.to_onnx for scikit-learn, writes the model once; compare its answers with the "
        "old ones; intra_op_num_threads takes the place of OMP_NUM_THREADS",
    ),
}
"""Runtime of graphs -> what to call, and how the model gets there."""
_PRECISIONS: Mapping[str, tuple[str, str]] = {
    "int8": (
        "onnxruntime.quantization.quantize_dynamic",
        "or torchao, or NNCF for OpenVINO: evaluate its accuracy on your own data before anybody is served by it",
    ),
    "int8-calibrated": (
        "onnxruntime.quantization.quantize_static",
        "convolutions need ranges of their inputs, from some hundred real ones: evaluate its accuracy before it serves",
    ),
}
"""Form of the weights -> what makes it, and what to look at."""


def code_places(lever: Lever, value: Value, service: Service) -> tuple[Place, ...]:
    """Where a lever of the code is set to `value`; empty for other levers, and where the server has no such thing."""
    if lever is Lever.PAYLOAD_FORMAT:
        found = _PAYLOAD.get(service.framework)
        return (_code(service, found[0], value, found[1]),) if found else ()
    if lever is Lever.CUDA_GRAPHS:
        return (_code(service, _GRAPHS[0], value, _GRAPHS[1]),) if service.framework in _PYTHON_SERVERS else ()
    if lever is Lever.LOOP_OFFLOAD:
        if value == "process pool":
            return (_code(service, "concurrent.futures.ProcessPoolExecutor", value, _TO_PROCESS),)
        return (_code(service, "asyncio.to_thread", value, _THREAD.get(service.framework, _TO_THREAD)),)
    if lever is Lever.PREPROCESSING:
        return tuple(_code(service, stage, value, how) for stage, (text, how) in _STAGES.items() if text == value)
    if lever is Lever.SWITCH_INTERVAL:
        how = "the interpreter reads no variable for it: each worker calls it once at its start"
        return (_code(service, "sys.setswitchinterval", value, how),)
    known = {Lever.MODEL_RUNTIME: _RUNTIMES, Lever.MODEL_PRECISION: _PRECISIONS}.get(lever)
    if known is not None and (made := known.get(str(value))) is not None and service.framework in _PYTHON_SERVERS:
        return (_code(service, made[0], value, made[1]),)
    if lever is Lever.INPUT_SIZE:
        how = "clients resize or cut before they send; the outputs must be checked on the smaller input"
        return (_code(service, "input of the clients", value, how),)
    return ()


def stage_advice(stage: str) -> str:
    """What to propose for a stage of preprocessing (`decode`, `tokenise`, `features`)."""
    return _STAGES[stage][0]


def _code(service: Service, key: str, value: Value, because: str) -> Place:
    return Place(kind="code", target=service.framework, key=key, value=value, effective=True, because=because)
