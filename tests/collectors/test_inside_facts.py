"""Each part of a process's facts is read by itself, and only from the process meant."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from collectors.entities import WorkerKey
from collectors.facts import Environ, Library, Limits, Listening, ProcessFacts
from collectors.framework import SettingsRequest
from collectors.host import Host
from collectors.inside import read_facts
from collectors.inside.mapped import library_kind
from collectors.procfs import parse_stat
from collectors.reading import Unsupported
from tests.collectors.process_tree import host_of, key_of, make_process, maps_line, stat_line

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 901 1 0000000000000000 100 0
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 999 1 0000000000000000 100 0
   2: 0100007F:1F90 0100007F:A000 01 00000000:00000000 00:00000000 00000000  1000        0 902 1 0000000000000000 100 0
"""
TCP6 = TCP.splitlines()[0] + (
    "\n   0: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000"
    " 00:00000000 00000000  1000        0 903 1 0000000000000000 100 0 0\n"
)


def facts_of(root: Path) -> ProcessFacts:
    return read_facts(host_of(root), key_of(), ())


def test_the_parts_of_a_fixture_process(tmp_path: Path) -> None:
    site = "/venv/lib/python3.11/site-packages"
    maps = (
        maps_line(f"{site}/numpy.libs/libscipy_openblas64_-32a4b2a6.so") * 3
        + maps_line(f"{site}/torch/lib/libgomp-e985bcbb.so.1.0.0")
        + maps_line(f"{site}/x/data.npy")
        + maps_line("/models/my model.gguf (deleted)")
        + "7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0                          [stack]\n"
        + "7ffc00002000-7ffc00003000 rw-p 00000000 00:00 0 \n"
    )
    folder = make_process(tmp_path, maps=maps, environ=b"OMP_NUM_THREADS=4\0API_KEY=planted\0")
    for number, target in enumerate(["socket:[901]", "socket:[902]", "socket:[903]", "/models/w.joblib", "/dev/null"]):
        (folder / "fd" / str(number)).symlink_to(target)
    (folder / "net" / "tcp").write_text(TCP)
    (folder / "net" / "tcp6").write_text(TCP6)
    facts = facts_of(tmp_path)
    assert facts == ProcessFacts(
        key=key_of(),
        environ=Environ({"OMP_NUM_THREADS": "4"}),
        libraries=(
            Library("openblas", f"{site}/numpy.libs/libscipy_openblas64_-32a4b2a6.so"),
            Library("libgomp", f"{site}/torch/lib/libgomp-e985bcbb.so.1.0.0"),
        ),
        model_files=("/models/my model.gguf", "/models/w.joblib"),
        cwd="/app",
        exe="/usr/bin/python3.11",
        listening=(Listening("127.0.0.1", 8080, 901), Listening("::1", 8082, 903)),
        limits=Limits(),
    )


def test_at_most_64_model_files_are_told(tmp_path: Path) -> None:
    make_process(tmp_path, maps="".join(maps_line(f"/m/{number}.onnx") for number in range(100)))
    assert len(facts_of(tmp_path).model_files) == 64  # type: ignore[arg-type]


def test_a_reused_pid_is_never_read(tmp_path: Path) -> None:
    folder = make_process(tmp_path)
    (folder / "stat").write_text(stat_line(4242, "python", started=778))
    facts = facts_of(tmp_path)
    parts = (facts.environ, facts.libraries, facts.model_files, facts.cwd, facts.exe, facts.listening, facts.limits)
    assert {part.reason for part in parts if isinstance(part, Unsupported)} == {"process vanished"}
    assert len([part for part in parts if isinstance(part, Unsupported)]) == 7


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_process_that_ended_has_no_empty_environment(tmp_path: Path, state: str) -> None:
    make_process(tmp_path, state=state, environ=b"")
    assert facts_of(tmp_path).environ == Unsupported("process vanished", "ask for a process that still runs")


