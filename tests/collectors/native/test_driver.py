"""What the CUDA driver was called for: in chains as they were recorded on a GPU, and in a library built to look like it."""

import json
import mmap
import os
import resource
import sys
from collections import Counter
from pathlib import Path

import pytest

from collectors.inside.folder import ProcessFolder
from collectors.native.driver import NEAR_FRAMES, driver_code, exported, has_driver
from collectors.native.mapped import Mapping, Mappings
from collectors.native.perf_event import CHAIN_LIMIT, Asked, ring_bytes
from collectors.native.sampler import NativeSampler, NativeSamples
from collectors.native.support import native_support
from collectors.profiles.profile import Frame
from tests.collectors.native.forked import CAP_IPC_LOCK, give_up, in_child
from tests.collectors.native.program import HOST, key_of, sample, started
from tests.programs.driver_build import COMPILER, WORK, build_driver

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "profiles"
RECORDED = sorted(path for path in RECORDINGS.glob("cuda-*.json") if ".profile" not in path.name)
REFUSED = native_support(HOST)
granted = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
ROOM = {callers: mmap.PAGESIZE + ring_bytes(99, Asked(chain=callers, stack=callers)) for callers in (False, True)}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try what others may do")

LIBCUDA, LIBC, TORCH = "/usr/lib/libcuda.so.580.159.04", "/usr/lib/libc.so.6", "/srv/torch/lib/libtorch_cuda.so"
PLACES = {LIBCUDA: 0x10000, LIBC: 0x20000, "[vdso]": 0x30000, TORCH: 0x40000, "/srv/libcudart.so.13": 0x50000}
MEMORY = Mappings([Mapping(at, at + 0x1000, 0, b"fe:00", 5, os.fsencode(name)) for name, at in PLACES.items()])


def chain(*libraries: str) -> list[int]:
    """Addresses in these libraries, the leaf's first."""
    return [PLACES[name] + 16 * depth + 1 for depth, name in enumerate(libraries)]


def test_a_process_without_the_driver_has_no_code_of_it() -> None:
    assert driver_code(Mappings([one for one in MEMORY if one.name != LIBCUDA])) is None
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        assert not has_driver(folder)


@pytest.mark.parametrize("beside", [(), ("[vdso]",), (LIBC,), ("[vdso]", LIBC), (LIBC,) * NEAR_FRAMES])
def test_places_in_the_driver_are_those_of_the_calls_and_those_beside_it_are_passed_by(beside: tuple[str, ...]) -> None:
    code = driver_code(MEMORY)
    assert code is not None
    addresses = chain(*beside, LIBCUDA, LIBCUDA, "/srv/libcudart.so.13", TORCH)
    first = addresses[len(beside)]
    assert code.calls(addresses) == (first if not beside else first - 1, addresses[len(beside) + 1] - 1)


@pytest.mark.parametrize(
    "libraries", [(), (TORCH, LIBCUDA), (LIBC, TORCH, LIBCUDA), (LIBC,) * (NEAR_FRAMES + 1) + (LIBCUDA,), (LIBC,)]
)
def test_a_thread_that_works_for_somebody_else_has_no_places_in_the_driver(libraries: tuple[str, ...]) -> None:
    code = driver_code(MEMORY)
    assert code is not None
    assert code.calls(chain(*libraries)) == ()


def test_the_innermost_function_that_the_driver_exports_counts_and_no_other_symbol() -> None:
    names = {1: "", 2: "cudbgMain", 3: "cuMemcpyDtoHAsync_v2", 4: "cuLaunchKernel"}
    frames = {at: Frame(name, LIBCUDA, None, True) for at, name in names.items()}
    assert exported((1, 2, 3, 4), frames) == Frame("cuMemcpyDtoHAsync_v2", LIBCUDA, None, True)
    assert exported((1, 2, 9), frames) is None


def test_recorded_chains_lead_to_the_functions_that_were_called() -> None:
    """Every recorded chain that has the driver near its leaf; its frames get addresses, which were not recorded."""
    found: Counter[str] = Counter()
    for path in RECORDED:
        for _, count, stack in json.loads(path.read_text()).get("native", {}).get("chains", []):
            user = [(symbol, file) for symbol, file in stack if file != "[kernel]"]
            files = list(dict.fromkeys(file for _, file in user))
            memory = Mappings([Mapping(0x1000 * (at + 1), 0x1000 * (at + 2), 0, b"fe:00", 5, os.fsencode(file))
                               for at, file in enumerate(files)])  # fmt: skip
            addresses = [0x1000 * (files.index(file) + 1) + 16 * depth + 1 for depth, (_, file) in enumerate(user)]
            frames = {address - (depth > 0): Frame(symbol or "", file, None, True)
                      for depth, (address, (symbol, file)) in enumerate(zip(addresses, user, strict=True))}  # fmt: skip
            code = driver_code(memory)
            frame = exported(code.calls(addresses), frames) if code else None
            if frame is not None:
                found[frame.name] += count
    assert found["cuMemcpyDtoHAsync_v2"] > 900
    assert found["cuMemcpyHtoDAsync_v2"] > 600
    assert found["cuCtxSynchronize_v2"] > 500
    assert found["cuEventSynchronize"] > 40
    assert found["cuLaunchKernel"] > 90
    assert found.total() > 2000


