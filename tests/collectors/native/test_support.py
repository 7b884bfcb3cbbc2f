"""What is said where the kernel refuses: by the real kernel where it can be made to, else by the error alone."""

import ctypes
import errno
import mmap
import os
import platform
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.native import support
from collectors.native.perf_event import highest_hertz, open_event, ring_bytes
from collectors.native.ring import Ring
from collectors.native.sampler import NativeSampler
from collectors.native.support import native_support, why_not_locked, why_refused
from collectors.reading import Unsupported
from tests.collectors.native.forked import NOBODY, become_nobody, in_child
from tests.collectors.native.program import HOST, key_of, program
from tests.hosttree import HostTree

ROOT = Path(__file__).resolve().parents[3]
REFUSED = native_support(HOST)
granted = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
SAMPLE_IT = """
import os, sys
from collectors.native.sampler import NativeSampler
from tests.collectors.native.program import HOST, Program, key_of
pid = int(sys.argv[1])
sampler = NativeSampler(HOST, key_of(pid))
print(sampler.start([pid], 199), flush=True)
sys.stdin.readline()
samples = sampler.stop()
print(samples.kernel_seen, max(samples.counts, key=samples.counts.get)[1].name)
"""


@pytest.mark.root
@needs_root
@granted
def test_without_rights_over_the_process_the_hint_names_them() -> None:
    def start() -> str:
        key = key_of(os.getppid())
        become_nobody()
        return str(NativeSampler(HOST, key).start([key.pid], 99))

    assert in_child(start) == str(Unsupported(
        "/proc/PID/maps: Permission denied",
        f"run the sidecar with CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or as uid {os.getuid()}",
    ))  # fmt: skip


@pytest.mark.root
@needs_root
@granted
def test_an_event_on_another_users_thread_is_refused_with_the_setting_and_the_hint() -> None:
    def start() -> str:
        parent = os.getppid()
        become_nobody()
        try:
            open_event(parent, 99, kernel=False)
        except OSError as error:
            return str(why_refused(HOST, error, "grant it"))
        return "granted"

    level = int(Path("/proc/sys/kernel/perf_event_paranoid").read_text())
    assert f"Permission denied (kernel.perf_event_paranoid is {level})" in in_child(start)


@pytest.mark.root
@needs_root
@granted
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_the_sidecars_two_capabilities_are_enough_for_functions_and_for_the_kernels_part_where_it_is_open() -> None:
    kept = "-all,+sys_ptrace,+dac_read_search"
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    drop = ["setpriv", *ids, f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"]
    with program("multiply", 0.5) as running:
        command = [*drop, sys.executable, "-c", SAMPLE_IT, str(running.process.pid)]
        with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) as sampler:
            assert sampler.stdin
            assert sampler.stdout
            assert sampler.stdout.readline() == "None\n"
            running.begin()
            while running.done(1) is None:
                pass
            answer, _ = sampler.communicate("\n", timeout=60)
    kernel_seen, _, name = answer.partition(" ")
    assert kernel_seen == str(int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 2)
    assert "gemm" in name


@pytest.mark.root
@needs_root
@granted
def test_memory_that_may_not_be_locked_is_named_with_both_limits() -> None:
    def fill() -> str:
        become_nobody()
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        rings = []
        try:
            while len(rings) < 64:
                rings.append(Ring(open_event(0, 1, kernel=False), 4 << 20))
        except PermissionError:
            return str(why_not_locked(HOST))
        return "granted"

    answer = in_child(fill)
    assert "RLIMIT_MEMLOCK is 0 KiB" in answer
    assert f"perf_event_mlock_kb {int(Path('/proc/sys/kernel/perf_event_mlock_kb').read_text())}" in answer
    assert f"CAP_IPC_LOCK ({2 * mmap.PAGESIZE // 1024} KiB a thread)" in answer


