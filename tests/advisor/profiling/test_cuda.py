"""What a server on a GPU spends CPU time on: in profiles recorded on real ones, and in a library built to look like CUDA's.

The older recordings (`cuda-*.profile.json`, an H100) saw no callers and so name no function of the driver. The source lines
in which they were seen are read anew, as the table of their time did not know all calls; the rest is as recorded. Those with
callers (`cuda-*.chained.profile.json`, an H200) are as they were taken.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import WorkerProfile
from collectors.native.support import native_support
from collectors.profiles.profile import Profile, ProfileSpec
from collectors.profiles.source_calls import CUDA, called_with_cuda
from collectors.profiles.take import take_profile
from tests.collectors.native.program import HOST, started
from tests.programs.driver_build import COMPILER, WORK, build_driver

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "profiles"
TABLE = load_table()
PLAIN = frozenset(name for name in TABLE.calls if not name.startswith(CUDA))
OF_CUDA = frozenset(name.removeprefix(CUDA) for name in TABLE.calls if name.startswith(CUDA))
REFUSED = native_support(HOST)


def recorded(what: str) -> Profile:
    """The profile without callers, with the calls of its leaves as the lines of its server say now."""
    profile = msgspec.json.decode((RECORDINGS / f"cuda-{what}.profile.json").read_bytes(), type=Profile)
    lines: dict[str, str] = json.loads((RECORDINGS / f"cuda-{what}.json").read_text())["source"]
    calls = dict(profile.calls)
    for leaf in {profile.stacks[seen.stack][-1] for seen in profile.active if profile.stacks[seen.stack]}:
        frame = profile.frames[leaf]
        line = lines.get(str(frame.line)) if frame.file.endswith("/server.py") else None
        if line is not None and (name := called_with_cuda(line, PLAIN, OF_CUDA)):
            calls[leaf] = name
    return msgspec.structs.replace(profile, calls=calls)


def shares(profile: Profile) -> dict[str, float]:
    return {work: share.value for work, share in digest(profile, TABLE).classes.items()}


@pytest.mark.parametrize("what", ["sync", "pinned", "pageable", "to-host-pinned", "graph"])
def test_a_thread_that_waits_for_the_gpu_on_a_cpu_is_told_by_its_lines(what: str) -> None:
    found = shares(recorded(what))
    assert found["cuda-sync"] > 0.95
    assert found.get("cuda-launch", 0.0) < 0.03


def test_without_lines_that_wait_the_drivers_time_is_for_launches() -> None:
    profile = recorded("launch")
    found = shares(profile)
    assert found["cuda-launch"] == pytest.approx(0.56, abs=0.05)
    assert found.get("cuda-sync", 0.0) < 0.01
    hot = [spot for spot in digest(profile, TABLE).hot if "libcuda.so" in spot.where]
    assert [(spot.work, round(spot.share, 1)) for spot in hot] == [("cuda-launch", 0.3)]


def test_pages_that_a_copy_to_the_host_is_the_first_to_touch_are_memory_and_no_waiting() -> None:
    found = shares(recorded("to-host"))
    assert found["allocation"] == pytest.approx(0.72, abs=0.04)
    assert found["cuda-sync"] == pytest.approx(0.28, abs=0.04)


def test_requests_to_the_driver_below_torchs_memory_are_allocation_and_not_io() -> None:
    found = shares(recorded("alloc"))
    assert found["allocation"] > 0.85
    assert found.get("io", 0.0) == 0
    assert digest(recorded("alloc"), TABLE).waits["device"] == pytest.approx(0.43, abs=0.05)


def test_a_server_of_small_requests_launches_and_hardly_waits() -> None:
    found = shares(recorded("serve"))
    assert found["cuda-launch"] == pytest.approx(0.4, abs=0.05)
    assert found["serialise"] > 0.1
    assert found.get("cuda-sync", 0.0) < 0.02


@pytest.mark.parametrize(("what", "cores"), [("idle", 0.01), ("blocking-sync", 0.08)])
def test_a_thread_that_sleeps_until_the_gpu_is_done_uses_no_cpu(what: str, cores: float) -> None:
    seen = digest(recorded(what), TABLE)
    assert seen.cores < cores
    assert seen.waits["futex"] > 0.9


@pytest.mark.parametrize(
    ("what", "functions", "work", "share"),
    [
        (
            "sync",
            {
                "cuStreamSynchronize": 151,
                "cuMemcpyDtoHAsync_v2": 76,
                "cuCtxSynchronize_v2": 74,
                "cuEventSynchronize": 73,
            },
            "cuda-sync",
            0.97,
        ),
        ("pinned", {"cuCtxSynchronize_v2": 326}, "cuda-sync", 1.0),
        ("graph", {"cuMemcpyDtoHAsync_v2": 307, "cuGraphLaunch": 3, "cuMemcpyDtoDAsync_v2": 2}, "cuda-sync", 0.94),
        ("pageable", {"cuMemcpyHtoDAsync_v2": 382}, "cuda-sync", 1.0),
        ("launch", {"cuLaunchKernel": 99}, "cuda-launch", 0.64),
        ("to-host", {"cuMemcpyDtoHAsync_v2": 361}, "allocation", 0.71),
        ("alloc", {"cuMemFree_v2": 150, "cuMemAlloc_v2": 127}, "allocation", 0.92),
    ],
)
def test_with_callers_the_drivers_functions_tell_what_the_time_went_to(
    what: str, functions: dict[str, int], work: str, share: float
) -> None:
    profile = msgspec.json.decode((RECORDINGS / f"cuda-{what}.chained.profile.json").read_bytes(), type=Profile)
    seen: Counter[str] = Counter()
    for sample in profile.native:
        frame = profile.frames[sample.frame]
        seen["[vdso]" if frame.file == "[vdso]" else frame.name] += sample.count if "libc.so" not in frame.file else 0
    assert {name: seen[name] for name in functions} == functions
    assert seen["[vdso]"] == 0
    found = shares(profile)
    assert max(found, key=lambda name: found[name]) == work
    assert found[work] == pytest.approx(share, abs=0.05)


def test_nearly_all_of_the_drivers_time_had_a_caller_with_a_name() -> None:
    inside, named = 0, 0
    for path in RECORDINGS.glob("cuda-*.chained.profile.json"):
        profile = msgspec.json.decode(path.read_bytes(), type=Profile)
        for sample in profile.native:
            if "/libcuda.so" in profile.frames[sample.frame].file:
                inside += sample.count
                named += sample.count if profile.frames[sample.frame].name else 0
    assert inside > 2000
    assert named / inside > 0.99


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("    return (y * 1e-3).sum().item()", "cuda:.item"),
        ("    return out.argmax(-1).tolist()", "cuda:.tolist"),
        ("    torch.cuda.synchronize()", "cuda:.synchronize"),
        ("    DEVBUF.copy_(PAGEABLE)", "cuda:.copy_"),
        ("    x = x * 1.0001 + 0.5", None),
        ("    return json.loads(body)", None),
    ],
)
def test_lines_that_wait_for_a_gpu_are_known_and_mean_nothing_elsewhere(line: str, name: str | None) -> None:
    assert called_with_cuda(line, PLAIN, OF_CUDA) == name
    if name is not None:
        assert TABLE.work_of_call[name] == "cuda-sync"
    assert TABLE.work_of_call.get(called_with_cuda(line, PLAIN, ()) or "") in (None, "array", "cuda-sync")


@pytest.fixture(scope="module", name="library")
def built_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    return build_driver(tmp_path_factory.mktemp("driver"))


def taken(library: Path, function: str) -> tuple[Profile, WorkerProfile]:
    with started([sys.executable, str(WORK), str(library), function, "60"]) as running:
        running.begin()
        profile = take_profile(HOST, running.key, ProfileSpec(kind="burst", seconds=1.5), TABLE.calls)
    assert isinstance(profile, Profile)
    return profile, digest(profile, TABLE)


@pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
@pytest.mark.parametrize(
    ("function", "work"),
    [
        ("cuStreamSynchronize", "cuda-sync"),
        ("cuEventSynchronize", "cuda-sync"),
        ("cuLaunchKernel", "cuda-launch"),
        ("cuMemAlloc_v2", "allocation"),
    ],
)
def test_a_profile_of_a_process_with_the_driver_says_what_it_was_called_for(
    library: Path, function: str, work: str
) -> None:
    profile, seen = taken(library, function)
    assert seen.classes[work].value > 0.9
    assert seen.hot[0].where.startswith(f"{function} (libcuda.so.1)") or seen.hot[1].where.startswith(function)
    calls = set(profile.calls.values())
    assert calls == ({"cuda:.item"} if "Synchronize" in function else set())


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_the_same_line_in_a_process_without_the_driver_is_the_applications(tmp_path: Path) -> None:
    profile, seen = taken(build_driver(tmp_path, "libother.so.1"), "cuStreamSynchronize")
    assert profile.calls == {}
    assert not {"cuda-sync", "cuda-launch"} & {work for work, share in seen.classes.items() if share.value > 0}
