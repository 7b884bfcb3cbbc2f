"""Of source lines only known names are told, and only of lines that the process itself may read."""

import os
from pathlib import Path

from collectors.host import Host
from collectors.inside.folder import ProcessFolder
from collectors.profiles.profile import Frame
from collectors.profiles.source_calls import FILE_LIMIT_BYTES, LINE_LIMIT_BYTES, called, calls_of
from tests.collectors.profiles.program import key_of, open_descriptors

KNOWN = {"zlib.compress", ".tolist", "@"}


def told(*places: tuple[str, int]) -> dict[int, str]:
    """What the lines at these places call, seen from the tests' own process."""
    frames = [Frame("f", path, line) for path, line in places]
    with ProcessFolder(Host.real(), key_of(os.getpid())) as folder:
        return calls_of(folder, frames, dict.fromkeys(range(len(frames)), 1), KNOWN)


def test_lines_are_numbered_as_python_does(tmp_path: Path):
    source = tmp_path / "app.py"
    source.write_text("import zlib\n\x0c\nzlib.compress(body)\nvalues.tolist()\n")
    before = open_descriptors()
    assert told((str(source), 3), (str(source), 4), (str(source), 2), (str(source), 99)) == {
        0: "zlib.compress", 1: ".tolist",
    }  # fmt: skip
    assert open_descriptors() == before


def test_what_is_missing_too_long_or_no_plain_file_tells_nothing(tmp_path: Path):
    long, pipe = tmp_path / "long.py", tmp_path / "pipe.py"
    long.write_bytes(b"zlib.compress(body)\n" * (FILE_LIMIT_BYTES // 20 + 1))
    os.mkfifo(pipe)
    assert told((str(long), 1), (str(pipe), 1), (str(tmp_path / "none.py"), 1), (str(tmp_path), 1)) == {}


def test_only_the_beginning_of_a_line_is_looked_at(tmp_path: Path):
    source = tmp_path / "app.py"
    source.write_text(f"x = '{'a' * LINE_LIMIT_BYTES}'; zlib.compress(body)\n")
    assert told((str(source), 1)) == {}


def test_a_line_calls_the_first_known_name_in_it():
    assert called("x = zlib.compress(a.tolist())", KNOWN) == "zlib.compress"
    assert called("y = a @ b", KNOWN) == "@"
    assert called("def zlib.compress(", KNOWN) is None
