"""What py-spy's recorder writes is read as it is meant, hostile names included."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.profiles.profile import Frame
from collectors.profiles.raw_stacks import parse_raw

LINE = b"thread (2641): w0;Thread._bootstrap (/lib/threading.py:1002);w (/srv/v.py:6);dumps (json/__init__.py:231) 4\n"


def test_a_line_is_a_thread_its_frames_and_a_count():
    (stack,) = parse_raw(LINE)
    assert (stack.tid, stack.name, stack.count) == (2641, "w0", 4)
    assert stack.frames == (
        Frame("Thread._bootstrap", "/lib/threading.py", 1002),
        Frame("w", "/srv/v.py", 6),
        Frame("dumps", "json/__init__.py", 231),
    )


def test_a_thread_may_be_named_by_its_pthread_t():
    (stack,) = parse_raw(b"thread (0x7F5D2C0B1700);run (a.py:1) 2")
    assert (stack.tid, stack.name, stack.count) == (0x7F5D2C0B1700, None, 2)


def test_native_frames_have_a_library_and_no_line():
    (stack,) = parse_raw(b"thread (1): a;f (x.py:3);sgemm_kernel (libopenblas.so) 1")
    assert stack.frames[1] == Frame("sgemm_kernel", "libopenblas.so", None, True)


@pytest.mark.parametrize(
    ("line", "name", "frames"),
    [
        (b"thread (7): a;b;f (x.py:3) 1", "a;b", ["f"]),
        (b"thread (7): a;f (dir;with;semicolons/x.py:3);g (y.py:4) 1", "a", ["f", "g"]),
        (b"thread (7): a;operator<< (std::ostream&, int) (lib;x.so);g (y.py:4) 1", "a",
         ["operator<< (std::ostream&, int)", "g"]),
        (b"thread (7): a 1", "a", []),
        (b"thread (7): two words;f (x.py:3) 1", "two words", ["f"]),
    ],
)  # fmt: skip
def test_semicolons_and_spaces_inside_names_stay_inside(line, name, frames):
    (stack,) = parse_raw(line)
    assert stack.name == name
    assert [frame.name for frame in stack.frames] == frames


@pytest.mark.parametrize(
    "line", [b"", b"x", b"thread (7): a;f (x.py:3)", b"f (x.py:3) 4", b"thread (7): a;f (x.py:3) -4"]
)
def test_what_is_no_stack_is_left_out(line):
    assert list(parse_raw(line)) == []


@given(st.binary(max_size=300))
def test_no_bytes_raise(data):
    for stack in parse_raw(data):
        assert stack.count >= 0


@given(st.lists(st.text(string.ascii_letters + "<>._", min_size=1, max_size=8), min_size=1, max_size=6))
def test_frames_come_back_as_they_went(names):
    body = ";".join(f"{name} (/srv/{name}.py:{n + 1})" for n, name in enumerate(names))
    (stack,) = parse_raw(f"thread (5): t;{body} 9".encode())
    assert [(f.name, f.file, f.line) for f in stack.frames] == [
        (name, f"/srv/{name}.py", n + 1) for n, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"thread (7): a;f (x.py:3) " + b"9" * 5000,
        b"thread (" + b"9" * 5000 + b"): a;f (x.py:3) 1",
        b"thread (0x" + b"f" * 17 + b"): a;f (x.py:3) 1",
    ],
)
def test_numbers_that_no_recorder_writes_are_no_stack(line):
    """A name with a line feed in it can write any line."""
    assert list(parse_raw(line)) == []


def test_a_line_number_that_is_none_belongs_to_the_path():
    (stack,) = parse_raw(b"thread (7): a;f (x.py:" + b"9" * 5000 + b") 1")
    assert stack.frames[0].line is None
