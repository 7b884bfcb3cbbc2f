"""Is the work of a thread told from its name, its process and what is known of the worker?"""

from pathlib import Path

import pytest

from collectors.thread_class import classify_thread
from tests.hosttree import HostTree


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iou-sqp-7", "kernel"), ("iou-wrk-7", "kernel"), ("grpc_global_tim", "io"), ("event_engine", "io"),
        ("default-executo", "io"), ("asyncio_0", "io"), ("tokio-runtime-w", "io"), ("libuv-worker", "io"),
        ("ZMQbg/IO/0", "io"), ("omp-worker", "compute"), ("pt_autograd_0", "compute"), ("tf_Compute", "compute"),
        ("rayon-3", "compute"), ("ThreadPoolExecu", "python"), ("python", "python"),
    ],
)  # fmt: skip
def test_a_name_tells_the_class_where_nothing_else_is_known(tmp_path: Path, name: str, expected: str) -> None:
    tree = HostTree(tmp_path)
    tree.process(7)
    assert classify_thread(name, 8, tree.worker(7)) == expected


def test_the_leader_is_main_whatever_its_name(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(7, comm="pt_main_thread")
    assert classify_thread("pt_main_thread", 7, tree.worker(7)) == "main"


@pytest.mark.parametrize(
    ("libraries", "request_threads", "expected"),
    [
        (("openblas",), None, "compute"),
        (("openblas",), 1, "compute"),
        (("openblas",), 4, "python"),
        ((), 1, "python"),
        (None, None, "python"),
    ],
)
def test_an_unnamed_thread_computes_only_beside_a_pool_and_without_request_threads(
    tmp_path: Path, libraries: tuple[str, ...] | None, request_threads: int | None, expected: str
) -> None:
    tree = HostTree(tmp_path)
    tree.process(7, comm="gunicorn")
    worker = tree.worker(7, compute_libraries=libraries, request_threads=request_threads)
    assert classify_thread("gunicorn", 9, worker) == expected


def test_a_thread_older_than_the_process_title_keeps_the_interpreters_name(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.process(7, comm="ray::Replica")
    worker = tree.worker(7, compute_libraries=("libgomp",))
    assert classify_thread("python3.11", 9, worker) == "compute"
    assert classify_thread("ThreadPoolExecu", 9, worker) == "python"
