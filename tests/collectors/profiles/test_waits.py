"""What a thread waits for is told from outside, on the real kernel."""

import subprocess
import sys
import time

import pytest

from collectors.host import Host
from collectors.inside.folder import ProcessFolder
from collectors.profiles import descriptors
from collectors.profiles.profile import ThreadProfile
from collectors.profiles.syscalls import Call, call_numbers, parse_syscall
from collectors.profiles.task_watch import TaskWatch
from collectors.profiles.waits import by_channel, interpreter_data
from tests.collectors.process_tree import host_of, make_process
from tests.collectors.process_tree import key_of as key_of_tree
from tests.collectors.profiles.program import key_of, open_descriptors, waiting_threads

LOOKS = 40


def watched(*names: str) -> tuple[dict[str, ThreadProfile], int]:
    """Each thread by its name after some looks, and how many descriptors were left open."""
    before = open_descriptors()
    with waiting_threads(*names) as (key, tids), ProcessFolder(Host.real(), key) as folder:
        time.sleep(0.3)
        watch = TaskWatch(folder)
        for _ in range(LOOKS):
            watch.look()
            time.sleep(0.01)
        threads = {thread.tid: thread for thread in watch.finish()}
        watch.close()
    return {name: threads[tid] for name, tid in tids.items()}, open_descriptors() - before


@pytest.mark.parametrize(
    ("name", "wait"),
    [
        ("event", "futex"),
        ("sleep", "sleep"),
        ("accept", "listening"),
        ("own-client", "outbound"),
        ("serve-one", "inbound"),
        ("pipe", "pipe"),
        ("polled", "outbound"),
        ("loop", "loop"),
    ],
)
def test_a_thread_that_waits_is_seen_waiting_for_just_that(name, wait):
    threads, _ = watched(name)
    assert threads[name].waits == {wait: threads[name].looks}
    assert threads[name].looks >= LOOKS - 4
    assert threads[name].running == 0


@pytest.mark.parametrize(
    ("name", "wait"), [("accept", "listening"), ("own-client", "outbound"), ("serve-one", "inbound")]
)
def test_where_the_kernel_is_not_asked_the_tables_of_sockets_tell_the_same(name, wait, monkeypatch):
    monkeypatch.setattr(descriptors, "tcp_sockets", lambda: None)
    threads, _ = watched(name)
    assert threads[name].waits == {wait: threads[name].looks}
    assert threads[name].looks >= LOOKS - 4


def test_two_threads_on_one_lock_are_told_from_one_alone():
    both, _ = watched("lock-1", "lock-2")
    assert set(both["lock-1"].waits) == set(both["lock-2"].waits) == {"lock"}
    alone, _ = watched("lock-1")
    assert set(alone["lock-1"].waits) == {"futex"}


def test_the_wait_for_the_gil_is_told_from_every_other_futex():
    threads, _ = watched("burn-1", "burn-2", "wake-often", "event")
    burning = threads["burn-1"], threads["burn-2"]
    assert all(set(t.waits) <= {"gil"} for t in burning)
    assert sum(t.waits.get("gil", 0) for t in burning) > 0
    assert threads["wake-often"].waits.get("gil", 0) > 0.3 * LOOKS
    assert threads["event"].waits == {"futex": threads["event"].looks}


def test_times_and_switches_are_of_the_watch_alone():
    threads, _ = watched("burn-1", "event")
    burning, event = threads["burn-1"], threads["event"]
    assert 0.1 < burning.run_seconds + burning.delay_seconds < 5
    assert event.run_seconds == 0
    assert event.switches == 0


def test_nothing_stays_open():
    assert watched("event", "loop")[1] == 0


def test_threads_that_begin_later_are_found():
    with waiting_threads("burn-1") as (key, _), ProcessFolder(Host.real(), key) as folder:
        watch = TaskWatch(folder)
        count = len(watch.tids)
        for _ in range(4):
            watch.look()
        assert len(watch.tids) == count == 2
        watch.close()


