"""Are the files of /proc understood, also when their content is hostile or cut short?"""

import os

import pytest

from collectors.procfs import (
    parse_cgroup,
    parse_cmdline,
    parse_key_values,
    parse_schedstat,
    parse_stat,
    parse_status_fields,
    parse_tcp,
    safe_text,
)

STAT = (
    b"812 (python) S 1 812 812 0 -1 4194304 5100 0 7 0 1200 340 11 12 20 0 9 0 40211 262144000 4096 "
    b"18446744073709551615 1 1 0 0 0 0 0 16781312 2 0 0 0 17 3 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
TCP = b"""  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:00000000 00000000  1000        0 1076 1 00000000b683b9ef 100
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2077 1 0000000000000000 20
   2: 0100007F:1F90 0100007F:C3"""


def test_a_stat_line_gives_the_fields_that_its_places_say() -> None:
    stat = parse_stat(STAT)
    assert (stat.pid, stat.comm, stat.state, stat.ppid) == (812, "python", "S", 1)
    assert (stat.minor_faults, stat.major_faults) == (5100, 7)
    assert (stat.user_ticks, stat.system_ticks, stat.children_user_ticks, stat.children_system_ticks) == (
        1200, 340, 11, 12,
    )  # fmt: skip
    assert (stat.threads, stat.started, stat.resident_pages, stat.last_cpu) == (9, 40211, 4096, 3)


@pytest.mark.parametrize(
    ("raw", "comm"),
    [
        (b"a) S 1 (b", "a) S 1 (b"),
        (b"x\n7 (y) R", "x\\x0a7 (y) R"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"", ""),
        (b"\x1b[2J", "\\x1b[2J"),
        ("größe".encode(), "größe"),
    ],
)
def test_a_name_cannot_move_the_other_fields_or_reach_a_terminal(raw: bytes, comm: str) -> None:
    stat = parse_stat(STAT.replace(b"(python)", b"(" + raw + b")"))
    assert (stat.comm, stat.ppid, stat.started) == (comm, 1, 40211)
    stat.comm.encode("utf-8")


@pytest.mark.parametrize("length", [0, 3, 12, 40, 110])
def test_a_stat_line_that_is_cut_short_is_a_value_error(length: int) -> None:
    with pytest.raises(ValueError, match=r"cut short|invalid literal"):
        parse_stat(STAT[:length])


def test_the_stat_of_this_process_is_understood() -> None:
    with open("/proc/self/stat", "rb") as file:
        stat = parse_stat(file.read())
    assert (stat.pid, stat.ppid) == (os.getpid(), os.getppid())
    assert stat.resident_pages > 100


def test_status_gives_the_asked_for_fields_and_leaves_out_the_others() -> None:
    data = b"Name:\tiou-sqp-9\nUid:\t1\t2\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\n"
    found = parse_status_fields(data, "Name", "Cpus_allowed_list", "NSpid")
    assert found == {"Name": "iou-sqp-9", "Cpus_allowed_list": "0-3,8"}


def test_a_name_that_looks_like_a_field_is_not_taken_for_it() -> None:
    assert parse_status_fields(b"Name:\tUid:\nUid:\t7\t7\n", "Uid", "Name") == {"Uid": "7 7", "Name": "Uid:"}


@pytest.mark.parametrize(
    ("written", "name"),
    [(b"a\\nb", "a\\x0ab"), (b"a\\\\nb", "a\\nb"), (b"w\\\\\t", "w\\\\x09"), (b" a ", " a ")],
)
def test_a_name_in_status_is_the_same_as_in_stat(written: bytes, name: str) -> None:
    assert parse_status_fields(b"Name:\t" + written + b"\nUid:\t0\n", "Name") == {"Name": name}


def test_schedstat_is_run_wait_and_slices() -> None:
    assert parse_schedstat(b"1200 3400 56\n") == (1200, 3400, 56)
    with pytest.raises(ValueError, match="unpack"):
        parse_schedstat(b"1200 34")


def test_cgroup_lines_of_both_versions_are_split_at_the_first_two_colons() -> None:
    text = "9:name=systemd:/a:b\n2:cpu,cpuacct:/x\n0::/u/my app (deleted)\nrubbish\n"
    assert parse_cgroup(text) == (("name=systemd", "/a:b"), ("cpu,cpuacct", "/x"), ("", "/u/my app"))


def test_the_padding_that_a_process_title_leaves_is_dropped() -> None:
    assert parse_cmdline(b"gunicorn: worker [app]\0\0\0\0") == ("gunicorn: worker [app]",)
    assert parse_cmdline(b"a\0--b=\xff\0") == ("a", "--b=\\xff")
    assert parse_cmdline(b"") == ()


def test_key_values_leave_out_lines_that_are_none() -> None:
    assert parse_key_values(b"nr_periods 12\nMemTotal:   7 kB\nrubbish\nx y\n") == {b"nr_periods": 12, b"MemTotal": 7}


def test_tcp_rows_say_port_state_and_queue_and_half_a_row_is_left_out() -> None:
    listening, connected = parse_tcp(TCP)
    assert (listening.local_port, listening.state, listening.rx_queue) == (8080, "0A", 5)
    assert (listening.uid, listening.inode, listening.local_address) == (1000, 1076, "0100007F")
    assert (connected.state, connected.inode) == ("01", 2077)


def test_safe_text_keeps_what_people_write() -> None:
    assert safe_text("naïve – 模型".encode()) == "naïve – 模型"
