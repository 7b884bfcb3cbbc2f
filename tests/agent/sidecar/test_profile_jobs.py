"""The sidecar's verb `profile`: asked over the socket, refused where it must be, and nothing is left behind."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.framing import receive
from agent.sidecar import jobs
from agent.sidecar.answers import Answers
from agent.sidecar.client import SidecarClient
from agent.sidecar.jobs import KEPT_LIMIT, RUNNING_LIMIT, ProfileJobs
from agent.sidecar.protocol import (
    Hello,
    HelloReply,
    ProfilePart,
    ProfilePending,
    ProfilePoll,
    ProfileRequest,
    ProfileStarted,
    Refusal,
    to_frame,
    to_reply,
)
from agent.sidecar.targets import TargetPolicy
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.profiles.profile import Profile, ProfileSpec
from tests.agent.sidecar.targets_of_tests import PROGRAM, key_of, python_server, until
from tests.agent.sidecar.test_sidecar_whole import as_nobody, needs_other_users

BURST = ProfileSpec(kind="burst", seconds=1.0, hertz=20)
NEVER = threading.Event()


@contextmanager
def sidecar(prefix: Sequence[str] = ()) -> Iterator[tuple[SidecarClient, int, socket.socket]]:
    """A real sidecar behind `prefix`: a client of it, its pid, and the socket."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            descriptor = theirs.fileno()
            process = subprocess.Popen([*prefix, *PROGRAM, "--fd", str(descriptor)], pass_fds=(descriptor,))
        try:
            yield SidecarClient(lambda: ours, deadline_seconds=30), process.pid, ours
        finally:
            ours.close()
            assert process.wait(20) == 0


def answers() -> Answers:
    host = Host.real()
    return Answers(host, TargetPolicy(host, lambda chain: True), ProfileJobs(host, ()))


def wait_for(asked: Answers, started: ProfileStarted) -> ProfilePart | Refusal:
    while isinstance(reply := asked(ProfilePoll(started.id)), ProfilePending):
        time.sleep(0.02)
    return reply