def test_a_process_that_ends_while_it_is_watched_gives_what_was_seen():
    with waiting_threads("event") as (key, tids), ProcessFolder(Host.real(), key) as folder:
        watch = TaskWatch(folder)
        watch.look()
    assert watch.look() == {}
    assert {t.tid: t.looks for t in watch.finish()} == {tids["main"]: 1, tids["event"]: 1}
    watch.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"running\n", None),
        (b"", None),
        (b"-1 0x7ffd 0x7f\n", (-1, (0x7FFD, 0x7F))),
        (b"202 0x7f43 0x189 0x0 0x7f 0x0 0xffffffff 0x7ffd 0x7f\n", (202, (0x7F43, 0x189, 0, 0x7F, 0, 0xFFFFFFFF))),
    ],
)
def test_the_lines_of_the_kernel(text, found):
    assert parse_syscall(text) == found


@pytest.mark.parametrize(
    ("channel", "wait"),
    [
        (b"do_poll.constprop.0", "loop"),
        (b"poll_schedule_timeout", "loop"),
        (b"hrtimer_nanosleep", "sleep"),
        (b"futex_do_wait", "futex"),
        (b"0", "other"),
        (b"", "other"),
    ],
)
def test_a_call_that_goes_on_after_an_interruption_is_told_by_its_channel(channel, wait):
    assert by_channel(channel) == wait
    assert call_numbers("x86_64")[219] is Call.RESTART


def test_numbers_of_system_calls_differ_by_machine():
    assert call_numbers("x86_64")[202] is Call.FUTEX
    assert call_numbers("aarch64")[98] is Call.FUTEX
    assert call_numbers("aarch64")[202] is Call.ACCEPT
    assert call_numbers("riscv64") == {}


MAPS = """\
55d0c0a00000-55d0c0a01000 r-xp 00001000 08:01 11 /usr/bin/python3.11
55d0c0a02000-55d0c0a03000 rw-p 00003000 08:01 11 /usr/bin/python3.11
55d0c1000000-55d0c1100000 rw-p 00000000 00:00 0 [heap]
7f0000000000-7f0000400000 r-xp 00000000 08:01 12 /usr/lib/libpython3.11.so.1.0
7f0000400000-7f0000500000 rw-p 00400000 08:01 12 /usr/lib/libpython3.11.so.1.0
7f0000500000-7f0000540000 rw-p 00000000 00:00 0
7f0000600000-7f0000700000 rw-p 00000000 00:00 0
7f0000700000-7f0000800000 rw-p 00000000 08:01 13 /usr/lib/libc.so.6
"""


def test_the_interpreters_data_is_that_of_its_library_with_the_zeroed_part(tmp_path):
    make_process(tmp_path, maps=MAPS)
    with ProcessFolder(host_of(tmp_path), key_of_tree()) as folder:
        assert interpreter_data(folder) == ((0x7F0000400000, 0x7F0000500000), (0x7F0000500000, 0x7F0000540000))


def test_a_python_that_contains_its_interpreter_has_it_in_the_executable(tmp_path):
    make_process(tmp_path, maps="\n".join(line for line in MAPS.splitlines() if "libpython" not in line) + "\n")
    with ProcessFolder(host_of(tmp_path), key_of_tree()) as folder:
        assert interpreter_data(folder) == ((0x55D0C0A02000, 0x55D0C0A03000),)


def test_a_main_thread_that_never_pauses_is_told_from_one_that_does(tmp_path):
    """Both use a CPU about half of the time; one in pieces of 100 ms, the other in pieces of 2 ms."""
    shares = {}
    for piece in (0.1, 0.002):
        script = (
            "import time\nprint(flush=True)\nwhile True:\n"
            f"    end = time.perf_counter() + {piece}\n"
            f"    while time.perf_counter() < end: pass\n    time.sleep({piece})"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            with ProcessFolder(Host.real(), key_of(process.pid)) as folder:
                watch = TaskWatch(folder)
                for _ in range(60):
                    watch.look()
                    time.sleep(0.03)
                (main,) = watch.finish()
                watch.close()
            process.kill()
        shares[piece] = (main.unbroken / main.looks, main.unbroken_runs)
    assert shares[0.1][0] > 0.1
    assert shares[0.1][1] >= 3
    assert shares[0.002][0] < 0.05