def test_no_recorded_function_stood_further_up_than_a_chain_reaches() -> None:
    rows = [row for path in RECORDED for row in json.loads(path.read_text()).get("native", {}).get("cuda", [])]
    inside = [row for row in rows if row[1].startswith("libcuda.so") or row[1] == "[vdso]"]
    assert sum(row[5] for row in inside) > 3000
    assert sum(row[5] for row in inside if row[2]) / sum(row[5] for row in inside) > 0.99
    assert max(row[4] for row in rows if row[4] is not None) < CHAIN_LIMIT


@pytest.fixture(scope="module", name="library")
def built_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    return build_driver(tmp_path_factory.mktemp("driver"))


def sampled(library: Path, function: str, seconds: float = 0.6) -> tuple[Counter[Frame], NativeSamples]:
    """Samples of the whole of it by function."""
    with started([sys.executable, str(WORK), str(library), function, str(seconds)]) as running:
        samples, _ = sample(running, 499)
    counts: Counter[Frame] = Counter()
    for (_, frame, *_), count in samples.counts.items():
        counts[frame] += count
    return counts, samples


@granted
@pytest.mark.parametrize(
    "function", ["cuStreamSynchronize", "cuLaunchKernel", "cuEventSynchronize", "cuMemcpyHtoDAsync_v2", "cuMemAlloc_v2"]
)
def test_time_in_the_driver_and_in_what_it_calls_counts_for_the_exported_function(library: Path, function: str) -> None:
    counts, samples = sampled(library, function)
    assert counts[Frame(function, str(library), None, True)] / counts.total() > 0.9
    assert counts.total() == pytest.approx(300, rel=0.2)
    assert (samples.lost, samples.notes) == (0, ())


@granted
def test_the_kernels_part_of_a_call_counts_for_the_exported_function_too(library: Path) -> None:
    _, samples = sampled(library, "cuMemAlloc_v2")
    if not samples.kernel_seen:
        pytest.skip("the kernel's part is refused here")
    kernel = {(frame.name, frame.file): n for (_, frame, in_kernel, _), n in samples.counts.items() if in_kernel}
    assert kernel["cuMemAlloc_v2", str(library)] / sum(kernel.values()) > 0.9
    assert sum(kernel.values()) > 60


@granted
@pytest.mark.parametrize("function", ["cuTooDeep", "cudbgOther"])
def test_what_stands_too_far_up_or_is_no_function_of_the_api_leaves_the_driver_without_a_name(
    library: Path, function: str
) -> None:
    counts, _ = sampled(library, function)
    assert counts[Frame("", str(library), None, True)] / counts.total() > 0.9


@granted
@compiler
def test_callers_are_looked_for_in_no_other_library(tmp_path: Path) -> None:
    other = build_driver(tmp_path, "libother.so.1")
    counts, samples = sampled(other, "cuStreamSynchronize")
    assert counts[Frame("", str(other), None, True)] / counts.total() > 0.9
    assert samples.notes == ()


@pytest.mark.root
@needs_root
@granted
def test_where_too_little_memory_may_be_locked_for_callers_all_threads_are_sampled_without(library: Path) -> None:
    threads = 100
    allowed = int(Path("/proc/sys/kernel/perf_event_mlock_kb").read_text()) * (os.cpu_count() or 1) << 10
    if not ROOM[False] * threads < allowed < ROOM[True] * threads:
        pytest.skip(f"{allowed >> 10} KiB may be locked: enough for all, or for none")
    with started([sys.executable, str(WORK), str(library), "cuStreamSynchronize", "0.4", str(threads - 1)]) as running:

        def sample_it() -> str:
            give_up(CAP_IPC_LOCK)
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
            sampler = NativeSampler(HOST, running.key)
            refused = sampler.start(running.tids, 99)
            assert refused is None, refused
            running.begin()
            while running.done(0.2) is None:
                sampler.drain()
            samples = sampler.stop()
            unnamed = sum(
                n for (_, frame, *_), n in samples.counts.items() if (frame.name, frame.file) == ("", str(library))
            )
            return json.dumps([sum(samples.counts.values()), unnamed, samples.notes])

        answer = in_child(sample_it)
    total, unnamed, notes = json.loads(answer)
    assert unnamed / total > 0.9
    assert total > 25
    assert len(notes) == 1
    assert notes[0].startswith("callers of native functions are not seen: no more memory may be locked")