def started_up(process: subprocess.Popen[bytes]) -> WorkerKey:
    """Its key, once it has its own command line: until then it looks like a thread of the kernel."""
    until(lambda: b"time" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
    return key_of(process.pid)


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_profile_comes_back_through_the_socket_while_other_questions_are_answered(tmp_path):
    with python_server(tmp_path) as (key, _), sidecar() as (client, _, _):
        found: list[Profile | Refusal] = []
        thread = threading.Thread(target=lambda: found.append(client.profile(key, BURST, NEVER)))
        thread.start()
        hellos = []
        while thread.is_alive():
            hellos.append(client.hello())
            time.sleep(0.05)
        thread.join()
    assert isinstance(found[0], Profile), found
    assert found[0].key == key
    assert len(hellos) > 5
    assert all(isinstance(hello, HelloReply) and "profile" in hello.capabilities for hello in hellos)


@pytest.mark.root
@needs_other_users
def test_two_capabilities_are_enough_to_profile_another_users_process(tmp_path):
    with python_server(tmp_path) as (key, _), sidecar(as_nobody("sys_ptrace", "dac_read_search")) as (client, _, _):
        profile = client.profile(key, BURST, NEVER)
    assert isinstance(profile, Profile), profile
    assert {missing.part for missing in profile.missing} <= {"native"}  # where the kernel asks for more for perf events
    (main,) = profile.threads
    assert (main.python, set(main.waits)) == (True, {"pipe"})
    assert {count.wait for count in profile.waiting} == {"pipe"}


@pytest.mark.root
@needs_other_users
def test_without_them_it_says_what_to_grant(tmp_path):
    target = python_server(tmp_path, "mlserver", "start", ".")
    with target as (key, _), sidecar(as_nobody("dac_read_search")) as (client, _, _):
        profile = client.profile(key, BURST, NEVER)
    assert isinstance(profile, Profile), profile
    python = next(missing for missing in profile.missing if missing.part == "python")
    assert python.reason == "no permission to read its memory"
    assert "CAP_SYS_PTRACE" in python.hint


def test_a_profile_that_is_ended_early_comes_back_with_what_was_seen(tmp_path):
    with python_server(tmp_path) as (key, _), sidecar() as (client, _, _):
        end = threading.Event()
        threading.Timer(0.7, end.set).start()
        profile = client.profile(key, ProfileSpec(kind="burst", seconds=120.0), end)
    assert isinstance(profile, Profile)
    assert profile.seconds < 60


def test_a_process_that_is_no_server_is_refused_and_nothing_is_attached():
    with subprocess.Popen(["sleep", "60"]) as process, sidecar() as (client, pid, _):
        refusal = client.profile(key_of(process.pid), BURST, NEVER)
        assert children_of(pid) == []
        process.kill()
    assert isinstance(refusal, Refusal)
    assert refusal.key == "sidecar.not-a-target"


def test_a_pid_that_is_another_process_by_now_is_refused(tmp_path):
    with python_server(tmp_path) as (key, _), sidecar() as (client, _, _):
        refusal = client.profile(WorkerKey(key.pid, key.started + 1), BURST, NEVER)
    assert isinstance(refusal, Refusal)
    assert refusal.key == "sidecar.vanished"


@pytest.mark.parametrize("pid", [1, 0, -1, os.getpid()])
def test_pid_1_and_the_sidecar_itself_are_never_profiled(pid):
    refusal = answers()(ProfileRequest(WorkerKey(pid, 0), BURST))
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(
    "frame",
    [
        b"\0\0\0\x05hello",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        to_frame(Hello())[:4] + b'{"type":"profile"}',
        b'\0\0\0\x4b{"type":"profile","key":{"pid":1e99,"started":0},"spec":{"kind":"burst"}}   ',
        b'\0\0\0\x42{"type":"profile","key":{"pid":1,"started":0},"spec":{"kind":"x"}}',
    ],
)
def test_garbage_ends_its_connection_and_not_the_sidecar(frame, tmp_path):
    path = tmp_path / "run" / "s.sock"
    with subprocess.Popen([*PROGRAM, "--socket", str(path)], stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as hostile:
            hostile.settimeout(20)
            hostile.connect(str(path))
            hostile.sendall(frame)
            hostile.shutdown(socket.SHUT_WR)
            while hostile.recv(65536):
                pass
        with socket.socket(socket.AF_UNIX) as good:
            good.settimeout(20)
            good.connect(str(path))
            good.sendall(to_frame(Hello()))
            assert isinstance(to_reply(receive(good)), HelloReply)
        assert children_of(process.pid) == []
        process.terminate()
        assert process.wait(20) == 0


def test_few_run_at_once_and_none_twice_on_one_process(tmp_path):
    asked = answers()
    procs = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) for _ in range(RUNNING_LIMIT + 1)]
    try:
        keys = [started_up(process) for process in procs]
        spec = ProfileSpec(kind="burst", seconds=30.0)
        started = [asked(ProfileRequest(key, spec)) for key in keys[:RUNNING_LIMIT]]
        assert all(isinstance(one, ProfileStarted) for one in started)
        twice, many = asked(ProfileRequest(keys[0], spec)), asked(ProfileRequest(keys[-1], spec))
        assert "is being profiled" in twice.message
        assert many.key == "profile.busy"
        for one in started:
            asked(ProfilePoll(one.id, 0, True))
        assert all(isinstance(wait_for(asked, one), ProfilePart) for one in started)
    finally:
        for process in procs:
            process.kill()
            process.wait()
        asked.close()


def test_a_profile_for_which_nobody_asks_any_more_ends_with_what_was_seen(monkeypatch):
    monkeypatch.setattr(jobs, "ABANDONED_SECONDS", 0.5)
    asked = answers()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        began = time.monotonic()
        started = asked(ProfileRequest(started_up(process), ProfileSpec(kind="burst", seconds=30.0)))
        until(lambda: asked._jobs._jobs[started.id].ended_at is not None)
        assert time.monotonic() - began < 20
        assert children_of(os.getpid()) == [str(process.pid)]
        process.kill()
    assert isinstance(asked(ProfilePoll(started.id)), ProfilePart)


