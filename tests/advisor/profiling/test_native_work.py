"""Native functions by library and name, as they were seen in real processes."""

import pytest

from advisor.profiling.native_work import UNKNOWN, NativeIndex
from advisor.profiling.table import load_table
from collectors.profiles.profile import Frame
from tests.advisor.profiling.profiles import LIB, SITE

INDEX = NativeIndex(load_table().file)
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
TORCH = f"{SITE}/torch/lib/libtorch_cpu.so"
UMATH = f"{SITE}/numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so"
OPENBLAS = f"{SITE}/numpy.libs/libscipy_openblas64_-32a4b2a6.so"


@pytest.mark.parametrize(
    ("name", "file", "kernel", "works"),
    [
        ("sgemm_kernel_SKYLAKEX", OPENBLAS, False, "kernel"),
        ("inner_thread", OPENBLAS, False, "spin"),
        ("blas_thread_server", OPENBLAS, True, "spin"),
        ("mkl_blas_def_sgemm_kernel_0_zen", TORCH, False, "kernel"),
        ("mkl_vml_kernel_sExp_EXHAynn", TORCH, False, "array"),
        ("at::native::addmm_impl_cpu_", TORCH, False, "kernel"),
        ("c10::function_ref::callback_fn", TORCH, True, "array"),
        ("torch::utils::(anonymous)::recursive_store", f"{SITE}/torch/lib/libtorch_python.so", False, "serialise"),
        ("", f"{SITE}/torch/lib/libgomp.so.1", False, "spin"),
        ("DOUBLE_exp_X86_V4", UMATH, False, "array"),
        ("PyArray_DiscoverDTypeAndShape_Recursive", UMATH, False, "serialise"),
        ("PyArray_PromoteTypes", UMATH, False, "array|serialise"),
        ("", f"{SITE}/onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", False, "kernel"),
        ("", f"{SITE}/orjson/orjson.cpython-311-x86_64-linux-gnu.so", False, "serialise"),
        ("", f"{SITE}/pydantic_core/_pydantic_core.cpython-311-x86_64-linux-gnu.so", False, "serialise"),
        ("hashbrown::map::HashMap::insert", f"{SITE}/tokenizers/tokenizers.abi3.so", False, "tokenise"),
        ("_ImagingResampleHorizontal_8bpc", f"{SITE}/PIL/_imaging.cpython-311-x86_64-linux-gnu.so", False, "decode"),
        ("", f"{SITE}/pillow.libs/libjpeg-6dc8d115.so.62.4.0", False, "decode"),
        ("inflate", "/lib/x86_64-linux-gnu/libz.so.1.2.13", False, "serialise|decode"),
        ("Tree__apply_dense", f"{SITE}/sklearn/tree/_tree.cpython-311-x86_64-linux-gnu.so", False, "trees"),
        ("", f"{SITE}/lightgbm/lib/lib_lightgbm.so", False, "trees"),
        ("save_float", f"{LIB}/lib-dynload/_pickle.cpython-311-x86_64-linux-gnu.so", False, "serialise|ipc"),
        ("task_step", f"{LIB}/lib-dynload/_asyncio.cpython-311-x86_64-linux-gnu.so", False, "loop"),
        ("math_floor", f"{LIB}/lib-dynload/math.cpython-311-x86_64-linux-gnu.so", False, "interpreter"),
        ("_PyEval_EvalFrameDefault", "/usr/lib/libpython3.11.so.1.0", False, "interpreter"),
        ("_PyEval_EvalFrameDefault", "/usr/bin/python3.11", False, "interpreter"),
        ("gc_collect_main", "/usr/lib/libpython3.11.so.1.0", False, "gc"),
        ("dict_traverse", "/usr/bin/python3.12", False, "gc"),
        ("take_gil", "/usr/lib/libpython3.11.so.1.0", False, "gil-wait"),
        ("pthread_cond_timedwait", LIBC, True, "gil-wait"),
        ("pthread_mutex_lock", LIBC, False, "helper"),
        ("sem_clockwait", LIBC, True, "lock"),
        ("sched_yield", LIBC, True, "spin"),
        ("__send", LIBC, True, "io"),
        ("epoll_wait", LIBC, True, "loop"),
        ("malloc", LIBC, False, "helper"),
        ("brk", LIBC, True, "helper"),
        ("", LIBC, False, "helper"),
        ("cudaStreamSynchronize", "/opt/libcudart.so.12", False, "cuda-sync"),
        ("cudaLaunchKernel", "/opt/libcudart.so.12", False, "cuda-launch"),
        ("cudaMalloc", "/opt/libcudart.so.12", False, "allocation"),
        ("", "[unknown]", False, "unknown"),
        ("f", "/srv/app/own_extension.so", False, "unknown"),
    ],
)  # fmt: skip
def test_a_function_is_known_by_its_library_and_its_name(name: str, file: str, kernel: bool, works: str) -> None:
    assert "|".join(INDEX.work(Frame(name, file, None, True), kernel=kernel).works) == works


def test_what_releases_the_gil_and_what_holds_it() -> None:
    def gil(name: str, file: str) -> str:
        return INDEX.work(Frame(name, file, None, True), kernel=False).gil

    assert gil("dgemm_kernel", OPENBLAS) == "free"
    assert gil("", f"{SITE}/orjson/orjson.so") == "held"
    assert gil("DOUBLE_sqrt", UMATH) == "either"
    assert gil("__send", LIBC) == "free"


def test_code_made_at_run_time_is_of_the_library_that_makes_it() -> None:
    code = Frame("", "[anonymous]", None, True)
    assert INDEX.work(code, kernel=False, jit=INDEX.jit([UMATH, TORCH])).works == ("kernel",)
    assert INDEX.work(code, kernel=False, jit=INDEX.jit([f"{SITE}/numba/_dispatcher.so"])).works == ("array",)
    assert INDEX.jit([UMATH]) == UNKNOWN
