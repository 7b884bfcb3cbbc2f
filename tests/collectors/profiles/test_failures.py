"""Each way in which py-spy fails is a reason and a hint, from the texts that it really writes and from real failures."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.profiles.child import py_spy
from collectors.profiles.failures import behind_seconds, failure, lost_looks
from collectors.profiles.profile import Missing, Profile, ProfileSpec
from collectors.profiles.take import take_profile
from tests.collectors.profiles.program import key_of, waiting_threads

BURST = ProfileSpec(kind="burst", seconds=1.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Error: Failed to get process executable name. Check that the process is running.\nPermission denied (os error 13)",
         "no permission to read its memory"),
        ("Permission Denied: Try running again with elevated permissions", "no permission to read its memory"),
        ("Error: Failed to suspend process\nReason: EPERM: Operation not permitted",
         "it is stopped or traced by another program"),
        ("Error: Unsupported version of Python: 3.21.0", "Python 3.21.0 is unknown to this py-spy"),
        ("Error: Cannot detect GIL holding in version 3.6.1 on the current platform",
         "the holder of the GIL cannot be told in Python 3.6.1"),
        ("Error: failed to get gil_thread_id", "a free-threaded Python has no GIL to look at"),
        ("Error: Failed to find a python interpreter in the .data section", "its interpreter's data was not found"),
        ("Error: Failed to find python version from target process", "it is not a Python process"),
        ("Error: something new", "py-spy failed: something new"),
        ("", "py-spy failed: no word of why"),
    ],
)  # fmt: skip
def test_a_text_is_a_reason(text, reason):
    found = failure(text, alive=True)
    assert found.reason == reason
    assert found.hint


def test_a_process_that_ended_is_no_permission_problem():
    assert failure("Permission denied (os error 13)", alive=False).reason == "the process ended"


def test_a_musl_process_is_named_as_one_where_nothing_else_explains_it():
    assert "musl" in failure("Error: odd", alive=True, musl=True).reason


def test_what_it_says_of_itself_is_read():
    text = "py-spy> 2.18s behind in sampling, results may be inaccurate.\npy-spy> Wrote raw. Samples: 55 Errors: 5"
    assert (behind_seconds(text), lost_looks(text)) == (2.18, 5)
    assert (behind_seconds("fine"), lost_looks("fine")) == (0.0, 0)


def test_a_program_that_is_not_python_still_has_native_functions_and_states():
    with subprocess.Popen(["sleep", "60"]) as process:
        time.sleep(0.2)
        try:
            profile = take_profile(Host.real(), key_of(process.pid), BURST)
        finally:
            process.kill()
    assert isinstance(profile, Profile)
    assert [m.reason for m in profile.missing if m.part == "python"] == ["it is not a Python process"]
    (thread,) = profile.threads
    assert (thread.python, set(thread.waits)) == (False, {"sleep"})


def test_a_process_that_is_gone_is_named():
    with subprocess.Popen(["sleep", "60"]) as process:
        key = key_of(process.pid)
        process.kill()
    assert take_profile(Host.real(), key, BURST) == Missing(
        "python", "the process ended", "ask for one that still runs"
    )


def test_a_pid_that_belongs_to_another_process_now_is_never_looked_into():
    with waiting_threads("event") as (key, _):
        other = WorkerKey(key.pid, key.started - 1)
        found = take_profile(Host.real(), other, BURST)
    assert isinstance(found, Missing)
    assert found.reason == "the process ended"


def test_a_process_that_ends_in_the_middle_gives_what_was_seen():
    with waiting_threads("burn-1") as (key, _):
        end = subprocess.Popen([sys.executable, "-c", f"import time, os; time.sleep(1.5); os.kill({key.pid}, 9)"])
        profile = take_profile(Host.real(), key, ProfileSpec(kind="burst", seconds=20.0))
        end.wait()
    assert isinstance(profile, Profile)
    assert profile.seconds < 15
    assert sum(count.count for count in profile.active) > 10


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user")
def test_without_rights_it_says_what_to_grant(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from collectors.host import Host\n"
        "from collectors.entities import WorkerKey\n"
        "from collectors.profiles.profile import ProfileSpec\n"
        "from collectors.profiles.take import take_profile\n"
        "profile = take_profile(Host.real(), WorkerKey(int(sys.argv[2]), int(sys.argv[3])),"
        " ProfileSpec(kind='burst', seconds=1.0))\n"
        "print([(m.part, m.reason) for m in profile.missing])\n"
    )
    with waiting_threads("event") as (key, _):
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
        home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
        done = subprocess.run(
            [*argv, sys.executable, "-c", script, home, str(key.pid), str(key.started)], capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert "('python', 'no permission to read its memory')" in done.stdout
    assert "Permission denied" in done.stdout.partition("'states'")[2]
    assert "'native'" in done.stdout


def test_py_spy_is_taken_from_beside_the_interpreter_and_never_from_path(monkeypatch, tmp_path):
    (tmp_path / "py-spy").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "py-spy").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    py_spy.cache_clear()
    assert py_spy() == os.path.join(os.path.dirname(sys.executable), "py-spy")
