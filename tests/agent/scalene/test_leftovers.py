"""Nothing stays behind of a run, also when whoever started it is killed. Real processes, ended by pid."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.demo.processes import process_table, read_process
from agent.scalene.leftovers import clear_up, kill_session

ROOT = Path(__file__).parents[3]
TREE = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('ready', flush=True); time.sleep(60)"
OWNER = """
import subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from agent.demo.processes import read_process
from agent.scalene.leftovers import Watcher
watcher = Watcher(sys.argv[2])
tree = subprocess.Popen([sys.executable, "-c", sys.argv[3]], stdout=subprocess.PIPE, start_new_session=True)
tree.stdout.readline()
watcher.tell(tree.pid, read_process(tree.pid).started)
print(tree.pid, watcher._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def of_session(session: int) -> set[int]:
    return {row.pid for row in process_table() if row.session == session}


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def test_a_session_is_killed_whole(tree: subprocess.Popen[bytes]) -> None:
    before = of_session(tree.pid)
    assert len(before) == 2
    row = read_process(tree.pid)
    assert row is not None
    assert kill_session(tree.pid, row.started) == before
    assert of_session(tree.pid) == set()


def test_a_session_of_another_with_the_same_number_is_left_alone(tree: subprocess.Popen[bytes]) -> None:
    row = read_process(tree.pid)
    assert row is not None
    assert kill_session(tree.pid, row.started - 1) == set()
    assert len(of_session(tree.pid)) == 2


def test_a_process_that_left_session_and_parent_is_killed_when_it_is_known(tree: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stray:
        row, lost = read_process(tree.pid), read_process(stray.pid)
        assert row is not None
        assert lost is not None
        assert kill_session(tree.pid, row.started, {(stray.pid, lost.started)}) >= {tree.pid, stray.pid}
        assert stray.wait(30) == -signal.SIGKILL


def test_files_of_the_run_are_removed_and_no_others(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "profile.json").write_text("{}")
    gone = subprocess.Popen(["true"])
    gone.wait()
    began = time.time()
    names = {
        f"scalene-malloc-signal{gone.pid}": False,  # of a child that has ended
        f"scalene-memcpy-lock{os.getpid()}": True,  # of a process that lives, and is none of the run's
        f"scalene-malloc-other{gone.pid}": True,
    }
    paths = {Path("/tmp", name): stays for name, stays in names.items()}
    try:
        for path in paths:
            path.touch()
        clear_up(str(folder), {gone.pid}, began)
        assert {path: path.exists() for path in paths} == paths
        assert not folder.exists()
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def test_files_from_before_the_run_are_left(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = Path(f"/tmp/scalene-malloc-init{gone.pid}")
    try:
        path.touch()
        clear_up(str(tmp_path / "run"), (), time.time() + 60)
        assert path.exists()
    finally:
        path.unlink()


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_killed_leaves_no_process_and_no_folder(tmp_path: Path, name: signal.Signals) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    argv = [sys.executable, "-c", OWNER, str(ROOT), str(folder), TREE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        session, watcher = map(int, owner.stdout.readline().split())
        assert len(of_session(session)) == 2
        owner.send_signal(name)
        owner.wait(30)
    wait_until(lambda: read_process(watcher) is None)
    assert of_session(session) == set()
    assert not folder.exists()