def test_an_absent_process_has_vanished(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert isinstance(facts_of(tmp_path).cwd, Unsupported)


def test_an_erased_environment_says_how_to_keep_it(tmp_path: Path) -> None:
    make_process(tmp_path, environ=b"\0" * 100)
    environ = facts_of(tmp_path).environ
    assert isinstance(environ, Unsupported)
    assert "SPT_NOENV=1" in environ.hint


def test_a_part_that_is_missing_leaves_the_others(tmp_path: Path) -> None:
    folder = make_process(tmp_path)
    (folder / "maps").unlink()
    (folder / "exe").unlink()
    facts = facts_of(tmp_path)
    assert facts.libraries == Unsupported(
        "maps: No such file or directory", "this kernel or this process has no such file"
    )
    assert isinstance(facts.exe, Unsupported)
    assert facts.model_files == ()
    assert facts.environ == Environ({"OMP_NUM_THREADS": "4"})


def test_limits_are_those_of_the_process_own_cgroup_tree(tmp_path: Path) -> None:
    tree = make_process(tmp_path) / "root/sys/fs/cgroup"
    tree.mkdir(parents=True)
    (tree / "cpu.max").write_text("150000 100000\n")
    (tree / "memory.max").write_text("max\n")
    (tree / "cpuset.cpus.effective").write_text("0-3\n")
    assert facts_of(tmp_path).limits == Limits(cpu_quota_cores=1.5, memory_max_bytes=None, cpuset="0-3")
    (tree / "cpu.max").write_text("max 100000\n")
    (tree / "memory.max").write_text("1073741824\n")
    (tree / "cpuset.cpus.effective").unlink()
    assert facts_of(tmp_path).limits == Limits(memory_max_bytes=1073741824)


def test_no_limits_are_stated_where_the_process_sees_our_own_tree(tmp_path: Path) -> None:
    folder = make_process(tmp_path)
    ours = tmp_path / "sys/fs/cgroup"
    ours.mkdir(parents=True)
    (ours / "cpu.max").write_text("100000 100000\n")
    for path in sorted((folder / "root").rglob("*"), reverse=True):
        path.rmdir()
    (folder / "root").rmdir()
    (folder / "root").symlink_to(tmp_path)
    assert facts_of(tmp_path).limits == Limits()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("libopenblasp-r0.3.21.so", "openblas"),
        ("libscipy_openblas64_-32a4b2a6.so", "openblas"),
        ("libmkl_core.so.2", "mkl"),
        ("libblis.so.4", "blis"),
        ("libgomp.so.1", "libgomp"),
        ("libiomp5.so", "libiomp"),
        ("libomp.so.5", "libomp"),
        ("libomp-7b2c.so", "libomp"),
        ("libtorch_cpu.so", "torch"),
        ("libtorch.so", "torch"),
        ("onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", "onnxruntime"),
        ("libonnxruntime.so.1.20.0", "onnxruntime"),
        ("libtensorflow_cc.so.2", "tensorflow"),
        ("_pywrap_tensorflow_internal.so", "tensorflow"),
        ("libopenvino.so.2500", "openvino"),
        ("libtbb.so.12", "tbb"),
        ("libtbb12.so", "tbb"),
        ("libcuda.so.1", "cuda"),
        ("libcudart-d0da41ae.so.11.0", "cudart"),
        ("libamdhip64.so.6", "rocm"),
        ("libllama.so", "llama"),
        ("libggml-cpu.so", "llama"),
        ("libxgboost.so", "xgboost"),
        ("lib_lightgbm.so", "lightgbm"),
        ("libompstub.so", None),
        ("libtbbmalloc.so.2", None),
        ("libc.so.6", None),
        ("libtorchaudio.so", None),
    ],
)
def test_libraries_are_known_by_their_file_names(name: str, kind: str | None) -> None:
    assert library_kind(f"/usr/lib/{name}") == kind


CHILD = """
import mmap, os, socket, sys, time
file = open("weights.safetensors", "r+b")
view = mmap.mmap(file.fileno(), 0)
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that maps a model, listens and was started with secrets."""
    (tmp_path / "weights.safetensors").write_bytes(b"x" * 4096)
    (tmp_path / "settings.json").write_text(json.dumps({"parallel_workers": 2, "api_key": "planted-in-settings"}))
    env = {"OMP_NUM_THREADS": "2", "MLSERVER_API_KEY": "planted-in-environ", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", CHILD, "--api-key", "planted-in-argv"]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_real_process_is_read_and_its_secrets_are_not(child: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert child.stdout is not None
    port = int(child.stdout.readline())
    started = parse_stat(Path(f"/proc/{child.pid}/stat").read_bytes()).started
    request = SettingsRequest(name="settings", pattern="settings.json", keys=("parallel_workers", "api_key"))
    facts = read_facts(Host.real(), WorkerKey(child.pid, started), [request])
    assert facts.environ == Environ({"OMP_NUM_THREADS": "2"})
    assert facts.model_files == (f"{tmp_path}/weights.safetensors",)
    (model,) = facts.models
    assert (model.path, model.format, model.size_bytes) == (f"{tmp_path}/weights.safetensors", "safetensors", 4096)
    assert model.problem == "cut short: a header of 8680820740569200760 bytes was promised, the file has 4096"
    assert facts.cwd == str(tmp_path)
    assert isinstance(facts.exe, str)
    assert [(each.address, each.port) for each in facts.listening] == [("127.0.0.1", port)]  # type: ignore[union-attr]
    assert [file.values for file in facts.settings_files] == [{"parallel_workers": 2}]
    assert b"planted" not in msgspec.json.encode(facts)


def test_a_process_that_ended_between_two_looks_is_told_as_vanished(child: subprocess.Popen[bytes]) -> None:
    assert child.stdout is not None
    child.stdout.readline()
    started = parse_stat(Path(f"/proc/{child.pid}/stat").read_bytes()).started
    child.kill()
    child.wait()
    facts = read_facts(Host.real(), WorkerKey(child.pid, started), ())
    assert facts.environ == Unsupported("process vanished", "ask for a process that still runs")
