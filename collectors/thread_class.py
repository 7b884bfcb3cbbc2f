"""What kind of work is a thread there for, judged by its name?"""

from collectors.entities import Worker

CLASSES = MAIN, COMPUTE, PYTHON, IO, KERNEL = "main", "compute", "python", "io", "kernel"

_KERNEL_NAMES = ("iou-",)
"""io_uring's threads run in the kernel but are listed among the process's own."""

_IO_NAMES = (
    "grpc",
    "event_engine",
    "lifeguard",
    "resolver",
    "default-executo",
    "timer_manager",
    "tokio",
    "uv",
    "libuv-worker",
    "asyncio",
    "zmq",
    "ZMQ",
    "epollEventLoop",
    "cuda-EvtHandlr",
)  # fmt: skip

_COMPUTE_NAMES = (
    "omp",
    "OMP",
    "OpenBLAS",
    "openblas",
    "intra",
    "inter_op",
    "ORT",
    "onnxruntime",
    "pt_",
    "torch",
    "rayon",
    "polars",
    "tbb",
    "TBB",
    "mkl",
    "tf_",
    "Eigen",
    "llama",
    "ggml",
)  # fmt: skip


def classify_thread(name: str, tid: int, worker: Worker) -> str:
    """`main`, `compute`, `python`, `io` or `kernel`.

    Pools that name their threads are told by that name. Most do not (OpenMP, OpenBLAS, ONNX Runtime): such a thread
    has the name that its process had at that time, and so has a Python thread before Python 3.14. It counts as compute
    where a library with a thread pool is mapped and the server runs requests on its main thread alone.
    """
    if name.startswith(_KERNEL_NAMES):
        return KERNEL
    if tid == worker.pid:
        return MAIN
    if name.startswith(_IO_NAMES):
        return IO
    if name.startswith(_COMPUTE_NAMES):
        return COMPUTE
    pools_alone = bool(worker.compute_libraries) and not (worker.request_threads or 1) > 1
    return COMPUTE if pools_alone and _inherited(name, worker) else PYTHON


def _inherited(name: str, worker: Worker) -> bool:
    # A title set later renames the main thread alone: threads that are older keep the interpreter's name.
    return name == worker.process.comm or name.startswith("python")
