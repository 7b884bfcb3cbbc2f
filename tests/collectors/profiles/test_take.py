"""A real process is profiled from outside: stacks, the holder of the GIL, states; without stopping it, or leaving anything."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside.folder import ProcessFolder
from collectors.profiles.blocking import measured_pause
from collectors.profiles.child import KILL_AFTER_SECONDS, OUTPUT_LIMIT_BYTES, Child
from collectors.profiles.profile import Profile, ProfileSpec
from collectors.profiles.rates import affordable_blocking_hertz, affordable_hertz, pause_seconds
from collectors.profiles.take import take_profile
from tests.collectors.profiles.program import key_of, open_descriptors, waiting_threads


def _old_python() -> str | None:
    """A Python before 3.11 that starts: of the system, or among those that a version manager keeps."""
    names = ("3.10", "3.9", "3.8")
    found = [p for v in names if (p := shutil.which(f"python{v}"))]
    found += [str(p) for v in names for p in sorted(Path.home().glob(f".pyenv/versions/{v}.*/bin/python"))]
    return next((p for p in found if subprocess.run([p, "-c", ""], capture_output=True).returncode == 0), None)


OLD_PYTHON = _old_python()


def taken(key, kind="burst", seconds=2.0, calls=(), **spec) -> Profile:
    profile = take_profile(Host.real(), key, ProfileSpec(kind=kind, seconds=seconds, **spec), calls)
    assert isinstance(profile, Profile), profile
    return profile


def leaves(profile: Profile, tid: int) -> set[str]:
    return {profile.frames[profile.stacks[c.stack][-1]].name for c in profile.active if c.tid == tid}


def test_a_burst_sees_who_runs_who_holds_the_gil_and_who_waits_for_what():
    with waiting_threads("burn-1", "burn-2", "event", "own-client") as (key, tids):
        profile = taken(key, seconds=3.0)
    burning = {tids["burn-1"], tids["burn-2"]}
    assert profile.missing == ()
    assert leaves(profile, tids["burn-1"]) == {"burn"}
    assert {count.tid for count in profile.gil} <= burning
    assert sum(count.count for count in profile.gil) == pytest.approx(profile.gil_ticks, rel=0.25)
    waits = {(count.tid, count.wait) for count in profile.waiting if count.tid not in burning}
    assert {(tids["event"], "futex"), (tids["own-client"], "outbound")} <= waits
    names = {thread.tid: thread.python_name for thread in profile.threads}
    assert names[tids["event"]] == "event"
    assert all(thread.python for thread in profile.threads)
    assert profile.cost.stopped_seconds == 0


def test_a_number_of_looks_is_exact_where_the_recorder_ended_by_itself():
    with waiting_threads("burn-1") as (key, _):
        profile = taken(key, seconds=1.0, hertz=20)
    assert profile.gil_ticks <= 20
    assert profile.ticks <= 20
    assert profile.ticks >= 15


def test_a_probe_is_one_look():
    with waiting_threads("burn-1", "event") as (key, tids):
        profile = taken(key, "probe")
    assert (profile.ticks, profile.gil_ticks) == (1, 1)
    assert [count.tid for count in profile.active] in ([tids["burn-1"]], [])
    assert profile.native == ()


def test_native_functions_of_threads_that_python_does_not_know_are_seen():
    script = (
        "import os; os.environ['OPENBLAS_NUM_THREADS'] = '2'\n"
        "import numpy as np, sys\na = np.random.rand(400, 400)\nprint(flush=True)\nwhile True: a @ a\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            time.sleep(0.5)
            profile = taken(key_of(process.pid), seconds=2.0)
        finally:
            process.kill()
    pools = {thread.tid for thread in profile.threads if not thread.python and (thread.run_seconds or 0) > 0.1}
    assert pools
    libraries = {Path(profile.frames[count.frame].file).name for count in profile.native if count.tid in pools}
    assert any("openblas" in name for name in libraries), libraries


def test_the_function_that_a_line_calls_is_told_where_it_is_known(tmp_path):
    source = tmp_path / "app.py"
    source.write_text("import zlib\nblob = bytes(10**6)\nprint(flush=True)\nwhile True:\n    zlib.compress(blob, 9)\n")
    with subprocess.Popen([sys.executable, str(source)], stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            profile = taken(key_of(process.pid), seconds=1.0, calls={"zlib.compress", "orjson.loads"})
        finally:
            process.kill()
    assert {profile.frames[index].line: name for index, name in profile.calls.items()} == {5: "zlib.compress"}


def test_it_can_be_ended_early_with_what_was_seen():
    with waiting_threads("burn-1") as (key, _):
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        began = time.monotonic()
        profile = take_profile(Host.real(), key, ProfileSpec(kind="burst", seconds=60.0), (), stop)
        took = time.monotonic() - began
    assert isinstance(profile, Profile)
    assert sum(count.count for count in profile.gil) > 10
    assert took < 30


def test_nothing_is_left_open_or_running():
    with waiting_threads("burn-1") as (key, _):
        taken(key, seconds=1.0)
        before = open_descriptors()
        children = _children()
        for _ in range(3):
            taken(key, seconds=1.0)
        assert open_descriptors() == before
        assert _children() == children
        assert threading.active_count() == 1 or all("profile" not in t.name for t in threading.enumerate())


def test_a_blocking_profile_has_native_frames_in_python_stacks_and_says_how_long_it_stopped():
    with waiting_threads("burn-1", "event") as (key, _):
        profile = taken(key, "blocking", seconds=1.0, hertz=20, native=True)
    frames = [profile.frames[index] for stack in profile.stacks for index in stack]
    assert any(frame.native for frame in frames)
    assert profile.cost.stopped_seconds == pytest.approx(profile.ticks * pause_seconds(3), rel=0.01)


@pytest.mark.skipif(OLD_PYTHON is None, reason="no Python before 3.11 is installed")
def test_a_python_that_does_not_number_its_threads_is_joined_through_the_c_library():
    with waiting_threads("burn-1", "event", python=OLD_PYTHON) as (key, tids):
        profile = taken(key, seconds=2.0)
    assert leaves(profile, tids["burn-1"]) == {"burn"}
    assert {count.tid for count in profile.gil} == {tids["burn-1"]}
    assert (tids["event"], "futex") in {(count.tid, count.wait) for count in profile.waiting}
    assert "before 3.11" in profile.notes[0]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can make a pid namespace")
@pytest.mark.parametrize("enter", [True, False])
def test_a_process_in_another_pid_namespace_is_looked_into_right(enter, monkeypatch):
    if not enter:
        monkeypatch.setattr("collectors.profiles.namespaces.may_enter", lambda: False)
    with waiting_threads("burn-1", "event", prefix=["unshare", "-p", "-f", "--kill-child"]) as (outer, inner):
        pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()[0])
        profile = taken(key_of(pid), seconds=2.0)
    assert inner["main"] == 1  # it is the first process of its own namespace
    running = {count.tid for count in profile.active}
    assert len(running) == 1
    assert leaves(profile, *running) == {"burn"}
    assert running == {count.tid for count in profile.gil}
    assert running < {thread.tid for thread in profile.threads}
    assert min(running) > pid


def test_rates_follow_the_number_of_threads():
    burst = ProfileSpec(kind="burst", seconds=4, hertz=50)
    assert affordable_hertz(burst, 10) == 50
    assert affordable_hertz(burst, 62) == 8
    assert affordable_hertz(burst, 5000) == 1
    assert affordable_hertz(ProfileSpec(kind="blocking", hertz=100), 62) == 100
    assert affordable_blocking_hertz(62) == 6


def test_a_child_that_ignores_the_request_to_end_is_killed():
    script = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    child = Child([sys.executable, "-c", script], time.monotonic() + 1.0)
    began = time.monotonic()
    child.wait()
    assert child.status == -9
    assert child.output() == b"up\n"
    assert time.monotonic() - began >= KILL_AFTER_SECONDS
    child.close()


@pytest.mark.parametrize("polite", [False, True])
def test_a_polite_child_lets_others_run_first(polite):
    child = Child([sys.executable, "-c", "import time; time.sleep(600)"], time.monotonic() + 600, polite=polite)
    try:
        pid = child._process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == (max(10, os.nice(0)) if polite else os.nice(0))
    finally:
        child.close()


def test_a_child_that_is_let_go_of_is_ended_at_once():
    before = open_descriptors()
    child = Child([sys.executable, "-c", "import time; time.sleep(600)"], time.monotonic() + 600)
    pid = child._process.pid
    child.close()
    assert not Path(f"/proc/{pid}").exists()
    assert open_descriptors() == before


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_the_pause_of_a_blocking_look_is_measured_on_the_process_itself():
    with waiting_threads("burn-1", "event", "sleep") as (key, _):
        pause, threads = measured_pause(key.pid)
    assert threads == 4
    assert pause >= pause_seconds(4)
    assert pause < 0.2


def test_of_a_process_that_ended_meanwhile_what_was_seen_counts_as_nobody_has_its_number():
    with waiting_threads("burn-1") as (key, tids):
        threading.Timer(1.5, os.kill, (key.pid, 9)).start()
        profile = taken(key, seconds=5.0)
    assert {count.tid for count in profile.gil} == {tids["burn-1"]}
    assert sum(count.count for count in profile.gil) > 10


def test_a_process_that_ended_and_whose_number_another_has_is_told(tmp_path):
    with waiting_threads("event") as (key, _), ProcessFolder(Host.real(), key) as folder:
        assert not folder.taken_over()
        stranger = WorkerKey(key.pid, key.started - 1)
        folder.key = stranger  # as if the one meant had begun earlier
        assert folder.taken_over()


def test_a_child_has_limits_and_takes_what_it_started_with_it():
    child = Child(["/bin/sh", "-c", "sleep 0.2; sleep 600 & ulimit -f; echo $!"], time.monotonic() + 30)
    child.wait()
    blocks, pid = child.output().split()
    child.close()
    assert int(blocks) * 512 == 2 * OUTPUT_LIMIT_BYTES
    until = time.monotonic() + 20
    while _state_of(int(pid)) not in ("Z", "") and time.monotonic() < until:
        time.sleep(0.01)
    assert _state_of(int(pid)) in ("Z", "")


def _state_of(pid: int) -> str:
    """The letter of its state; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""