def test_names_of_profiles_mean_nothing_to_another_sidecar():
    one, other = answers(), answers()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        key = started_up(process)
        begun = [asked(ProfileRequest(key, ProfileSpec(kind="probe"))) for asked in (one, other)]
        assert begun[0].id != begun[1].id
        assert one(ProfilePoll(begun[1].id)).key == "profile.unknown"
        assert isinstance(wait_for(one, begun[0]), ProfilePart)
        process.kill()


@pytest.mark.parametrize("spec", [
    ProfileSpec(kind="burst", seconds=1e6), ProfileSpec(kind="burst", seconds=-1.0), ProfileSpec(kind="burst", hertz=0),
    ProfileSpec(kind="burst", hertz=10**6), ProfileSpec(kind="burst", seconds=float("nan")),
])  # fmt: skip
def test_what_is_out_of_range_is_refused(spec, tmp_path):
    with python_server(tmp_path) as (key, _):
        refusal = answers()(ProfileRequest(key, spec))
    assert isinstance(refusal, Refusal)
    assert refusal.key == "profile.out-of-range"


def test_a_result_is_given_once_and_an_unfetched_one_is_forgotten():
    asked = answers()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        key = started_up(process)
        names = []
        for _ in range(KEPT_LIMIT + 2):
            started = asked(ProfileRequest(key, ProfileSpec(kind="probe")))
            until(lambda name=started.id: asked._jobs._jobs[name].ended_at is not None)
            names.append(started.id)
        process.kill()
    assert isinstance(asked(ProfilePoll(names[-1])), ProfilePart)
    assert asked(ProfilePoll(names[-1])).key == "profile.unknown"
    assert asked(ProfilePoll(names[0])).key == "profile.unknown"


def test_a_killed_sidecar_takes_its_profilers_with_it(tmp_path):
    with python_server(tmp_path) as (key, _):
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            process = subprocess.Popen([*PROGRAM, "--fd", str(descriptor)], pass_fds=(descriptor,))
        client = SidecarClient(lambda: ours, deadline_seconds=30)
        thread = threading.Thread(
            target=client.profile, args=(key, ProfileSpec(kind="burst", seconds=100.0), threading.Event()), daemon=True
        )
        thread.start()
        until(lambda: any(map(_has_begun, _profilers(process.pid))))
        profilers = _profilers(process.pid)
        process.kill()
        process.wait()
        until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") and _is_py_spy(pid) for pid in profilers))
        ours.close()


def _profilers(pid: int) -> list[int]:
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            found += [int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
        except OSError:
            continue
    return found


def _has_begun(pid: int) -> bool:
    """Whether it is the profiler itself, and no longer what has it killed with us: that takes it a moment."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name == "py-spy"
    except OSError:
        return False


def _is_py_spy(pid: int) -> bool:
    try:
        return b"py-spy" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.slow
def test_a_thousand_workers_that_come_and_go_while_they_are_profiled_leave_nothing():
    """Probes and bursts of processes that are killed at a random moment: no process, descriptor or file remains."""
    asked = answers()
    before, files = len(os.listdir("/proc/self/fd")), set(os.listdir("/tmp"))
    outcomes = {"profile": 0, "refused": 0}
    count = 0
    while count < 1000:
        batch = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(8)]
        count += len(batch)
        started = []
        for number, process in enumerate(batch):
            spec = ProfileSpec(kind="burst", seconds=1.0, hertz=20) if number == 0 else ProfileSpec(kind="probe")
            try:
                started.append(asked(ProfileRequest(key_of(process.pid), spec)))
            except (FileNotFoundError, ProcessLookupError):
                continue
            if number % 3 == 0:
                time.sleep(0.005)
            process.kill()
        for process in batch:
            process.kill()
            process.wait()
        for one in started:
            reply = wait_for(asked, one) if isinstance(one, ProfileStarted) else one
            outcomes["profile" if isinstance(reply, ProfilePart) else "refused"] += 1
    asked.close()
    assert sum(outcomes.values()) > 900
    until(lambda: threading.active_count() <= 2)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert children_of(os.getpid()) == []
    assert {name for name in os.listdir("/tmp") if name not in files and "py" in name.lower()} == set()
    print(outcomes)
