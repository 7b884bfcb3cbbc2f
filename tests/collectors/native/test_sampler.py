"""Threads of real programs, sampled by the real kernel."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.native.sampler import NativeSampler
from collectors.native.support import native_support
from collectors.reading import Unsupported
from tests.collectors.native.program import HOST, Program, by_file, key_of, open_descriptors, program, sample, share

REFUSED = native_support(HOST)
pytestmark = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
needs_two_cpus = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")


@needs_two_cpus
def test_threads_of_a_blas_pool_are_seen_in_its_kernels() -> None:
    with program("multiply", 1.0, OPENBLAS_NUM_THREADS="2") as running:
        samples, _ = sample(running, 199)
        main = running.process.pid
    kernels = re.compile(r"[sd]gemm|inner_thread|blas", re.IGNORECASE)
    seen: Counter[bool] = Counter()
    for (tid, frame, *_), count in samples.counts.items():
        if "openblas" in frame.file and kernels.search(frame.name):
            seen[tid == main] += count
    assert seen[True] > 100
    assert seen[False] > 50
    assert samples.lost == 0
    assert samples.notes == ()


@pytest.mark.parametrize(
    ("kind", "library"),
    [("zlib", "libz|zlib|python"), ("digest", "libcrypto|_hashlib|python"), ("json", "_json|python")],
)
def test_c_code_behind_python_is_in_its_own_library(kind: str, library: str) -> None:
    with program(kind, 0.5) as running:
        samples, _ = sample(running, 499)
    files = by_file(samples)
    inside = sum(count for name, count in files.items() if re.search(library, name))
    assert inside / files.total() > 0.7
    assert 200 <= files.total() <= 300


def test_shares_are_those_that_the_program_measures() -> None:
    with program("two", 3.0) as running:
        samples, spent = sample(running, 499)
    files = by_file(samples)
    total = sum(spent.values())
    assert 0.05 < spent["sort"] / total < 0.95
    assert share(files, "openblas") == pytest.approx(spent["multiply"] / total, abs=0.05)
    assert share(files, "_multiarray_umath") == pytest.approx(spent["sort"] / total, abs=0.05)
    assert files.total() / 499 == pytest.approx(total, rel=0.05)


@pytest.mark.skipif(shutil.which("perf") is None, reason="needs perf")
def test_shares_are_those_of_perf(tmp_path: Path) -> None:
    data = tmp_path / "perf.data"
    with program("two", 2.0) as running:
        command = [
            "perf",
            "record",
            "-q",
            "-e",
            "cpu-clock",
            "-F",
            "499",
            "-o",
            str(data),
            "-p",
            str(running.process.pid),
        ]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as recorder:
            try:
                samples, _ = sample(running, 499)
            finally:
                recorder.terminate()
                recorder.wait(30)
    report = subprocess.run(
        ["perf", "report", "-i", str(data), "--sort", "dso", "--stdio", "-q"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    theirs = {name: float(percent) / 100 for percent, name in re.findall(r"([\d.]+)%\s+(\S+)", report.stdout)}
    files = by_file(samples)
    for part in ("openblas", "_multiarray_umath"):
        assert share(files, part) == pytest.approx(sum(s for n, s in theirs.items() if part in n), abs=0.05)


def test_time_in_the_kernel_belongs_to_the_function_that_called_it() -> None:
    with program("kernel", 0.5) as running:
        samples, _ = sample(running, 499)
    kernel = sum(count for (_, _, kernel, _), count in samples.counts.items() if kernel)
    if not samples.kernel_seen:
        pytest.skip("the kernel's part is refused here")
    assert kernel / by_file(samples).total() > 0.8
    called = Counter({frame.name: count for (_, frame, kernel, _), count in samples.counts.items() if kernel})
    assert "pread" in called.most_common(1)[0][0]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its loop is x86_64 code")
def test_code_made_at_run_time_is_anonymous() -> None:
    with program("made", 0.5) as running:
        samples, _ = sample(running, 499)
    assert share(by_file(samples), "[anonymous]") > 0.9


def test_the_process_is_never_stopped_nor_traced() -> None:
    states: Counter[str] = Counter()
    with program("two", 1.0) as running:
        status = Path(f"/proc/{running.process.pid}/status")

        def look(sampler: NativeSampler) -> None:
            sampler.drain()
            for _ in range(100):
                text = status.read_text()
                states[re.findall(r"State:\s(\w)", text)[0]] += 1
                states[re.findall(r"TracerPid:\s(\d+)", text)[0]] += 1

        sample(running, 999, look)
    assert states["0"] > 100
    assert states["0"] == states.total() / 2
    assert states["T"] == states["t"] == 0


def test_threads_that_come_and_go_do_no_harm() -> None:
    seen: set[int] = set()

    def look(sampler: NativeSampler) -> None:
        seen.update(running.tids)
        sampler.add([*seen, *running.tids])
        sampler.drain()

    with program("churn", 1.0) as running:
        samples, _ = sample(running, 199, look)
    assert len(seen) > 2  # the main thread, and at least two of those that live for milliseconds
    assert share(by_file(samples), "[unknown]") == 0
    assert samples.lost == 0


def test_a_process_that_ends_leaves_its_samples_with_their_libraries() -> None:
    sampler = None
    with program("multiply", 60) as running:
        sampler = NativeSampler(HOST, running.key)
        assert sampler.start(running.tids, 199) is None
        running.begin()
        assert running.done(0.5) is None
        sampler.drain()
        running.process.kill()
        running.process.wait()
    samples = sampler.stop()
    files = by_file(samples)
    assert share(files, "openblas") > 0.9
    assert files.total() > 20
    assert samples.notes == ("the process ended before its functions could be named",)


@pytest.fixture(name="resting")
def resting_program() -> object:
    with program("threads", 0.2) as running:
        yield running


def test_300_threads_are_sampled_and_every_descriptor_is_closed(resting: Program) -> None:
    before = open_descriptors()
    sampler = NativeSampler(HOST, resting.key)
    assert len(resting.tids) >= 301
    assert sampler.start(resting.tids, 99) is None
    assert len(open_descriptors()) >= len(before) + 301
    resting.begin()
    while resting.done(0.1) is None:
        sampler.drain()
    samples = sampler.stop()
    assert {place.tid for place in samples.counts} == {resting.process.pid}
    assert open_descriptors() == before
    sampler.close()
    sampler.close()
    assert open_descriptors() == before
    assert sampler.stop().counts == {}


def test_a_reused_pid_is_not_sampled(resting: Program) -> None:
    before = open_descriptors()
    key = resting.key
    refused = NativeSampler(HOST, WorkerKey(key.pid, key.started - 1)).start(resting.tids, 99)
    assert isinstance(refused, Unsupported)
    assert refused.reason == "the process has ended"
    assert open_descriptors() == before


def test_threads_of_another_process_are_not_sampled(resting: Program) -> None:
    before = open_descriptors()
    refused = NativeSampler(HOST, key_of(os.getpid())).start(resting.tids[:5], 99)
    assert isinstance(refused, Unsupported)
    assert refused.reason == "its threads have ended"
    assert open_descriptors() == before


def test_threads_that_have_ended_are_said_so() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    refused = NativeSampler(HOST, key_of(os.getpid())).start([gone.pid], 99)
    assert isinstance(refused, Unsupported)
    assert refused.reason == "its threads have ended"
