"""Does the first process of a container take in what ended and was left to it, and nothing that somebody waits for?"""

import os
import signal
import subprocess
import sys

import pytest

from agent import orphans


def ended_child() -> int:
    """A child that is a zombie."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_a_zombie_is_reaped_the_second_time_that_it_is_seen() -> None:
    pid = ended_child()
    seen = orphans.reap(frozenset())
    assert pid in seen
    assert pid not in orphans.reap(seen)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_one_that_was_waited_for_meanwhile_and_one_that_runs_are_left_alone() -> None:
    pid = ended_child()
    os.waitpid(pid, 0)
    with subprocess.Popen(["sleep", "60"]) as running:
        try:
            assert orphans.reap(frozenset({pid, running.pid})).isdisjoint({pid, running.pid})
            assert running.poll() is None
        finally:
            running.kill()


async def test_any_other_process_than_pid_1_does_nothing() -> None:
    await orphans.reap_orphans()


def test_sigterm_ends_the_first_process_of_a_namespace_and_leaves_others_to_its_default() -> None:
    program = (
        "import os, signal, nodewright; {}; nodewright.end_on_sigterm(); os.kill(os.getpid(), signal.SIGTERM); print(1)"
    )
    codes = [
        subprocess.run([sys.executable, "-c", program.format(first)], capture_output=True, timeout=30).returncode
        for first in (
            "os.getpid, real = (lambda: 1), os.getpid; os.kill = lambda pid, number: signal.raise_signal(number)",
            "0",
        )
    ]
    assert codes == [128 + signal.SIGTERM, -signal.SIGTERM]
