"""Is the text of a frame taken apart as it was put together?"""

import pytest

from advisor.profiling.frames import printable, split_frame


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("predict (app.py:42)", ("predict", "app.py", 42)),
        ("A.b.<locals>.c (/srv/my app/a(1).py:7)", ("A.b.<locals>.c", "/srv/my app/a(1).py", 7)),
        ("sgemm_kernel (libopenblas.so.0)", ("sgemm_kernel", "libopenblas.so.0", None)),
        ("operator() (int) (libx.so)", ("operator() (int)", "libx.so", None)),
        ("bare", ("bare", None, None)),
        ("", ("", None, None)),
        ("x ()", ("x ()", None, None)),
        ("two\nlines (a.py:1)", ("two\nlines", "a.py", 1)),
    ],
)
def test_name_file_and_line(text: str, parts: tuple[str, str | None, int | None]) -> None:
    assert split_frame(text) == parts


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert printable("a\x1b[2Jb\n\tc\u202e") == "a\N{REPLACEMENT CHARACTER}[2Jb c\N{REPLACEMENT CHARACTER}"
    assert printable("") == "?"
