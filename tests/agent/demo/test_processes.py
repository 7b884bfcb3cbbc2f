"""Does ending a program end everything that came of it, and nothing else?"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.demo.processes import ProcessRow, Programs, members, process_table, read_process

TREE = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"]
child = subprocess.Popen(sleep)
own_session = subprocess.Popen(sleep, start_new_session=sys.argv[1:] != ["one session"])
orphan = subprocess.run(
    [sys.executable, "-c", f"import subprocess as s; print(s.Popen({sleep!r}, stdout=s.DEVNULL).pid)"],
    stdout=subprocess.PIPE, text=True).stdout.strip()
print(child.pid, own_session.pid, orphan, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    row = read_process(pid)
    return row is not None and row.state not in "ZX"


def row(pid: int, parent: int, session: int) -> ProcessRow:
    return ProcessRow(pid, parent, session, 0, "S")


def test_members_are_the_session_and_all_descendants() -> None:
    table = [
        row(1, 0, 1),
        row(10, 1, 10),
        row(11, 10, 10),
        row(12, 11, 12),
        row(13, 12, 12),
        row(14, 1, 10),
        row(9, 1, 9),
    ]
    assert {each.pid for each in members([10], table)} == {10, 11, 12, 13, 14}


def test_a_process_name_with_brackets_and_spaces_is_read() -> None:
    own = read_process(os.getpid())
    assert own is not None
    assert (own.parent, own.session) == (os.getppid(), os.getsid(0))


def test_a_process_that_is_gone_is_none() -> None:
    assert read_process(2**22 + 1) is None


def test_children_in_other_sessions_and_orphans_that_ignore_sigterm_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.demo.processes.GRACE_SECONDS", 0.2)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        with Programs() as programs:
            program = programs.start([sys.executable, "-c", TREE])
            assert program.stdout is not None
            pids = [program.pid, *map(int, program.stdout.readline().split())]
            assert len(pids) == 4
            assert all(alive(pid) for pid in pids)
        assert not any(alive(pid) for pid in pids)
        assert alive(bystander.pid)
    finally:
        bystander.kill()
        bystander.wait()


def test_workers_of_a_program_that_was_killed_are_ended(tmp_path: Path) -> None:
    with Programs() as programs:
        program = programs.start([sys.executable, "-c", TREE, "one session"])
        assert program.stdout is not None
        child = int(program.stdout.readline().split()[0])
        program.kill()
        program.wait()
        assert alive(child)
    assert not alive(child)


def test_a_program_ends_when_the_block_is_left_by_an_interrupt(tmp_path: Path) -> None:
    programs = Programs()
    program = programs.start([sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log")
    with pytest.raises(KeyboardInterrupt), programs:
        raise KeyboardInterrupt
    assert program.poll() is not None


def test_an_interrupt_while_programs_are_ended_comes_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Programs, *programs: subprocess.Popen[bytes]) -> None:
        signal.raise_signal(signal.SIGINT)
        ended.append(len(programs))

    ended: list[int] = []
    programs = Programs()
    program = programs.start([sys.executable, "-c", "import time; time.sleep(600)"])
    with monkeypatch.context() as patched:
        patched.setattr(Programs, "end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            programs.__exit__()
    assert ended == [1]
    programs.end(program)


def test_a_started_program_can_be_interrupted_and_has_its_cpus(tmp_path: Path) -> None:
    cpus = os.sched_getaffinity(0)
    one = frozenset(list(cpus)[:1])
    ask = "import os, signal; print(os.sched_getaffinity(0), signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with Programs() as programs:
        program = programs.start([sys.executable, "-c", ask], cpus=one)
        output, _ = program.communicate()
    assert output.decode().strip() == f"{set(one)} set()"
    assert os.sched_getaffinity(0) == cpus


def test_ended_processes_are_not_in_the_table() -> None:
    program = subprocess.Popen([sys.executable, "-c", ""])
    while True:
        current = read_process(program.pid)
        if current is not None and current.state == "Z":
            break
        time.sleep(0.01)
    assert program.pid not in {each.pid for each in process_table()}
    program.wait()