@granted
def test_a_seccomp_filter_is_named() -> None:
    number = {"x86_64": 298, "aarch64": 241}[platform.machine()]

    def ask() -> str:
        program = b"".join(
            struct.pack("=HBBI", *step)
            for step in [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
        )
        text = ctypes.create_string_buffer(program)
        pointer = struct.pack("@HxxxxxxQ", len(program) // 8, ctypes.addressof(text))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, pointer) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        return str(native_support(HOST))

    assert "a seccomp filter refuses perf_event_open" in in_child(ask)
    assert "CAP_PERFMON" in in_child(ask)


@granted
def test_threads_beyond_the_limit_of_open_files_are_named_and_the_others_sampled() -> None:
    def start() -> str:
        used = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 60, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        sampler = NativeSampler(HOST, running.key)
        started = sampler.start([running.process.pid, *running.tids], 199)
        assert started is None, started
        running.begin()
        while running.done(0.2) is None:
            sampler.drain()
        samples = sampler.stop()
        return f"{sum(samples.counts.values()) > 20} {samples.notes}"

    with program("threads", 0.5) as running:
        assert in_child(start) == "True ('some threads were not sampled: no more files may be open',)"


@pytest.mark.parametrize(("level", "named"), [(3, True), (4, True), (2, False)])
def test_a_distributions_stricter_level_is_named(tmp_path: Path, level: int, named: bool) -> None:
    machine = HostTree(tmp_path)
    machine.file("proc/sys/kernel/perf_event_paranoid", f"{level}\n")
    machine.file("proc/self/status", "Name:\tpython\nSeccomp:\t0\n")
    refused = why_refused(machine.host, OSError(errno.EACCES, "denied"), "grant it")
    assert refused.reason.startswith(f"kernel.perf_event_paranoid is {level}:") is named
    assert f"perf_event_paranoid is {level}" in refused.reason
    assert refused.hint == (
        "run the sidecar with CAP_PERFMON, or set kernel.perf_event_paranoid=2" if named else "grant it"
    )


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOENT, errno.EOPNOTSUPP])
def test_a_kernel_without_perf_is_named(tmp_path: Path, code: int) -> None:
    assert "no perf events" in why_refused(HostTree(tmp_path).host, OSError(code, ""), "").reason


def test_an_unknown_machine_has_no_perf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "s390x")
    from collectors.native import perf_event

    perf_event._perf_event_open.cache_clear()
    try:
        refused = native_support(HOST)
    finally:
        monkeypatch.undo()
        perf_event._perf_event_open.cache_clear()
    assert refused == support._NO_PERF


def test_processes_of_a_recording_are_not_sampled(tmp_path: Path) -> None:
    refused = native_support(HostTree(tmp_path).host)
    assert refused is not None
    assert refused.reason == "these processes are not of this machine"


@pytest.mark.parametrize(
    ("line", "refused"), [("NSpid:\t{0}", False), ("NSpid:\t{0}\t7", True), ("NSpid:\t1", True), ("", False)]
)
def test_numbers_of_another_pid_namespace_are_not_used(tmp_path: Path, line: str, refused: bool) -> None:
    machine = HostTree(tmp_path)
    machine.file("proc/self/status", f"Name:\tpython\nPid:\t{os.getpid()}\n{line.format(os.getpid())}\n")
    assert (support.other_pid_space(machine.host) is not None) is refused


def test_the_rate_is_what_the_kernel_allows_at_most(tmp_path: Path) -> None:
    machine = HostTree(tmp_path)
    assert highest_hertz(machine.host, 99) == 99
    machine.file("proc/sys/kernel/perf_event_max_sample_rate", "50\n")
    assert highest_hertz(machine.host, 99) == 50


def test_a_ring_holds_half_a_second_of_samples() -> None:
    assert ring_bytes(1) == mmap.PAGESIZE
    for hertz in (1, 99, 102, 103, 499, 999, 4000):
        size = ring_bytes(hertz)
        assert size >= hertz * 40 / 2
        assert (size // mmap.PAGESIZE).bit_count() == 1
