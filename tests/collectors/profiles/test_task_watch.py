"""What a thread did is known for as long as the kernel still counts it."""

import subprocess
import sys
from pathlib import Path

from collectors.host import Host
from collectors.inside.folder import ProcessFolder
from collectors.profiles.task_watch import TaskWatch
from tests.agent.sidecar.targets_of_tests import until
from tests.collectors.profiles.program import key_of

ONE_THREAD = """
import sys, threading
def until_told():
    sys.stdin.readline()
thread = threading.Thread(target=until_told)
thread.start()
print(thread.native_id, flush=True)
thread.join()
print("ended", flush=True)
sys.stdin.readline()
"""


def test_what_a_thread_ran_that_ended_meanwhile_is_not_known_rather_than_nothing():
    process = subprocess.Popen(
        [sys.executable, "-c", ONE_THREAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        tid = int(process.stdout.readline())
        with ProcessFolder(Host.real(), key_of(process.pid)) as folder:
            watch = TaskWatch(folder)
            watch.look()
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ended\n"
            until(
                lambda: not Path(f"/proc/{process.pid}/task/{tid}").exists()
            )  # the kernel's thread ends after Python's
            threads = {thread.tid: thread for thread in watch.finish()}
            watch.close()
    finally:
        process.communicate("\n", timeout=10)
    assert threads[tid].looks == 1
    assert (threads[tid].run_seconds, threads[tid].delay_seconds, threads[tid].switches) == (None, None, None)
    assert threads[process.pid].run_seconds is not None
